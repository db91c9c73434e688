//! A baseline as a file for a while: from the store, with its signature checked, for a scan to run along;
//! and from a scan into the store. The file has no name, so nobody else can change it.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::audit::note::{self, VerifierKey};
use portcullis_domain::id::UserId;
use portcullis_domain::integrity::Origin;
use portcullis_integrity::Digest;
use portcullis_integrity::manifest::{Body, Fault as ManifestFault, Head, Lines, Manifest};
use portcullis_store::Tx;
use portcullis_store::integrity::baselines::{self, Baseline, NewBaseline};

use super::{Fault, Monitor};

/// So many parts are read at once.
const SLICE: i64 = 64;
/// A part ends at the latest after so many lines.
const LONGEST_PART: usize = 4096;

/// A baseline whose head is as it was signed, and is of its root. Its lines are proved when the last of
/// them was read.
pub(super) struct Spooled {
    /// Patterns of what it says nothing of.
    pub(super) exclude: Vec<String>,
    file: File,
    /// Where the lines begin.
    at: u64,
}

/// Why a baseline of the store is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// It is not signed by this server.
    Signature,
    /// It cannot be read, or its lines are not those that were signed.
    Lines,
}

/// Lines of a baseline in a file, and nothing else.
pub(super) type Written = Body<BufWriter<File>>;

impl Spooled {
    /// The lines, from the first.
    pub(super) fn lines(&self) -> Result<Lines<BufReader<File>>, ManifestFault> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Manifest::open(BufReader::with_capacity(256 * 1024, file))?.lines)
    }

    /// The lines as bytes, from the first.
    pub(super) fn raw(&self) -> std::io::Result<BufReader<File>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(BufReader::new(file))
    }
}

/// Fetches a baseline from the store.
pub(super) async fn fetch(
    monitor: &Monitor<'_>,
    baseline: &Baseline,
) -> Result<Result<Spooled, Invalid>, Fault> {
    let verifier = monitor.keys.watch.signer()?.verifier().clone();
    if note::open(&baseline.note, &verifier).is_err() {
        return Ok(Err(Invalid::Signature));
    }
    let mut file = BufWriter::new(tempfile::tempfile_in(monitor.data_dir)?);
    writeln!(file, "{}", baseline.note)?;
    let at = u64::try_from(baseline.note.len()).unwrap_or(u64::MAX) + 1;
    let mut from = 0;
    loop {
        let mut tx = monitor.db.read().await?;
        let parts = baselines::parts(&mut tx, &baseline.root, baseline.number, from, SLICE).await?;
        drop(tx);
        for part in &parts {
            file.write_all(part)?;
        }
        let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        if count < SLICE {
            break;
        }
        from += count;
    }
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(opened(file, at, &baseline.root))
}

/// What a baseline says of itself, if it is signed by this server.
pub(super) fn head(monitor: &Monitor<'_>, baseline: &Baseline) -> Result<Option<Head>, Fault> {
    let verifier = monitor.keys.watch.signer()?.verifier().clone();
    Ok(note::open(&baseline.note, &verifier).ok().and_then(Head::parse))
}

fn opened(mut file: File, at: u64, root: &str) -> Result<Spooled, Invalid> {
    file.seek(SeekFrom::Start(0)).map_err(|_| Invalid::Lines)?;
    let clone = file.try_clone().map_err(|_| Invalid::Lines)?;
    let head = Manifest::open(BufReader::new(clone)).map_err(|_| Invalid::Lines)?.head;
    if head.root == root {
        Ok(Spooled { exclude: head.exclude, file, at })
    } else {
        Err(Invalid::Lines)
    }
}

/// A file for the lines of a new baseline.
pub(super) fn empty(monitor: &Monitor<'_>) -> Result<Written, Fault> {
    Ok(Body::new(BufWriter::new(tempfile::tempfile_in(monitor.data_dir)?)))
}

/// What a baseline that is to be kept says of itself.
pub(super) struct Saying<'a> {
    pub(super) root: &'a str,
    pub(super) reason: &'a str,
    pub(super) by: Option<UserId>,
    /// Patterns of what it says nothing of; a declared one has its own.
    pub(super) exclude: Vec<String>,
}

