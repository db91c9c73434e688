//! Other programs beside ours, on the same trees: AIDE (Debian's package, SHA-256, two workers), and
//! `find` for what is told of a file without reading it.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::{Ours, Trees, timed_anyway};
use crate::process::pinned;
use crate::report::{Figure, Findings};
use crate::run::{Bench, say};

const AIDE: &str = "AIDE";
const OWED: f64 = 4.0;
/// Where one folder holds very many names.
const OWED_WIDE: f64 = 12.0;
/// What it compares: about what our baselines hold.
const RULE: &str = "p+ftype+l+n+u+g+s+acl+xattrs+sha256";

pub(super) async fn measure(
    bench: &Bench,
    trees: &Trees,
    ours: &Ours,
    findings: &mut Findings,
) -> Result<()> {
    if !Path::new("/usr/bin/aide").exists() {
        findings.missing.push(AIDE);
        return Ok(());
    }
    for (what, root, ours, owed) in [
        ("real files", &trees.real, ours.real, OWED),
        ("them and a folder of 17,600 names", &trees.all, ours.all, OWED_WIDE),
    ] {
        let seconds = check(bench, &trees.folder, root).await?;
        findings.figures.extend([
            Figure::amount(&format!("AIDE's check of {what}"), seconds, "s"),
            Figure::at_least(
                &format!("AIDE's check of {what} ÷ a full check of ours"),
                seconds / ours,
                owed,
            ),
        ]);
    }
    Ok(())
}

/// Tells of every name what a check compares that reads nothing.
pub(super) fn find(bench: &Bench, root: &Path) -> Command {
    let mut command = pinned(&bench.both_cores(), Path::new("find"));
    command.arg(root).args(["-printf", "%D %i %m %U %G %n %s %T@ %C@ %p\\n"]);
    command
}

/// Has it record a tree and check it: the seconds of the second.
async fn check(bench: &Bench, folder: &Path, root: &Path) -> Result<f64> {
    let config = folder.join("aide.conf");
    let (database, report) = (folder.join("aide.db"), folder.join("aide.report"));
    let text = format!(
        "database_in=file:{0}\ndatabase_out=file:{0}\ngzip_dbout=no\nnum_workers=2\n\
         report_url=file:{1}\n{2} {RULE}\n",
        database.display(),
        report.display(),
        root.display()
    );
    fs::write(&config, text)?;
    let mut seconds = 0.0;
    for what in ["--init", "--check"] {
        say(&format!("AIDE: {what} {}", root.display()));
        let mut command = pinned(&bench.both_cores(), Path::new("aide"));
        command.arg(format!("--config={}", config.display())).arg(what);
        let (spent, output) = timed_anyway(command).await?;
        // It ends with 0 if nothing differs.
        ensure!(output.status.success(), "AIDE: {}", String::from_utf8_lossy(&output.stderr));
        seconds = spent;
    }
    Ok(seconds)
}
