//! The mail that a server under test has captured. Not here: mail through a mail server, which is in
//! `mail/`.

use std::time::Duration;

use portcullis_server::mail::deliver_due;

use super::TestApp;

/// A letter as it was captured.
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) link: Option<String>,
    pub(crate) code: Option<String>,
    /// All of it, with long lines put together again.
    pub(crate) body: String,
}

impl Letter {
    fn read(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, _) = text.split_once("\n\n").unwrap();
        let head = head.replace("\n ", " ");
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        Self {
            subject: field("Subject:").unwrap(),
            link: field("X-Portcullis-Link:"),
            code: field("X-Portcullis-Code:"),
            body: text.replace("=\n", ""),
        }
    }

    /// The secret of its link.
    pub(crate) fn token(&self) -> String {
        let link = self.link.as_ref().unwrap_or_else(|| panic!("no link in {:?}", self.subject));
        link.split_once("#t=").unwrap().1.to_owned()
    }
}

/// The letters to somebody, oldest first, once there are `count` of them.
pub(crate) async fn letters(server: &TestApp, to: &str, count: usize) -> Vec<Letter> {
    for _ in 0..200 {
        let found = letters_so_far(server, to).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("fewer than {count} letters to {to}");
}

/// The letters to somebody until now, oldest first.
pub(crate) async fn letters_so_far(server: &TestApp, to: &str) -> Vec<Letter> {
    let suffix = format!("-{to}.eml");
    let captured = captured(server).await.into_iter();
    captured
        .filter(|(name, _)| name.ends_with(&suffix))
        .map(|(_, text)| Letter::read(&text))
        .collect()
}

/// The messages to everybody until now, as they were captured, oldest first.
pub(crate) async fn mails(server: &TestApp) -> Vec<String> {
    captured(server).await.into_iter().map(|(_, text)| text).collect()
}

/// Names of files, and what is in them.
async fn captured(server: &TestApp) -> Vec<(String, String)> {
    deliver_due(&server.app).await.unwrap();
    let files = std::fs::read_dir(server.data_dir.join("outbox")).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: std::path::PathBuf| {
        (path.to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}
