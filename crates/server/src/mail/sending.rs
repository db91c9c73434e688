//! What comes of sending a message, whichever way it goes. Not what is done about it.

use std::io;

use super::smtp::DialError;

/// What came of sending a message.
#[derive(Debug)]
pub enum Sending {
    /// It has arrived. What the server said, or where it is.
    Taken(String),
    /// This one is not taken now.
    NotNow(String),
    /// This one will never be taken.
    Refused(String),
    /// Nothing can be sent at all.
    Down(Trouble),
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the server does not answer in time")]
    Silent,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the server refuses the conversation: {0}")]
    Closed(String),
    #[error("the server refuses the name or the password: {0}")]
    Login(String),
    #[error("the server refuses the sender (mail.from): {0}")]
    Sender(String),
    #[error("the file cannot be written")]
    File(#[from] io::Error),
}

/// Words of a server, of which nobody knows what is in them: one line, without control characters,
/// and not too long.
pub(super) fn inert(text: &str) -> String {
    const MOST: usize = 200;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_made_inert() {
        assert_eq!(inert("550 no\r\n\u{1b}[2J such\u{7}user\r\n"), "550 no [2J such user");
        assert_eq!(inert(&"x".repeat(900)).len(), 200);
    }
}
