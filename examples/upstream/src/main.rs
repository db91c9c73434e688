//! Runs the sample application alone, on loopback: `sample-upstream [PORT]`, 9000 by default.
//! Without a gate in front of it, it believes whatever `X-Auth-*` headers anyone sends.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use sample_upstream::Files;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "a program for the terminal")]
async fn main() -> ExitCode {
    match serve(std::env::args().nth(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sample-upstream: {fault}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
async fn serve(port: Option<String>) -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = match port {
        Some(text) => text.parse().map_err(|_| format!("`{text}` is not a port"))?,
        None => 9000,
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("The sample application listens on http://{}", listener.local_addr()?);
    Ok(sample_upstream::serve(listener, Files::default()).await?)
}
