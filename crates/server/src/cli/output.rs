//! What commands print. Results go to the standard output, whole and for one reader: a sentence
//! or a table for people, JSON for machines. Everything else goes to the standard error.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use comfy_table::{Table, presets};
use portcullis_domain::text::visible;
use serde::Serialize;
use serde_json::json;
use tracing::level_filters::LevelFilter;

use super::{DONE, FORGED, REFUSED, UNREACHABLE, USAGE};

/// Who reads the output of one command.
#[derive(Clone, Copy)]
pub enum Output {
    Person,
    Machine,
}

impl Output {
    /// As `--json` says.
    pub fn new(json: bool) -> Self {
        if json { Self::Machine } else { Self::Person }
    }

    /// The result of a command: `value` on one line, or the sentence.
    pub fn done(self, value: &impl Serialize, sentence: &str) -> anyhow::Result<ExitCode> {
        match self {
            Self::Person => print(sentence)?,
            Self::Machine => print(&serde_json::to_string(value)?)?,
        }
        Ok(ExitCode::from(DONE))
    }

    /// A list: `value` on one line, or a table.
    pub fn list<const N: usize>(
        self,
        value: &impl Serialize,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> anyhow::Result<ExitCode> {
        match self {
            Self::Person => print(&table(header, rows))?,
            Self::Machine => print(&serde_json::to_string(value)?)?,
        }
        Ok(ExitCode::from(DONE))
    }

    /// A remark that is no part of the result; machines do not get it.
    pub fn note(self, sentence: &str) {
        match self {
            Self::Person => to_stderr(sentence),
            Self::Machine => {}
        }
    }

    /// How far long work is, in the place of what was said of it before. Only a person at a
    /// terminal gets it.
    pub fn progress(self, text: &str) {
        let is_watched = matches!(self, Self::Person) && io::stderr().is_terminal();
        if is_watched {
            drop(write!(io::stderr().lock(), "\r\x1b[2K{text}"));
        }
    }

    /// The command was understood and is not carried out. `code` is a stable word.
    pub fn refuse(self, code: &str, sentence: &str) -> ExitCode {
        self.told(code, sentence);
        ExitCode::from(REFUSED)
    }

    /// What the command needs cannot be reached. `code` is a stable word.
    pub fn unreachable(self, code: &str, sentence: &str) -> ExitCode {
        self.told(code, sentence);
        ExitCode::from(UNREACHABLE)
    }

    /// What the command was given cannot be meant. `code` is a stable word.
    pub fn misused(self, code: &str, sentence: &str) -> ExitCode {
        self.told(code, sentence);
        ExitCode::from(USAGE)
    }

    /// What was given is not what was signed. `code` is a stable word.
    pub fn forged(self, code: &str, sentence: &str) -> ExitCode {
        self.told(code, sentence);
        ExitCode::from(FORGED)
    }

    fn told(self, code: &str, sentence: &str) {
        match self {
            Self::Person => to_stderr(sentence),
            Self::Machine => to_stderr(&json!({ "code": code, "error": sentence }).to_string()),
        }
    }
}

/// Prints a result that is the same for everybody, with a line end.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever read it has read enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| anyhow::anyhow!(error).context("cannot print")),
    }
}

/// Prints a part of a long result as it is; `false` if whoever reads has read enough.
pub fn print_part(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => {
            written.map_err(|error| anyhow::anyhow!(error).context("cannot print"))?;
            Ok(true)
        }
    }
}

/// Prints a long result as it comes. Whoever reads may have read enough before its end.
pub fn print_with(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| anyhow::anyhow!(error).context("cannot print")),
    }
}

/// Says why a command failed.
pub fn error(text: &str) {
    to_stderr(&format!("error: {text}"));
}

/// Says what is wrong with the arguments, or prints the help or the version that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE)),
        Err(_) => ExitCode::from(USAGE),
    }
}

/// Lets warnings and errors of the log appear on the standard error.
pub fn log_trouble() {
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .with_target(false);
    // Somebody else may have set up the log of this process; then that one is good enough.
    drop(log.try_init());
}

/// A table for people.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    // What people and clients call themselves moves no cursor.
    let rows = rows.into_iter().map(|cells| cells.map(|cell| visible(&cell)));
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED).set_header(header).add_rows(rows);
    table.trim_fmt()
}

/// Where even that cannot be written, there is nobody left to tell.
fn to_stderr(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
