//! `auditor BUNDLE KEY`: checks a bundle of `portcullis audit export` with the key of its log. Exit
//! code 0 if all is in order, 1 if something is not, 2 if it was called otherwise.

use std::path::Path;
use std::process::ExitCode;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, key] = &arguments[..] else {
        eprintln!("auditor BUNDLE KEY");
        return ExitCode::from(2);
    };
    match auditor::audit(Path::new(bundle), key.trim()) {
        Ok(audited) => {
            println!("{}: all {} entries are in order", audited.origin, audited.size);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("auditor: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
