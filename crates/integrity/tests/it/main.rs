//! The scanner as its users have it: trees are made, scanned and compared.
#![cfg(test)]

mod bounds;
mod diffs;
mod facts;
mod hostile;
mod limits;
mod manifests;
mod masks;
mod quick;
mod reading;
mod roots;
mod scopes;
mod severities;
mod trees;
mod watching;

use std::fs;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use portcullis_integrity::manifest::{Body, Head, Manifest, write};
use portcullis_integrity::{
    Comparison, Entry, Exclude, Finding, Is, Limits, NotScanned, Plan, Progress, Scope, Seen, path,
    scan,
};

fn plan(root: &Path) -> Plan {
    let threads = NonZero::new(3).unwrap();
    let (exclude, scope) = (Exclude::default(), Scope::everything());
    Plan {
        root: root.to_owned(),
        exclude,
        scope,
        max_bytes: 1 << 20,
        threads,
        limits: Limits::default(),
    }
}

/// Everything that a scan sees.
fn seen(plan: &Plan) -> Vec<Seen> {
    let mut all = Vec::new();
    scan(plan, &Progress::default(), |seen| all.push(seen)).unwrap();
    let is_sorted = |pair: &[Seen]| path::order(pair[0].path(), pair[1].path()).is_le();
    assert!(all.windows(2).all(is_sorted), "{all:?}");
    all
}

/// A manifest of what is there now.
fn baseline(plan: &Plan) -> Vec<u8> {
    let mut body = Body::new(Vec::new());
    for seen in seen(plan) {
        let Seen::Is(entry, ..) = seen else { panic!("{seen:?}") };
        body.push(&entry).unwrap();
    }
    let (lines, head): (_, Head) = body.finish("app", 1, None);
    let mut manifest = Vec::new();
    write(&mut manifest, &head, &mut &lines[..]).unwrap();
    manifest
}

fn entries(manifest: &[u8]) -> Vec<Entry> {
    Manifest::open(manifest).unwrap().lines.collect::<Result<_, _>>().unwrap()
}

/// How the tree differs from a manifest.
fn findings(plan: &Plan, manifest: &[u8]) -> Vec<Finding> {
    try_findings(plan, manifest).unwrap()
}

fn try_findings(plan: &Plan, manifest: &[u8]) -> Result<Vec<Finding>, NotScanned> {
    let lines = Manifest::open(manifest).unwrap().lines;
    let mut comparison = Comparison::begin(lines, &plan.root);
    scan(plan, &Progress::default(), |seen| comparison.seen(seen).unwrap())?;
    Ok(comparison.finish().unwrap().findings)
}

/// The findings as words: the change, the path, and from or to where it moved.
fn told(plan: &Plan, manifest: &[u8]) -> Vec<String> {
    let word = |finding: &Finding| {
        let moved = finding.moved.as_deref().map(|moved| format!(" ~ {}", path::show(moved)));
        let (change, path) = (finding.change().as_str(), path::show(finding.path()));
        let why = match &finding.is {
            Is::Unverifiable { why, .. } => format!(" ({})", why.as_str()),
            Is::There(_) | Is::Gone => String::new(),
        };
        format!("{change} {path}{}{why}", moved.unwrap_or_default())
    };
    findings(plan, manifest).iter().map(word).collect()
}

fn put(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let file = root.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

fn set_mode(root: &Path, name: &str, mode: u32) {
    fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// What somebody finds who is allowed nothing, on a thread of his own; whoever runs the tests may be allowed
/// to read everything.
fn as_nobody<F: Send>(find: impl FnOnce() -> F + Send) -> F {
    let nobody = 65_534;
    let finding = || {
        if rustix::process::getuid().is_root() {
            as_user(nobody);
        }
        find()
    };
    thread::scope(|scope| scope.spawn(finding).join().unwrap())
}

/// This thread, and those that it starts, are somebody else from now on.
fn as_user(uid: u32) {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
    set_thread_groups(&[]).unwrap();
    set_thread_gid(Gid::from_raw(uid)).unwrap();
    set_thread_uid(Uid::from_raw(uid)).unwrap();
}
