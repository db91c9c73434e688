//! What files are and why they are not looked at, as people read it: in alerts, on pages and at the command
//! line.

use portcullis_integrity::Content;
use portcullis_integrity::path::show;

/// What there is, in words that go on.
pub fn what(content: &Content) -> String {
    match content {
        Content::File { size, .. } => format!("a file of {size} bytes"),
        Content::Folder => "a folder".to_owned(),
        Content::Link { target } => format!("a link to {}", show(target)),
        Content::Pipe => "a pipe".to_owned(),
        Content::Socket => "a socket".to_owned(),
        Content::CharacterDevice { major, minor } | Content::BlockDevice { major, minor } => {
            format!("a device {major}:{minor}")
        }
    }
}

/// Why there is no difference to show, or something could not be checked, as a sentence.
pub fn why_not(word: &str) -> &'static str {
    match word {
        "binary" => "It is no text, so there are no lines to show.",
        "too_large" => "It is larger than what is read, or too much of it differs.",
        "nodiff" => "What stands in this file is secret, so only its lines were counted.",
        "not_stored" => {
            "No copy of the good file was kept: copies are of text, as far as there is room \
             (integrity.copies)."
        }
        "quota" => "There was no room left for differences (integrity.copies).",
        "permission" | "denied" => "The server may not read it.",
        "encoding" => "Its letters are in no encoding that is known.",
        "changed_again" => "It was another one again before it could be compared.",
        "not_a_file" => "It is, or was, no file.",
        "unreadable" => {
            "It cannot be read: the disk gave an error, or server.secret was another one."
        }
        "root_unavailable" => {
            "The folder of its root cannot be opened, or most of what ought to be in it is gone."
        }
        "not_watched" => "The configuration does not watch its root any more.",
        "unstable" => "It changed again and again while it was read.",
        "other_file_system" => "Another file system is mounted there.",
        "too_deep" => "Folders stand in each other deeper than anybody makes on purpose.",
        "too_many" => "There are more names in the folder than are kept in memory.",
        "slow" => "It could not be read or compared in time.",
        "holes" => "The files have more holes in them than are worth reading.",
        "unseen" => "It is there, and the check did not come by it.",
        _ => "There is nothing to show.",
    }
}
