//! The binary: parse the command and run it. Everything else is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tokio::runtime::Builder;

/// Many small pieces that live long beside many that do not: the system's allocator spends a tenth of
/// a check on them (decision 0020).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // On one core a second thread would only pass work to and fro.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runtime = match cores {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(portcullis_server::cli::run(std::env::args_os())),
        Err(error) => {
            portcullis_server::cli::output::error(&format!("no threads can be started: {error}"));
            ExitCode::from(portcullis_server::cli::UNREACHABLE)
        }
    }
}
