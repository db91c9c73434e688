//! The bare server: axum on one thread, one handler, no work. With a recorded answer it sends the
//! same headers and body as Portcullis does, so that only the checking is left as a difference; with a
//! key it checks the signature of an access token, and nothing else.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName};
use axum::routing::any;

use crate::http::Answer;
use crate::tokens::check::Checked;

/// Serves until the process is ended. Prints `{"listening":"127.0.0.1:PORT"}` first.
pub(crate) async fn serve(like: Option<&Path>, key: Option<&str>) -> Result<()> {
    let (headers, body) = match like {
        Some(file) => recorded(file)?,
        None => (HeaderMap::new(), Bytes::from_static(b"ok")),
    };
    let app = match key {
        Some(key) => {
            let key = Arc::new(Checked::parse(key)?);
            let answer = move |asked: HeaderMap| async move { (key.answer(&asked), body) };
            Router::new().fallback(any(answer))
        }
        None => Router::new().fallback(any(move || async move { (headers, body) })),
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(&listener.local_addr()?.to_string());
    axum::serve(listener, app).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the line that the benchmark reads")]
pub(crate) fn announce(address: &str) {
    println!("{{\"listening\":\"{address}\"}}");
}

fn recorded(file: &Path) -> Result<(HeaderMap, Bytes)> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let answer = Answer::parse(&bytes)?.context("the recorded answer is cut short")?;
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        // The server sends these of its own accord.
        if !["content-length", "date", "connection"].contains(&name.as_str()) {
            headers.append(name.parse::<HeaderName>()?, value.parse()?);
        }
    }
    Ok((headers, Bytes::from(answer.body)))
}
