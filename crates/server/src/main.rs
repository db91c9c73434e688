//! The binary: parse the command and run it. Everything else is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    portcullis_server::cli::run(std::env::args_os()).await
}
