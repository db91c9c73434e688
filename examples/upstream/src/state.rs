//! The rows and where they are kept: in memory, bounded, gone at the end of the process.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// The most rows kept of one kind; the oldest are dropped.
pub const MAX_ROWS: usize = 1000;

/// A piece of work at a property.
#[derive(Clone, Serialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) priority: String,
    pub(crate) created_by: Option<String>,
    /// RFC 3339, UTC, seconds.
    pub(crate) created_at: String,
}

/// Somebody who may buy.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lead {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
}

/// A project, in the field order of the documented answer.
#[derive(Clone, Serialize)]
pub(crate) struct Project {
    pub(crate) description: Option<String>,
    /// `prj_` and eleven letters or digits.
    pub(crate) id: String,
    pub(crate) slug: String,
    /// RFC 3339, UTC, microseconds.
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// The application's memory. Clones share it.
#[derive(Clone)]
pub(crate) struct Office(Arc<Mutex<Rows>>);

struct Rows {
    jobs: VecDeque<Job>,
    leads: VecDeque<Lead>,
    projects: VecDeque<Project>,
    /// How many rows were ever made; ids come from it.
    made: u64,
    /// Makes project ids differ from one run to the next.
    seed: RandomState,
}

impl Office {
    pub(crate) fn with_samples() -> Self {
        let rows = Rows {
            jobs: VecDeque::new(),
            leads: VecDeque::new(),
            projects: VecDeque::new(),
            made: 0,
            seed: RandomState::new(),
        };
        let office = Self(Arc::new(Mutex::new(rows)));
        for (title, priority) in SAMPLE_JOBS {
            office.add_job(title.to_owned(), priority.to_owned(), None);
        }
        for (name, email, status) in SAMPLE_LEADS {
            office.add_lead(name, email, status);
        }
        office.add_project("north-quay");
        office
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.with(|rows| rows.jobs.iter().cloned().collect())
    }

    pub(crate) fn leads(&self) -> Vec<Lead> {
        self.with(|rows| rows.leads.iter().cloned().collect())
    }

    pub(crate) fn projects(&self) -> Vec<Project> {
        self.with(|rows| rows.projects.iter().cloned().collect())
    }

    pub(crate) fn add_job(&self, title: String, priority: String, by: Option<String>) -> Job {
        self.with(|rows| {
            let job =
                Job { id: rows.next(), title, priority, created_by: by, created_at: now_seconds() };
            keep(&mut rows.jobs, job.clone());
            job
        })
    }

    /// A slug that is taken gets the next free number: `sandbox`, `sandbox-2`, `sandbox-3`.
    pub(crate) fn add_project(&self, slug: &str) -> Project {
        self.with(|rows| {
            let now = now_micros();
            let project = Project {
                description: None,
                id: rows.project_id(),
                slug: free_slug(&rows.projects, slug),
                created_at: now.clone(),
                updated_at: now,
            };
            keep(&mut rows.projects, project.clone());
            project
        })
    }

    fn add_lead(&self, name: &str, email: &str, status: &'static str) {
        self.with(|rows| {
            let lead = Lead {
                id: rows.next(),
                name: name.to_owned(),
                email: email.to_owned(),
                status,
                created_at: now_seconds(),
            };
            keep(&mut rows.leads, lead);
        });
    }

    /// A panic elsewhere leaves the rows whole, so a poisoned lock may be taken.
    fn with<T>(&self, act: impl FnOnce(&mut Rows) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rows {
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn project_id(&mut self) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let number = self.next();
        let mut rest = self.seed.hash_one(number);
        let mut id = "prj_".to_owned();
        for _ in 0..11 {
            let letter = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
            id.push(char::from(letter));
            rest /= 62;
        }
        id
    }
}

fn keep<T>(rows: &mut VecDeque<T>, row: T) {
    if rows.len() == MAX_ROWS {
        rows.pop_front();
    }
    rows.push_back(row);
}

fn free_slug(projects: &VecDeque<Project>, wanted: &str) -> String {
    let taken = |slug: &str| projects.iter().any(|project| project.slug == slug);
    if !taken(wanted) {
        return wanted.to_owned();
    }
    // One more candidate than there are projects: one of them is free.
    (2..=projects.len() + 2)
        .map(|number| format!("{wanted}-{number}"))
        .find(|slug| !taken(slug))
        .unwrap_or_else(|| wanted.to_owned())
}

fn now_seconds() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn now_micros() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[expect(clippy::disallowed_methods, reason = "the sample application is the outside world")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

const SAMPLE_JOBS: [(&str, &str); 3] = [
    ("Boiler repair, 14 Mill Lane", "high"),
    ("Gas safety check, 3 Harbour View", "medium"),
    ("Repaint the hallway, Oak House", "low"),
];

const SAMPLE_LEADS: [(&str, &str, &str); 5] = [
    ("Amira Haddad", "amira.haddad@example.com", "new"),
    ("Ben Okafor", "ben.okafor@example.com", "contacted"),
    ("Clara Jensen", "clara.jensen@example.com", "viewing"),
    ("Dmitri Volkov", "dmitri.volkov@example.com", "offer"),
    ("Elin Svensson", "elin.svensson@example.com", "new"),
];
