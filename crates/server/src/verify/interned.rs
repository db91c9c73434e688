//! One copy of what many remembered credentials share: a user has several sessions, and a role has
//! many users.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The copies that are in use, by key.
pub(super) struct Interned<K, T>(Mutex<HashMap<K, Weak<T>>>);

impl<K: Eq + Hash, T: PartialEq> Interned<K, T> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The copy that others hold already, if it says the same; else this one, for those who come.
    pub(super) fn share(&self, key: K, value: Arc<T>) -> Arc<T> {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = copies.get(&key).and_then(Weak::upgrade);
        if let Some(same) = held.filter(|held| **held == *value) {
            return same;
        }
        copies.insert(key, Arc::downgrade(&value));
        value
    }

    /// Forgets those that nobody holds.
    pub(super) fn sweep(&self) {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|_, copy| copy.strong_count() > 0);
        copies.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_is_one_copy_and_what_changed_is_another() {
        let interned = Interned::new();
        let share = |text: &str| interned.share(1, Arc::new(text.to_owned()));
        let (first, again) = (share("ada"), share("ada"));
        assert!(Arc::ptr_eq(&first, &again));
        let changed = share("eve");
        assert_eq!((first.as_str(), changed.as_str()), ("ada", "eve"));
        assert!(Arc::ptr_eq(&changed, &share("eve")));
        drop((first, again, changed));
        interned.sweep();
        assert!(interned.0.lock().unwrap().is_empty());
    }
}
