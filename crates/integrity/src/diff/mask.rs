//! Puts marks in the place of secrets, line by line: how long a secret is and four digits of its MAC, so
//! that a changed one is seen to have changed. Not here: what is a secret.

use std::ops::Range;

use aws_lc_rs::hmac;

use super::lines::without_end;
use super::secrets::Finder;

/// Masks one content.
pub(super) struct Masker<'m> {
    key: &'m hmac::Key,
    path: &'m [u8],
}

impl<'m> Masker<'m> {
    pub(super) fn new(path: &'m [u8], key: &'m hmac::Key) -> Self {
        Self { key, path }
    }

    /// The lines of a text, each with its end.
    pub(super) fn lines(&self, text: &str) -> Vec<String> {
        let mut finder = Finder::of(self.path, text);
        let each = |line: &str| {
            let (line, end) = line.split_at(without_end(line.as_bytes()).len());
            self.masked(line, finder.secrets(line)) + end
        };
        text.split_inclusive('\n').map(each).collect()
    }

    fn masked(&self, line: &str, mut secrets: Vec<Range<usize>>) -> String {
        secrets.sort_unstable_by_key(|secret| secret.start);
        let (mut text, mut at) = (String::with_capacity(line.len()), 0);
        let mut secrets = secrets.into_iter().peekable();
        while let Some(Range { start, mut end }) = secrets.next() {
            while let Some(next) = secrets.next_if(|next| next.start <= end) {
                end = end.max(next.end);
            }
            let (start, end) = (line.floor_char_boundary(start), line.ceil_char_boundary(end));
            let secret = line.get(start..end).unwrap_or_default();
            text.push_str(line.get(at..start).unwrap_or_default());
            if !secret.is_empty() {
                text.push_str(&self.mark(secret));
            }
            at = end;
        }
        text.push_str(line.get(at..).unwrap_or_default());
        text
    }

    fn mark(&self, secret: &str) -> String {
        let mac = hmac::sign(self.key, secret.as_bytes());
        let mac = hex::encode(mac.as_ref().get(..2).unwrap_or_default());
        format!("[masked: {} bytes, {mac}]", secret.len())
    }
}
