//! What a rule may ask for beyond path and change, each as a function of the facts. Not here: how bad it is.

use std::path::{Component, Path, PathBuf};

use super::Facts;
use crate::path::as_path;
use crate::{Content, Entry, Is, Outline, Owner, Type, Why};

/// Endings of what a server or a person runs, reads in as code, or is run by.
const CODE: [&str; 52] = [
    "php", "phtml", "phar", "pht", "php3", "php4", "php5", "php7", "php8", "phps", "shtml", "jsp",
    "jspx", "jspf", "jar", "war", "class", "asp", "aspx", "ashx", "asmx", "cfm", "py", "pyc",
    "pyw", "rb", "js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx", "node", "pl", "pm", "cgi",
    "fcgi", "lua", "tcl", "sh", "bash", "zsh", "ksh", "fish", "so", "dll", "exe", "bat", "cmd",
    "ps1",
];
/// Endings that some servers take for code in the middle of a name as well, as in `cat.php.jpg`.
const CODE_ANYWHERE: [&str; 11] =
    ["php", "phtml", "phar", "pht", "php3", "php4", "php5", "php7", "php8", "jsp", "asp"];
/// Files that decide what a server runs in the folder they lie in.
const SWITCHES: [&str; 3] = [".htaccess", ".user.ini", "web.config"];
/// How files begin that are run.
const BEGINNINGS: [&[u8]; 3] = [b"\x7fELF", b"#!", b"MZ"];
/// How a page of PHP begins, which may stand right behind the mark of a picture.
const PHP: &[u8] = b"<?php";
const PHP_SHORT: &[u8] = b"<?=";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const EXECUTE: u16 = 0o111;
const SET_ID: u16 = 0o6000;
const WORLD_WRITABLE: u16 = 0o002;

/// It is, or was, a file that is run: by its rights, its name, or how it begins.
pub(super) fn is_executable(facts: &Facts<'_>) -> bool {
    let shape = shape(facts);
    // Where a link leads, what it is called decides whether it is run.
    let may_be_run = shape.is_none_or(|Shape { kind, .. }| matches!(kind, Type::File | Type::Link));
    may_be_run && (is_runnable(shape) || is_code(facts) || begins_as_code(facts))
}

/// Its name alone says that it is run.
pub(super) fn is_code_by_name(facts: &Facts<'_>) -> bool {
    is_code(facts) && !is_runnable(shape(facts)) && !begins_as_code(facts)
}

/// It is run, or decides what is.
pub(super) fn is_live(facts: &Facts<'_>) -> bool {
    let is_switch = |name: &&str| file_name(facts).eq_ignore_ascii_case(name.as_bytes());
    is_executable(facts) || SWITCHES.iter().any(is_switch)
}

/// A file or a folder without any power, as people upload them.
pub(super) fn is_harmless(facts: &Facts<'_>) -> bool {
    let is_plain =
        now(facts).is_some_and(|Shape { kind, .. }| matches!(kind, Type::File | Type::Folder));
    is_plain && !is_live(facts) && !gained_set_id(facts) && !gained_attributes(facts)
}

/// Nothing says what it was, or it was a folder or something that is run.
pub(super) fn is_in_the_dark(facts: &Facts<'_>) -> bool {
    let is_one = |was: &Entry| was.content == Content::Folder || is_runnable(Some(Shape::of(was)));
    facts.finding.was.as_ref().is_none_or(is_one) || is_executable(facts)
}

/// It is a file that is run, and it is new, or has another size than it ought to have.
pub(super) fn is_unread_and_executable(facts: &Facts<'_>) -> bool {
    let size = match &facts.finding.is {
        Is::Unverifiable { outline: Some(outline), .. } => outline.state.map(|state| state.size),
        Is::Unverifiable { outline: None, .. } | Is::There(_) | Is::Gone => None,
    };
    let is_another = facts.finding.was.as_ref().is_none_or(|was| {
        matches!(was.content, Content::File { size: before, .. } if size.is_some_and(|size| size != before))
    });
    is_another && is_executable(facts)
}

/// A folder that is closed because of what somebody made in it.
pub(super) fn is_unlisted(facts: &Facts<'_>) -> bool {
    matches!(facts.finding.is, Is::Unverifiable { why: Why::TooDeep | Why::TooMany, .. })
}

pub(super) fn is_device(facts: &Facts<'_>) -> bool {
    let is_device = |kind| matches!(kind, Type::CharacterDevice | Type::BlockDevice);
    now(facts).is_some_and(|is| is_device(is.kind))
}

pub(super) fn is_folder(facts: &Facts<'_>) -> bool {
    shape(facts).is_some_and(|shape| shape.kind == Type::Folder)
}

/// It is of another type than it was.
pub(super) fn is_of_another_type(facts: &Facts<'_>) -> bool {
    let was = facts.finding.was.as_ref();
    was.zip(now(facts)).is_some_and(|(was, is)| was.content.kind() != is.kind)
}

/// A file runs as its owner or group now. On a folder the bit means something else.
pub(super) fn gained_set_id(facts: &Facts<'_>) -> bool {
    now(facts).is_some_and(is_file) && gained(facts, SET_ID)
}

