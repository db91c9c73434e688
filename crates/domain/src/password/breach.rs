//! How it stands with a password that may be in a breach. Not here: who knows breached passwords.

/// How it stands with the password of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreachState {
    /// Nobody looked: it was set before there was anybody to ask, or came as a hash.
    Unchecked,
    /// Nobody who was asked knows it.
    Clear,
    /// It is known.
    Breached,
    /// Somebody who was to be asked did not answer, and nobody else knows it. It is looked up later.
    Deferred,
}

impl BreachState {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Breached, Self::Deferred, Self::Unchecked, Self::Clear];

    /// As it is stored and told (contract P28).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Clear => "clear",
            Self::Breached => "breached",
            Self::Deferred => "deferred",
        }
    }

    /// The state of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}
