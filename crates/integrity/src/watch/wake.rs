//! Waiting: until something is told, for so long, or until another thread says stop. Not here: what is
//! done then.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, write};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// Ends a watch from another thread; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Stop(Arc<OwnedFd>);

impl Stop {
    /// One that does not stop yet.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Ends whoever waits with it, and whoever will.
    pub fn stop(&self) {
        // It can only be refused when it was said more often than can be counted.
        write(&*self.0, &1_u64.to_ne_bytes()).unwrap_or_default();
    }

    /// Waits for so long, or until it is stopped. Whether it is.
    pub fn wait(&self, long: Duration) -> bool {
        let mut all = [PollFd::new(&*self.0, PollFlags::IN)];
        poll(&mut all, Some(&span(long))).is_ok_and(|woken| woken > 0)
    }
}

/// Why a wait has ended.
pub(super) enum Woken {
    Stopped,
    /// The time is over.
    InTime,
    /// There is something to read.
    Heard,
}

/// Waits until there is something to read, for so long, and not beyond what a timer says.
pub(super) fn wait(
    stop: &Stop,
    told: &OwnedFd,
    timer: Option<&Timer>,
    long: Duration,
) -> Result<Woken, Errno> {
    let mut all = vec![PollFd::new(&*stop.0, PollFlags::IN), PollFd::new(told, PollFlags::IN)];
    all.extend(timer.map(|timer| PollFd::new(&timer.0, PollFlags::IN)));
    match poll(&mut all, Some(&span(long))) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno),
    }
    let mut woken = all.iter().map(|one| !one.revents().is_empty());
    let mut next = || woken.next().unwrap_or_default();
    let (is_stopped, is_told, is_over) = (next(), next(), next());
    Ok(match (is_stopped, is_over, is_told) {
        (true, ..) => Woken::Stopped,
        (false, false, true) => Woken::Heard,
        (false, ..) => Woken::InTime,
    })
}

/// Says when a time is over.
#[derive(Debug)]
pub(super) struct Timer(OwnedFd);

impl Timer {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        timerfd_create(TimerfdClockId::Monotonic, flags).map(Self)
    }

    /// From now on for so long.
    pub(super) fn start(&self, long: Duration) -> Result<(), Errno> {
        let once = Itimerspec { it_interval: span(Duration::ZERO), it_value: span(long) };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once).map(drop)
    }

    /// Whether it is.
    pub(super) fn is_over(&self) -> bool {
        let mut all = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut all, Some(&span(Duration::ZERO))).is_ok_and(|woken| woken > 0)
    }
}

fn span(long: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(long.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(long.subsec_nanos()),
    }
}
