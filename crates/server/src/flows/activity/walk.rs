//! Several walks as one, newest first. Each is read a few steps at a time, so whoever stops early has
//! read little.

use std::collections::VecDeque;

use portcullis_store::audit::activity::{self, Along, Part, Place, Step};
use portcullis_store::{Error, Tx};

/// The most steps of one walk that are read at once.
const MOST_AT_ONCE: usize = 500;

/// Several walks.
pub(super) struct Walk<'a> {
    ways: Vec<Way<'a>>,
    last: Option<u64>,
}

/// One of them.
struct Way<'a> {
    along: &'a Along,
    /// What is left to be read.
    rest: Part,
    steps: VecDeque<Step>,
    is_over: bool,
}

impl<'a> Walk<'a> {
    /// Along all of these, over the same part. `few`: how many steps are likely to be enough.
    pub(super) fn new(along: &'a [Along], part: Part, few: usize) -> Self {
        let few = u32::try_from(few.min(MOST_AT_ONCE)).unwrap_or(u32::MAX);
        let way = |along: &'a Along| Way {
            along,
            rest: Part { limit: few, ..part },
            steps: VecDeque::new(),
            is_over: false,
        };
        Self { ways: along.iter().map(way).collect(), last: None }
    }

    /// The next step; one that lies on several walks comes once.
    pub(super) async fn next(&mut self, tx: &mut Tx) -> Result<Option<Step>, Error> {
        loop {
            for way in &mut self.ways {
                way.read_on(tx).await?;
            }
            let newest = self.ways.iter_mut().filter(|way| !way.steps.is_empty());
            let Some(way) = newest.max_by_key(|way| way.place()) else { return Ok(None) };
            let Some(step) = way.steps.pop_front() else { return Ok(None) };
            if self.last != Some(step.place.index) {
                self.last = Some(step.place.index);
                return Ok(Some(step));
            }
        }
    }
}

impl Way<'_> {
    fn place(&self) -> Option<Place> {
        self.steps.front().map(|step| step.place)
    }

    async fn read_on(&mut self, tx: &mut Tx) -> Result<(), Error> {
        if self.is_over || !self.steps.is_empty() {
            return Ok(());
        }
        let steps = activity::walk(tx, self.along, &self.rest).await?;
        self.is_over = steps.len() < self.rest.limit as usize;
        if let Some(last) = steps.last() {
            self.rest.to = last.place;
        }
        self.rest.limit = u32::try_from(MOST_AT_ONCE).unwrap_or(u32::MAX);
        self.steps = steps.into();
        Ok(())
    }
}
