//! Failures that several requests share, and failures of flows.

use std::time::Duration;

use portcullis_store::Error;

use crate::hasher::Busy;
use crate::verify::access_token::NotSigned;

/// The same failure for each of the requests that waited for one piece of work. What cannot be
/// copied has been logged by then and is told as unavailable.
pub fn shared(error: &Error) -> Error {
    match error {
        Error::Conflict => Error::Conflict,
        Error::Unavailable => Error::Unavailable,
        Error::Corrupt { table, column, id } => Error::Corrupt { table, column, id: id.clone() },
        Error::Driver(fault) => {
            tracing::error!(error = fault as &dyn std::error::Error, "the store failed");
            Error::Unavailable
        }
    }
}

/// How long a statement that requests wait for may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Work on the store that others wait for: a database that has fallen silent is one that does not
/// answer.
pub async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(Error::Unavailable))
}

/// Why a flow did not come to an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] Error),
    /// The password threads are busy.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Signing(#[from] NotSigned),
}
