//! The table of keys as text: a configuration to start from, and the handbook's reference.

use super::keys::{Default, Key, Section};
use super::table::{SECTIONS, TABLES};

/// A TOML file with every key at its default, each explained; a key without a fixed default is
/// commented out.
pub fn sample() -> String {
    let sections = SECTIONS.iter().map(|section| sample_section(section, "[", "]"));
    let tables = TABLES.map(|section| sample_section(section, "# [[", "]]"));
    let parts: Vec<String> = [comment(HEAD)].into_iter().chain(sections).chain(tables).collect();
    parts.join("\n\n")
}

/// The reference of all keys in Markdown: a heading and a table for each section.
pub fn reference() -> String {
    let sections: Vec<String> = SECTIONS.iter().chain(TABLES).map(section_reference).collect();
    sections.join("\n")
}

const HEAD: &str = "The configuration of Portcullis: every key at its default. Each can also be set \
    in the environment, which wins, as PORTCULLIS__SECTION__KEY, with lists separated by commas. \
    `portcullis config check` lists every fault of a configuration.";

fn sample_section(section: &Section, open: &str, close: &str) -> String {
    let keys: String = section.keys.iter().map(sample_key).collect();
    format!("{}{open}{}{close}\n{keys}", comment(section.doc), section.name)
}

/// One key with its explanation.
fn sample_key(key: &Key) -> String {
    let explained = comment(&format!("{} Accepted: {}.", key.doc, key.accepted));
    match key.default {
        Default::Is(text) => format!("\n{explained}{} = {}\n", key.name, key.toml(text)),
        Default::Follows { words, example } => {
            let words = comment(&format!("Default: {words}."));
            format!("\n{explained}{words}# {} = {example}\n", key.name)
        }
        Default::Required { example } => format!("\n{explained}# {} = {example}\n", key.name),
    }
}

/// A text as TOML comment lines of up to 100 columns.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        let fits = lines.last().is_some_and(|line| line.len() + 1 + word.len() <= 100);
        if !fits {
            lines.push(String::from("#"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

fn section_reference(section: &Section) -> String {
    let rows: String = section.keys.iter().map(reference_row).collect();
    format!(
        "## [{}]\n\n{}\n\n| Key | Default | Accepted | Meaning |\n|---|---|---|---|\n{rows}",
        section.name, section.doc
    )
}

fn reference_row(key: &Key) -> String {
    let default = match key.default {
        Default::Is(text) => format!("`{}`", key.toml(text)),
        Default::Follows { words, .. } => words.to_owned(),
        Default::Required { .. } => "must be written".to_owned(),
    };
    let file = if key.secret {
        format!(" The value may stand in a file of its own, named by `{}_file`.", key.name)
    } else {
        String::new()
    };
    format!("| `{}` | {default} | {} | {}{file} |\n", key.name, key.accepted, key.doc)
}
