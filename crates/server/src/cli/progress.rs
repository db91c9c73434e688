//! Work that takes a while: whoever looks on is told now and then how far it is. Not here: the work.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::output::Output;

/// How often it is said how far it is.
pub(super) const TOLD_EVERY: Duration = Duration::from_millis(200);

/// Works, and says meanwhile how far it is.
pub(super) fn watched<T>(
    output: Output,
    how_far: impl Fn() -> String + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Moved here, so that it is dropped where the work panics as well.
            let is_done = is_done;
            while is_done.recv_timeout(TOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                output.progress(&how_far());
            }
            output.progress("");
        });
        let worked = work();
        drop(done);
        worked
    })
}