/// Keeps what was observed as a proposed baseline: its number.
pub(super) async fn keep_observed(
    monitor: &Monitor<'_>,
    body: Written,
    saying: &Saying<'_>,
) -> Result<i64, Fault> {
    let mut tx = monitor.db.write().await?;
    let (number, previous) = next(&mut tx, saying.root).await?;
    let number_in_head = u64::try_from(number).unwrap_or(0);
    let (file, head) = body.finish(saying.root, number_in_head, previous);
    let head = Head { exclude: saying.exclude.clone(), ..head };
    let text = head.to_string();
    let note = monitor.keys.watch.signer()?.sign(&text)?;
    insert(monitor, &mut tx, saying, (number, Origin::Observed, &note, &head)).await?;
    tx.commit().await?;
    let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    keep_lines(monitor, saying.root, number, BufReader::new(file)).await?;
    Ok(number)
}

/// Keeps a manifest that somebody else signed as a proposed baseline, under our signature too, so that it
/// is believed when their key is no longer: its number. Signatures of others stay away.
pub(super) async fn keep_declared(
    monitor: &Monitor<'_>,
    manifest: Manifest<impl BufRead>,
    signed_by: &VerifierKey,
    saying: &Saying<'_>,
) -> Result<i64, Fault> {
    let signer = monitor.keys.watch.signer()?;
    let signature = note::line_of(&manifest.note, signed_by)?;
    let note = signer.sign_beside(&manifest.head.to_string(), signature)?;
    let mut tx = monitor.db.write().await?;
    let (number, _) = next(&mut tx, saying.root).await?;
    insert(monitor, &mut tx, saying, (number, Origin::Declared, &note, &manifest.head)).await?;
    tx.commit().await?;
    keep_lines(monitor, saying.root, number, manifest.lines.into_rest()).await?;
    Ok(number)
}

/// The number of the next baseline, and the digest of the head of the one in force.
async fn next(tx: &mut Tx, root: &str) -> Result<(i64, Option<Digest>), Fault> {
    portcullis_store::integrity::hold(tx, root).await?;
    let number = baselines::next_number(tx, root).await?;
    let active = baselines::active(tx, root).await?;
    let previous = active.and_then(|active| hex::encode(active.digest).parse().ok());
    Ok((number, previous))
}

async fn insert(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    saying: &Saying<'_>,
    (number, origin, note, head): (i64, Origin, &str, &Head),
) -> Result<(), Fault> {
    let head_digest = digest(&SHA256, head.to_string().as_bytes());
    let new = NewBaseline {
        root: saying.root,
        number,
        origin,
        note,
        digest: head_digest.as_ref(),
        entries: i64::try_from(head.entries).unwrap_or(i64::MAX),
        reason: saying.reason,
        by: saying.by,
    };
    baselines::insert(tx, &new, monitor.now()).await?;
    super::baseline::proposed(monitor, tx, &new).await
}

/// Cuts lines into parts and keeps them, a few in each transaction.
async fn keep_lines(
    monitor: &Monitor<'_>,
    root: &str,
    number: i64,
    mut lines: impl BufRead,
) -> Result<(), Fault> {
    let mut position = 0;
    loop {
        let mut parts = Vec::new();
        while parts.len() < 64
            && let Some(part) = next_part(&mut lines)?
        {
            parts.push(part);
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut tx = monitor.db.write().await?;
        for part in parts {
            let key = digest(&SHA256, &part);
            let part = (key.as_ref(), part.as_slice());
            baselines::put_part(&mut tx, (root, number), position, part).await?;
            position += 1;
        }
        tx.commit().await?;
    }
}

/// The next part. It ends where the digest of a line says so, and not after a number of lines: of two
/// baselines that differ in one line all parts but one are the same.
fn next_part(lines: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let (mut part, mut count) = (Vec::new(), 0);
    loop {
        let from = part.len();
        if lines.read_until(b'\n', &mut part)? == 0 {
            return Ok(Some(part).filter(|part| !part.is_empty()));
        }
        count += 1;
        let line = digest(&SHA256, part.get(from..).unwrap_or_default());
        if line.as_ref().first() == Some(&0) || count == LONGEST_PART {
            return Ok(Some(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_changes_one_part() {
        let lines = |changed: Option<usize>| -> Vec<u8> {
            let line = |n| format!("{n}{}\n", if Some(n) == changed { " changed" } else { "" });
            (0..20_000).map(line).collect::<String>().into_bytes()
        };
        let parts = |text: &[u8]| {
            let mut from = text;
            std::iter::from_fn(|| next_part(&mut from).unwrap()).collect::<Vec<_>>()
        };
        let (before, after) = (parts(&lines(None)), parts(&lines(Some(7_000))));
        assert_eq!(before.concat(), lines(None));
        assert!(before.len() > 20, "{}", before.len());
        let fresh = after.iter().filter(|part| !before.contains(part)).count();
        assert!((1..=2).contains(&fresh), "{fresh}");
        assert_eq!(parts(b""), Vec::<Vec<u8>>::new());
    }
}
