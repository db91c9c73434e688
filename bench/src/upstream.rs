//! The application behind the gate: small answers, and bodies of any length in both directions.
//! It runs on the load generator's core, and what it costs is not counted.

use std::net::Ipv4Addr;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::{StreamExt as _, stream};

use crate::yardstick::announce;

/// Answers with [`LENGTH`] bytes.
pub(crate) const DOWN: &str = "/down";
/// Reads what it is sent and answers with the number of bytes.
pub(crate) const UP: &str = "/up";
/// Of one body: 1 GiB.
pub(crate) const LENGTH: u64 = 1 << 30;
/// Of one piece of it.
pub(crate) const PIECE: usize = 64 * 1024;

/// Serves until the process is ended. Prints `{"listening":"127.0.0.1:PORT"}` first.
pub(crate) async fn serve() -> Result<()> {
    let app = Router::new().fallback(any(answer));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(&listener.local_addr()?.to_string());
    axum::serve(listener, app).await?;
    Ok(())
}

async fn answer(request: Request) -> Response {
    match request.uri().path() {
        DOWN => down(),
        UP => up(request.into_body()).await,
        _ => Bytes::from_static(b"ok").into_response(),
    }
}

fn down() -> Response {
    static ZEROS: [u8; PIECE] = [0; PIECE];
    let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&ZEROS));
    let pieces = usize::try_from(LENGTH).unwrap_or_default() / PIECE;
    let body = Body::from_stream(stream::iter((0..pieces).map(move |_| piece())));
    ([(CONTENT_LENGTH, LENGTH.to_string())], body).into_response()
}

async fn up(body: Body) -> Response {
    let mut pieces = body.into_data_stream();
    let mut length = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        length += piece.len();
    }
    length.to_string().into_response()
}
