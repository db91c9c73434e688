//! Where secrets stand in a line: behind their names, in URLs, in PEM, and tokens that show themselves.
//! In doubt it is one; but what is code and no text in quotes stays to be seen, or whoever writes code
//! could hide it. Every search is linear in the length of the line. Not here: what they are replaced by.

use std::ops::Range;

use super::cursor::{Cursor, closing, is_behind_name, is_of_name, is_quote, shell_word};
use super::keys;
use super::long::LongTexts;
use super::table::Table;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Text stands in quotes; the rest is code. JSON and XML too.
    Code,
    /// As a shell reads it: a word is text.
    Script,
    /// To the end of the line.
    Settings,
    /// The same, and what is indented below it.
    Yaml,
    /// To the end of the line, if there is a `=` or `:`.
    Prose,
}

const CODE: [&str; 36] = [
    "c", "cc", "cjs", "cpp", "cs", "cshtml", "ejs", "erb", "ex", "go", "h", "hbs", "htm", "html",
    "java", "js", "json", "jsp", "jsx", "kt", "lua", "mjs", "php", "phtml", "pl", "pm", "py", "rb",
    "rs", "svelte", "toml", "ts", "tsx", "twig", "vue", "xml",
];
const SCRIPT: [&str; 6] = ["sh", "bash", "zsh", "ksh", "cgi", "fish"];
const PROSE: [&str; 5] = ["md", "markdown", "rst", "adoc", "txt"];

/// A number that may be a secret.
const SHORTEST_NUMBER: usize = 4;
/// A user in a URL without a password who may be a token.
const SHORTEST_USER: usize = 12;

/// What the name of a file ends with, in lower case.
fn ending(path: &[u8]) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let ending = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    if ending.len() == name.len() {
        return String::new();
    }
    String::from_utf8_lossy(ending).to_lowercase()
}

impl Style {
    fn of(ending: &str, text: &str) -> Self {
        match ending {
            "yml" | "yaml" => Self::Yaml,
            _ if CODE.contains(&ending) => Self::Code,
            _ if PROSE.contains(&ending) => Self::Prose,
            _ if SCRIPT.contains(&ending) || text.starts_with("#!") => Self::Script,
            _ => Self::Settings,
        }
    }
}

/// Looks through the lines of one text, one after the other.
pub(super) struct Finder {
    style: Style,
    open: Open,
    long: Option<LongTexts>,
    table: Option<Table>,
    /// The next line says what the columns are.
    is_head: bool,
}

/// What of the lines before goes on.
#[derive(Clone, Copy, Debug)]
enum Open {
    Nothing,
    /// Base64 after the head of a PEM.
    Pem,
    /// A value in quotes.
    Quotes(u8),
    /// A value that is indented further than its name.
    Indented(usize),
    /// The line before ends in a backslash.
    Line,
    /// What is assigned in code; so many brackets are open.
    Brackets(usize),
}

impl Finder {
    /// For the text of a file.
    pub(super) fn of(path: &[u8], text: &str) -> Self {
        let ending = ending(path);
        let style = Style::of(&ending, text);
        // A script may say what it is in its first line alone.
        let is_script = style == Style::Script && ending != "fish";
        let long = LongTexts::of(if is_script { "sh" } else { &ending });
        let is_head = Table::is_one(&ending);
        Self { style, open: Open::Nothing, long, table: None, is_head }
    }

    /// The secrets in the next line, which comes without its end.
    pub(super) fn secrets(&mut self, line: &str) -> Vec<Range<usize>> {
        let mut found = self.columns(line);
        let is_behind = matches!(self.open, Open::Brackets(_));
        let mut cursor = Cursor::new(line);
        if let Some(long) = &mut self.long {
            let (secrets, behind) = long.secrets(line, is_behind);
            found.extend(secrets);
            cursor.at = behind;
        }
        self.go_on(&mut cursor, &mut found);
        while let Some(byte) = cursor.peek() {
            if is_of_name(byte) {
                let start = cursor.at;
                let name = cursor.skip(is_of_name);
                // Where a password is typed there is none.
                let is_type = line.get(..start).is_some_and(|it| it.ends_with("type=\""));
                if !name.ends_with('-') && !is_type && keys::is_secret(name) {
                    self.value(&mut cursor, start, &mut found);
                }
            } else {
                cursor.step();
            }
        }
        self.pem(line, &mut found);
        urls(line, &mut found);
        tokens(line, &mut found);
        found
    }

