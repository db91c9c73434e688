//! A new password from the standard input, so that it is in no list of processes and in no history
//! of a shell: read, judged by the policy, and hashed here, since this process does nothing else.

use std::io::{self, BufRead, IsTerminal as _};
use std::process::ExitCode;

use portcullis_domain::origin::Origin;
use portcullis_domain::password::{MAX_BYTES, PolicyFault};
use zeroize::Zeroizing;

use super::super::open::Opened;
use super::super::output::Output;
use crate::breach::Breach;
use crate::clock::Clock;
use crate::config::Config;
use crate::flows::breach::Sources;
use crate::flows::new_password::{Judge, NewPassword, Person};

/// The password that comes, or the exit code of what has been said about it. What is wrong with it by itself is
/// told before anything is opened.
pub(super) fn from_stdin(
    config: &Config,
    whose: &Person<'_>,
    output: Output,
) -> anyhow::Result<Result<Zeroizing<String>, ExitCode>> {
    let text = match typed(output) {
        Ok(text) => text,
        Err(unread) => return Ok(Err(output.refuse("password_refused", &unread.to_string()))),
    };
    let place = config.server.public_url_at(config.server.listen);
    let (clock, breach) = (Clock::system(), Breach::new(&config.breach)?);
    let faults = judge(config, &breach, &clock, &place);
    let faults = faults.faults(&text, config.password.min_length, whose);
    Ok(if faults.is_empty() { Ok(text) } else { Err(refused(&faults, output)) })
}

/// The hash of a password that is accepted for somebody, or the exit code of what has been said about it.
pub(super) async fn accept(
    on: &Opened,
    text: &str,
    whose: &Person<'_>,
    output: Output,
) -> anyhow::Result<Result<NewPassword, ExitCode>> {
    let breach = Breach::of_command(&on.config.breach)?;
    let judge = judge(&on.config, &breach, &on.clock, &on.public_url);
    let accepted = match judge.accept(text, judge.lengths.alone, whose).await {
        Ok(accepted) => accepted,
        Err(faults) => return Ok(Err(refused(&faults, output))),
    };
    if accepted.is_deferred() {
        output.note(
            "Not all who know breached passwords answered: it will be looked up at a sign-in.",
        );
    }
    Ok(Ok(accepted.hash_here(&on.config.password.argon2, &on.random.bytes())?))
}

/// Who judges new passwords, as a configuration has it.
pub(in crate::cli) fn judge<'a>(
    config: &'a Config,
    breach: &'a Breach,
    clock: &'a Clock,
    place: &'a Origin,
) -> Judge<'a> {
    let sources = Sources { config: &config.breach, breach, clock };
    Judge { lengths: config.password.lengths(), sources, place }
}

fn refused(faults: &[PolicyFault], output: Output) -> ExitCode {
    let told = faults.iter().map(|fault| format!("The password {fault}."));
    output.refuse("password_refused", &told.collect::<Vec<_>>().join(" "))
}

/// The password that comes. At a terminal somebody is asked for it.
pub(in crate::cli) fn typed(output: Output) -> Result<Zeroizing<String>, Unread> {
    if io::stdin().is_terminal() {
        output.note("Type the password and press Enter. It will be visible.");
    }
    first_line(io::stdin().lock())
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Unread {
    #[error("No password came: it is the first line of the standard input.")]
    Empty,
    #[error("The password {}.", PolicyFault::TooLong)]
    TooLong,
    #[error("The password is not UTF-8 text.")]
    NotText,
    #[error("The standard input cannot be read: {0}.")]
    Input(#[from] io::Error),
}

/// The first line without its line end. What follows is not read as a password.
fn first_line(input: impl BufRead) -> Result<Zeroizing<String>, Unread> {
    /// The longest password with its line end.
    const MOST: usize = MAX_BYTES + "\r\n".len();
    // Never grows, so that no copy is left behind.
    let mut line = Zeroizing::new(Vec::with_capacity(MOST));
    input.take(MOST as u64).read_until(b'\n', &mut line)?;
    let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(Unread::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(Unread::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        let check = |input: &[u8], expected: Option<&str>| {
            let read = first_line(input).ok();
            assert_eq!(read.as_deref().map(String::as_str), expected, "{input:?}");
        };
        check(b"secret", Some("secret"));
        check(b"secret\n", Some("secret"));
        check(b"secret\r\n", Some("secret"));
        check(b"secret\nmore\n", Some("secret"));
        check(b"  a b \n", Some("  a b "));
        check("p\u{e4}ss\n".as_bytes(), Some("p\u{e4}ss"));
        check(b"", None);
        check(b"\n", None);
        check(b"\r\n", None);
        check(b"\nsecret\n", None);
        check(b"\xff\xfe\n", None);
    }

    #[test]
    fn the_longest_password_fits_with_its_line_end() {
        let check = |length: usize, end: &str, good: bool| {
            let input = "x".repeat(length) + end;
            assert_eq!(first_line(input.as_bytes()).is_ok(), good, "{length} {end:?}");
        };
        for end in ["", "\n", "\r\n"] {
            check(MAX_BYTES, end, true);
            check(MAX_BYTES + 1, end, false);
            check(1_000_000, end, false);
        }
    }
}
