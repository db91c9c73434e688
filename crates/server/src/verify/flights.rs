//! Single flight: of the requests that need the same answer at once, one fetches it and all get
//! it, be it good or bad. Nothing is remembered once the answer is there.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{Shared, WeakShared};

/// The fetching of one answer.
pub(super) type Flight<V> = Pin<Box<dyn Future<Output = V> + Send>>;

/// The answers that are being fetched now, by key.
pub(super) struct Flights<K: Copy + Eq + Hash, V: Clone>(Mutex<HashMap<K, WeakShared<Flight<V>>>>);

/// Somebody who waits for an answer, or went away.
struct Passenger<'f, K: Copy + Eq + Hash, V: Clone> {
    flights: &'f Flights<K, V>,
    key: K,
    flight: Option<Shared<Flight<V>>>,
}

impl<K: Copy + Eq + Hash, V: Clone> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The answer of the flight that is under way, or of `fetch`, which then is that flight. It
    /// goes on as long as anybody waits for it, whoever began it.
    pub(super) async fn join(&self, key: K, fetch: impl FnOnce() -> Flight<V>) -> V {
        let flight = self.board(key, fetch);
        let passenger = Passenger { flights: self, key, flight: Some(flight.clone()) };
        let answer = flight.await;
        drop(passenger);
        answer
    }

    fn board(&self, key: K, fetch: impl FnOnce() -> Flight<V>) -> Shared<Flight<V>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = fetch().shared();
        flights.extend(flight.downgrade().map(|weak| (key, weak)));
        flight
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Drop for Passenger<'_, K, V> {
    /// Once the answer is there, or nobody waits for it any more, whoever comes flies anew.
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(flight) = self.flight.take() else { return };
        let current = flights.get(&self.key).and_then(WeakShared::upgrade);
        let is_another = current.as_ref().is_some_and(|current| !current.ptr_eq(&flight));
        let has_landed = flight.peek().is_some();
        drop((flight, current));
        let is_deserted = || flights.get(&self.key).is_some_and(|weak| weak.upgrade().is_none());
        if !is_another && (has_landed || is_deserted()) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Answers that come when the test says so, and how many were asked for.
    #[derive(Clone)]
    struct Source {
        may_land: Arc<Semaphore>,
        asked: Arc<AtomicU32>,
    }

    impl Source {
        fn new() -> Self {
            Self { may_land: Arc::new(Semaphore::new(0)), asked: Arc::default() }
        }

        fn fetch(&self) -> Flight<u32> {
            let source = self.clone();
            Box::pin(async move {
                let number = source.asked.fetch_add(1, Ordering::SeqCst) + 1;
                source.may_land.acquire().await.unwrap().forget();
                number
            })
        }
    }

    fn in_the_air(flights: &Flights<u8, u32>) -> usize {
        flights.0.lock().unwrap().len()
    }

    #[tokio::test]
    async fn those_who_come_during_a_flight_share_it_and_the_next_fly_anew() {
        let (flights, source) = (Flights::new(), Source::new());
        let join = |key| flights.join(key, || source.fetch());
        let come_in = async { source.may_land.add_permits(1) };
        assert_eq!(tokio::join!(join(1), join(1), join(1), come_in), (1, 1, 1, ()));
        source.may_land.add_permits(2);
        assert_eq!(join(1).await, 2);
        assert_eq!(join(2).await, 3);
        assert_eq!(in_the_air(&flights), 0);
    }

    #[tokio::test]
    async fn who_goes_away_neither_ends_the_flight_nor_leaves_anything_behind() {
        let (flights, source) = (Flights::new(), Source::new());
        let join = || flights.join(1, || source.fetch());
        {
            let mut first = Box::pin(join());
            let mut second = Box::pin(join());
            assert!(futures_util::poll!(&mut first).is_pending());
            assert!(futures_util::poll!(&mut second).is_pending());
            drop(first);
            assert_eq!(in_the_air(&flights), 1);
            source.may_land.add_permits(1);
            assert_eq!(second.await, 1, "the second took over");
        }
        let mut deserted = Box::pin(join());
        assert!(futures_util::poll!(&mut deserted).is_pending());
        drop(deserted);
        assert_eq!(in_the_air(&flights), 0);
    }
}