/// Capabilities or access lists of a file that it had not, or had not so.
pub(super) fn gained_attributes(facts: &Facts<'_>) -> bool {
    let had = facts.finding.was.as_ref().and_then(|was| was.attributes);
    entry(facts).is_some_and(|is| {
        is.content.kind() == Type::File && is.attributes.is_some() && is.attributes != had
    })
}

/// A file that nobody could run can be run now.
pub(super) fn gained_execution(facts: &Facts<'_>) -> bool {
    let could_not = facts.finding.was.as_ref().is_some_and(|was| was.mode & EXECUTE == 0);
    is_runnable(now(facts)) && could_not
}

/// Everybody may write to it now.
pub(super) fn gained_writers(facts: &Facts<'_>) -> bool {
    let is_link = now(facts).is_some_and(|is| is.kind == Type::Link);
    gained(facts, WORLD_WRITABLE) && !is_link
}

pub(super) fn gained_writers_and_is_executable(facts: &Facts<'_>) -> bool {
    gained_writers(facts) && is_executable(facts)
}

pub(super) fn has_another_owner(facts: &Facts<'_>) -> bool {
    let was = facts.finding.was.as_ref().and_then(|was| was.owner);
    was.is_some_and(|was| owner(facts).is_some_and(|is| is != was))
}

/// A link that leads out of the root, or may: a `..` behind a name cannot be told without following it.
pub(super) fn escapes(facts: &Facts<'_>) -> bool {
    let Some(Entry { content: Content::Link { target }, path, .. }) = entry(facts) else {
        return false;
    };
    let folder = facts.root.join(as_path(path).parent().unwrap_or(Path::new("")));
    // An absolute target takes the place of the folder.
    leads_to(&folder, as_path(target)).is_none_or(|to| !to.starts_with(facts.root))
}

fn leads_to(folder: &Path, target: &Path) -> Option<PathBuf> {
    let (mut to, mut is_named) = (folder.to_path_buf(), false);
    for component in target.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => to = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir if is_named => return None,
            Component::ParentDir => {
                to.pop();
            }
            Component::Normal(name) => {
                to.push(name);
                is_named = true;
            }
        }
    }
    Some(to)
}

/// What is known of a path even if it could not be checked.
#[derive(Clone, Copy)]
struct Shape {
    kind: Type,
    mode: u16,
}

impl Shape {
    fn of(entry: &Entry) -> Self {
        Self { kind: entry.content.kind(), mode: entry.mode }
    }
}

/// As it is now.
fn now(facts: &Facts<'_>) -> Option<Shape> {
    match &facts.finding.is {
        Is::There(entry) => Some(Shape::of(entry)),
        Is::Unverifiable { outline, .. } => {
            outline.map(|Outline { kind, mode, .. }| Shape { kind, mode })
        }
        Is::Gone => None,
    }
}

/// As it is now, or else as it was.
fn shape(facts: &Facts<'_>) -> Option<Shape> {
    now(facts).or(facts.finding.was.as_ref().map(Shape::of))
}

/// All of what is there now, which was checked.
fn entry<'f>(facts: &Facts<'f>) -> Option<&'f Entry> {
    match &facts.finding.is {
        Is::There(entry) => Some(entry),
        Is::Gone | Is::Unverifiable { .. } => None,
    }
}

/// Whose it is now.
fn owner(facts: &Facts<'_>) -> Option<Owner> {
    match &facts.finding.is {
        Is::There(entry) => entry.owner,
        Is::Unverifiable { outline, .. } => outline.map(|outline| outline.owner),
        Is::Gone => None,
    }
}

fn is_file(shape: Shape) -> bool {
    shape.kind == Type::File
}

fn is_runnable(shape: Option<Shape>) -> bool {
    shape.is_some_and(|shape| is_file(shape) && shape.mode & EXECUTE != 0)
}

/// Whether it has a bit now that it had not.
fn gained(facts: &Facts<'_>, bits: u16) -> bool {
    let had = facts.finding.was.as_ref().map_or(0, |was| was.mode);
    now(facts).is_some_and(|is| is.mode & !had & bits != 0)
}

fn is_code(facts: &Facts<'_>) -> bool {
    let is_one_of = |endings: &[&str], ending: &[u8]| {
        endings.iter().any(|one| ending.eq_ignore_ascii_case(one.as_bytes()))
    };
    let mut endings = file_name(facts).split(|byte| *byte == b'.').skip(1);
    let is_last_code = endings.clone().last().is_some_and(|ending| is_one_of(&CODE, ending));
    is_last_code || endings.any(|ending| is_one_of(&CODE_ANYWHERE, ending))
}

fn begins_as_code(facts: &Facts<'_>) -> bool {
    let bytes = facts.finding.begins.bytes();
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    BEGINNINGS.iter().any(|how| bytes.starts_with(how))
        || bytes.windows(PHP.len()).any(|part| part.eq_ignore_ascii_case(PHP))
        || text.starts_with(PHP_SHORT)
}

fn file_name<'f>(facts: &Facts<'f>) -> &'f [u8] {
    facts.finding.path().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
