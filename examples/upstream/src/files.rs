//! The files that the application is deployed as, where it has a folder for them.

use std::io;
use std::path::{Path, PathBuf};

/// Each by its name.
const FILES: [(&str, &str); 3] =
    [("about.html", ABOUT), ("office.ini", OFFICE), ("bin/nightly.sh", NIGHTLY)];

const ABOUT: &str = "<section>\n<h2>About this office</h2>\n\
    <p>A sample application for Portcullis. This page is open to everyone; the rest of the office is\n\
    behind the gate. The application itself has no sign-in: it shows what the gate tells it.</p>\n\
    </section>\n";

const OFFICE: &str = "[office]\nname = Harbour Homes\ncurrency = EUR\n";

const NIGHTLY: &str = "#!/bin/sh\n# Runs every night.\necho done\n";

/// Where the files are; without a folder they are in the program.
#[derive(Clone, Debug, Default)]
pub struct Files(Option<PathBuf>);

impl Files {
    /// Those in a folder.
    pub fn of(folder: &Path) -> Self {
        Self(Some(folder.to_owned()))
    }

    /// What the page for everyone says: HTML of the application's own.
    pub(crate) async fn about(&self) -> String {
        let Some(folder) = &self.0 else { return ABOUT.to_owned() };
        let read = tokio::fs::read_to_string(folder.join("about.html")).await;
        read.unwrap_or_else(|_| "<section><p>This page is missing.</p></section>".to_owned())
    }
}

/// Writes the files into a folder, where it is not there yet.
pub fn write_missing(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}
