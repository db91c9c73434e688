//! A million bad tokens, no two alike, and what the server keeps of them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use portcullis_domain::access_token::{Claims, encode};
use tokio::task::LocalSet;

use super::forge::{Forge, line};
use crate::http::{Connection, Wanted, request};
use crate::load::CONNECTIONS;
use crate::million::database::scattered;
use crate::portcullis::{ME, Portcullis};
use crate::process::{forget_peak, memory_mb, peak_mb};
use crate::report::{Figure, Findings};
use crate::run::say;

const BAD: u64 = 1_000_000;
/// Sent before memory is measured, so that what every server needs to refuse anything is there.
const FIRST: u64 = 20_000;
const OWED_MB: f64 = 8.0;

/// On a server that has seen no token before.
pub(super) async fn measure(
    gate: &Portcullis,
    forge: &Arc<Forge>,
    findings: &mut Findings,
) -> Result<()> {
    let (server, _) = gate.start().await?;
    let next = Rc::new(Cell::new(0));
    refused(server.address, forge, &next, FIRST).await?;
    let before = memory_mb(server.pid)?;
    forget_peak(server.pid)?;
    say("A million bad access tokens");
    refused(server.address, forge, &next, FIRST + BAD).await?;
    let (after, most) = (memory_mb(server.pid)?, peak_mb(server.pid)?);
    let figures = &mut findings.figures;
    figures.push(Figure::told("memory before a million bad access tokens", before));
    figures.push(Figure::told("memory after a million bad access tokens", after));
    let name = "the most memory meanwhile, over what was before";
    figures.push(Figure::below(name, most - before, OWED_MB, "MB"));
    server.stop().await
}

/// Sends bad tokens up to this number.
async fn refused(
    address: SocketAddr,
    forge: &Arc<Forge>,
    next: &Rc<Cell<u64>>,
    until: u64,
) -> Result<()> {
    let tasks = LocalSet::new();
    let sending: Vec<_> = (0..CONNECTIONS)
        .map(|_| tasks.spawn_local(send_next(address, Arc::clone(forge), Rc::clone(next), until)))
        .collect();
    tasks.await;
    for each in sending {
        each.await.context("a task of the load generator")??;
    }
    Ok(())
}

async fn send_next(
    address: SocketAddr,
    forge: Arc<Forge>,
    next: Rc<Cell<u64>>,
    until: u64,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    loop {
        let number = next.get();
        if number >= until {
            return Ok(());
        }
        next.set(number + 1);
        let token = token(&forge, number)?;
        let asked = request("GET", ME, &line(&token), "");
        let status = connection.ask_briefly(&asked, Wanted::Nothing).await?.status;
        ensure!(status == 401, "a bad token was answered {status}: {token}");
    }
}

/// Of four kinds: signed by nobody, by a key that nobody knows, changed after it was signed, and good but
/// over.
fn token(forge: &Forge, number: u64) -> Result<String> {
    let told = forge.claims();
    let claims = Claims { role: format!("role {number}"), ..told.clone() };
    let said = encode(&serde_json::to_vec(&claims)?);
    match number % 4 {
        0 => {
            let signature: Vec<u8> =
                (0..8).flat_map(|at| scattered(number * 8 + at).to_be_bytes()).collect();
            Ok(format!("{}.{said}.{}", forge.header(), encode(&signature)))
        }
        1 => {
            let kid = encode(&scattered(number).to_be_bytes());
            let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
            Ok(format!("{}.{said}.{}", encode(header.as_bytes()), encode(&[7; 64])))
        }
        2 => {
            let signed = forge.sign(told)?;
            let (_, signature) = signed.rsplit_once('.').context("no signature")?;
            Ok(format!("{}.{said}.{signature}", forge.header()))
        }
        _ => {
            let (iat, nbf, exp) = (told.iat - 90_000, told.nbf - 90_000, told.exp - 90_000);
            forge.sign(&Claims { iat, nbf, exp, ..claims })
        }
    }
}