    /// The columns of a table that hold secrets. Its head holds none.
    fn columns(&mut self, line: &str) -> Vec<Range<usize>> {
        if std::mem::take(&mut self.is_head) {
            self.table = Table::of(line);
            return Vec::new();
        }
        self.table.as_mut().map(|table| table.secrets(line)).unwrap_or_default()
    }

    /// What the lines before have opened.
    fn go_on(&mut self, cursor: &mut Cursor<'_>, found: &mut Vec<Range<usize>>) {
        let line = cursor.line;
        let indent = line.len() - line.trim_start().len();
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Pem => {
                let is_body =
                    line.bytes().all(|byte| is_of_pem(byte) || b" \t\"'`,;".contains(&byte));
                // `Proc-Type: 4,ENCRYPTED` stands in the head of some.
                if is_body || line.contains(": ") {
                    self.open = Open::Pem;
                }
                if !is_body {
                    return;
                }
                cursor.at = line.len();
            }
            Open::Quotes(quote) => {
                cursor.at = closing(line, 0, quote);
                if cursor.peek().is_none() {
                    self.open = Open::Quotes(quote);
                }
                // What a shell computes in a text is no secret, but code.
                let is_read = self.style == Style::Script && quote == b'"';
                if is_read && is_computed(line.get(..cursor.at).unwrap_or_default()) {
                    return;
                }
            }
            Open::Indented(than) => {
                if indent <= than && indent < line.len() {
                    return;
                }
                self.open = Open::Indented(than);
                cursor.at = line.len();
            }
            Open::Line => {
                cursor.at = line.len();
                self.goes_on_below(line, 0);
            }
            Open::Brackets(depth) => return self.texts(cursor, depth, found),
        }
        found.push(indent.min(cursor.at)..cursor.at);
    }

    /// The value behind a name that began at `start`, if there is one. The cursor goes behind it.
    fn value(&mut self, cursor: &mut Cursor<'_>, start: usize, found: &mut Vec<Range<usize>>) {
        let line = cursor.line;
        let is_code = self.style == Style::Code;
        if is_code && line.get(..start).is_some_and(|before| before.ends_with('<')) {
            element(cursor, found);
            return;
        }
        let mut ahead = *cursor;
        let Some(separator) = self.separator(&mut ahead) else { return };
        ahead.skip(|byte| byte.is_ascii_whitespace());
        *cursor = ahead;
        let (at, end) = (cursor.at, line.len());
        cursor.at = match (self.style, cursor.quote) {
            (Style::Settings | Style::Yaml | Style::Prose, _) => {
                self.goes_on_below(line, at);
                if self.style == Style::Yaml {
                    // In quotes the name begins before its first letter.
                    let is_quoted = line.get(..start).is_some_and(|it| it.ends_with(is_quote));
                    self.open = Open::Indented(start - usize::from(is_quoted));
                }
                end
            }
            // The name stands in a text, and so does the value.
            (_, Some(quote)) => closing(line, at, quote),
            (Style::Code, None) => return self.texts(cursor, 0, found),
            (Style::Script, None) if separator == ":" => end,
            (Style::Script, None) => {
                let (end, quote) = shell_word(line, at);
                let is_remark = line.get(..start).is_some_and(|before| before.contains('#'));
                if let Some(quote) = quote.filter(|_| !is_remark) {
                    self.open = Open::Quotes(quote);
                }
                end
            }
        };
        found.push(at..cursor.at);
    }

    /// What stands between a name and its value; `None`: nothing does, so there is no value.
    fn separator(&self, cursor: &mut Cursor<'_>) -> Option<&'static str> {
        let name = *cursor;
        cursor.skip(is_behind_name);
        let mut separator = cursor.operator();
        if separator.is_none() && self.style == Style::Code {
            // A type, or `value` of an element, as in `password string = ""`.
            cursor.skip(is_of_name);
            cursor.skip(is_behind_name);
            separator = cursor.operator().filter(|operator| operator.contains('='));
        }
        let is_script = matches!(self.style, Style::Code | Style::Script);
        // Of what is passed to a function, texts alone are values.
        let is_value = match separator {
            None => false,
            Some("," | "(") => is_script && cursor.rest().trim_start().starts_with(is_quote),
            Some(_) => true,
        };
        match self.style {
            _ if is_value => separator,
            Style::Settings | Style::Script => {
                *cursor = name;
                cursor.space()
            }
            Style::Code | Style::Yaml | Style::Prose => None,
        }
    }

    /// What is in quotes, to the end of what is assigned or passed; `depth` brackets are open.
    fn texts(&mut self, cursor: &mut Cursor<'_>, mut depth: usize, found: &mut Vec<Range<usize>>) {
        while let Some(byte) = cursor.peek() {
            let at = cursor.at;
            match byte {
                b'"' | b'\'' | b'`' => {
                    let end = closing(cursor.line, at + 1, byte);
                    found.push(at + 1..end);
                    cursor.at = (end + 1).min(cursor.line.len());
                    continue;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth > 0 => depth -= 1,
                b')' | b']' | b'}' => return,
                b',' | b';' if depth == 0 => return,
                _ if is_of_name(byte) => {
                    let word = cursor.skip(is_of_name);
                    if byte.is_ascii_digit() && word.len() >= SHORTEST_NUMBER {
                        found.push(at..cursor.at);
                    }
                    continue;
                }
                _ => {}
            }
            cursor.at += 1;
        }
        let line = cursor.line.trim_end();
        if depth > 0 || line.ends_with(['=', '+', '.', '\\']) || line.ends_with("=>") {
            self.open = Open::Brackets(depth);
        }
    }

    /// Whether a value in the settings has no end on its line.
    fn goes_on_below(&mut self, line: &str, at: usize) {
        let value = line.get(at..).unwrap_or_default();
        let quote = value.bytes().next().filter(|byte| is_quote(char::from(*byte)));
        match quote {
            Some(quote) if closing(line, at + 1, quote) == line.len() => {
                self.open = Open::Quotes(quote);
            }
            _ if value.ends_with('\\') => self.open = Open::Line,
            _ => {}
        }
    }

    /// Base64 behind the head of a PEM, on this line and on those below.
    fn pem(&mut self, line: &str, found: &mut Vec<Range<usize>>) {
        const HEAD: &str = "-----BEGIN ";
        let mut at = 0;
        while let Some(head) = line.get(at..).and_then(|rest| rest.find(HEAD)) {
            let label = at + head + HEAD.len();
            let rest = line.get(label..).unwrap_or_default();
            let body = label + rest.find("-----").map_or(rest.len(), |length| length + 5);
            let mut cursor = Cursor { at: body, ..Cursor::new(line) };
            cursor.skip(is_of_pem);
            found.push(body..cursor.at);
            let is_open = !cursor.rest().starts_with("-----END");
            if is_open && matches!(self.open, Open::Nothing) {
                self.open = Open::Pem;
            }
            at = cursor.at;
        }
    }
}

/// Whether a shell runs something in a text.
fn is_computed(text: &str) -> bool {
    text.contains("$(") || text.contains('`')
}

fn is_of_pem(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\')
}

/// The content of an element in whose name the cursor stands.
fn element(cursor: &mut Cursor<'_>, found: &mut Vec<Range<usize>>) {
    let rest = cursor.rest();
    let Some(length) = rest.find(['<', '>']).filter(|at| rest.as_bytes().get(*at) == Some(&b'>'))
    else {
        return;
    };
    let start = cursor.at + length + 1;
    let content = cursor.line.get(start..).unwrap_or_default();
    let end = start + content.find('<').unwrap_or(content.len());
    found.push(start..end);
    cursor.at = end;
}

/// Passwords in `scheme://user:password@host`, and long users without one, which are tokens.
fn urls(line: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(scheme) = line.get(at..).and_then(|rest| rest.find("://")) {
        let start = at + scheme + 3;
        let rest = line.get(start..).unwrap_or_default();
        let is_end = |character: char| {
            character.is_whitespace() || is_quote(character) || matches!(character, '<' | '>')
        };
        let run = rest.get(..rest.find(is_end).unwrap_or(rest.len())).unwrap_or_default();
        at = start + run.len();
        let Some(end) = run.rfind('@') else { continue };
        let user = run.get(..end).unwrap_or_default();
        match user.find(':') {
            Some(colon) => found.push(start + colon + 1..start + end),
            None if user.len() >= SHORTEST_USER && !user.contains('/') => {
                found.push(start..start + end);
            }
            None => {}
        }
    }
}

/// Tokens, wherever they stand.
fn tokens(line: &str, found: &mut Vec<Range<usize>>) {
    let mut cursor = Cursor::new(line);
    while let Some(byte) = cursor.peek() {
        let start = cursor.at;
        if !is_of_name(byte) {
            cursor.at += 1;
        } else if keys::is_token(cursor.skip(is_of_name)) {
            found.push(start..cursor.at);
        }
    }
}
