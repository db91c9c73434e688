//! What one thread has for others to do. It is woken when half of it is done and not each time, because
//! waking takes longer than looking at a few files. Not here: what is done.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue that ends when it is closed.
pub(crate) struct Queue<T> {
    most: usize,
    waiting: Mutex<Waiting<T>>,
    came: Condvar,
    half: Condvar,
}

struct Waiting<T> {
    items: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// One that takes so many.
    pub(crate) fn of(most: usize) -> Self {
        let waiting = Waiting { items: VecDeque::with_capacity(most), is_closed: false };
        Self { most, waiting: Mutex::new(waiting), came: Condvar::new(), half: Condvar::new() }
    }

    /// Adds one; waits as long as it is full. Whether anybody is left to take it.
    pub(crate) fn push(&self, item: T) -> bool {
        let mut waiting = self.lock();
        if waiting.items.len() >= self.most {
            let is_full = |waiting: &mut Waiting<T>| {
                waiting.items.len() > self.most / 2 && !waiting.is_closed
            };
            waiting =
                self.half.wait_while(waiting, is_full).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_closed {
            return false;
        }
        waiting.items.push_back(item);
        drop(waiting);
        self.came.notify_one();
        true
    }

    /// Takes the first; waits for one. `None`: it is closed, and all was taken.
    pub(crate) fn pop(&self) -> Option<T> {
        let is_empty = |waiting: &mut Waiting<T>| waiting.items.is_empty() && !waiting.is_closed;
        let waited = self.came.wait_while(self.lock(), is_empty);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        let item = waiting.items.pop_front();
        let is_half = waiting.items.len() == self.most / 2;
        drop(waiting);
        if is_half {
            self.half.notify_one();
        }
        item
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.came.notify_all();
        self.half.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a queue when it is dropped, so that nobody waits for ever for a thread that broke off.
pub(crate) struct Closes<'q, T>(pub(crate) &'q Queue<T>);

impl<T> Drop for Closes<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
