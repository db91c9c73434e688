//! Who may end whose session. Not here: keeping somebody out, which is in
//! [`crate::administration`], which route asks for which permission, and what is written when it is
//! done.

use crate::id::{SessionHandle, UserId};
use crate::role::Level;

/// Who wants to end something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `None` at the command line of the server.
    pub own: Option<Own>,
    pub level: Level,
    pub reach: Reach,
}

/// What is the actor's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub user: UserId,
    /// The session that he acts in.
    pub session: SessionHandle,
}

/// Whose sessions an actor may end, his level permitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// His own.
    Own,
    /// Those of others, too.
    Everybody,
}

/// Why nothing was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("This is the session that you are using. Sign out to end it.")]
    OwnSession,
    #[error("You are not signed in any more.")]
    SignedOut,
    #[error("You may end only your own sessions.")]
    NotYours,
    #[error("The user's role is above your own level.")]
    AboveLevel,
}

impl Actor {
    /// Whoever runs a command on the server.
    pub fn operator() -> Self {
        Self { own: None, level: Level::MAX, reach: Reach::Everybody }
    }
}

/// Whether the actor may end a session of this user, whose role has this level.
pub fn may_end(
    actor: &Actor,
    session: &SessionHandle,
    user: UserId,
    level: Level,
) -> Result<(), Refusal> {
    if actor.own.as_ref().is_some_and(|own| own.session == *session) {
        return Err(Refusal::OwnSession);
    }
    if actor.own.as_ref().is_some_and(|own| own.user == user) {
        return Ok(());
    }
    match actor.reach {
        Reach::Own => Err(Refusal::NotYours),
        Reach::Everybody => within_level(actor, level),
    }
}

fn within_level(actor: &Actor, level: Level) -> Result<(), Refusal> {
    if level <= actor.level { Ok(()) } else { Err(Refusal::AboveLevel) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    fn session(number: u8) -> SessionHandle {
        SessionHandle::from_random([number; 12])
    }

    fn actor(reach: Reach) -> Actor {
        let own = Some(Own { user: ME, session: session(1) });
        Actor { own, level: level(50), reach }
    }

    fn level(level: i64) -> Level {
        Level::new(level).unwrap()
    }

    #[test]
    fn sessions_are_ended_by_their_owner_and_by_who_may() {
        let check = |actor: &Actor, number, user, height, expected: Result<(), Refusal>| {
            let found = may_end(actor, &session(number), user, level(height));
            assert_eq!(found, expected, "{actor:?} {number} {user} {height}");
        };
        let (own, all) = (actor(Reach::Own), actor(Reach::Everybody));
        for actor in [&own, &all] {
            check(actor, 1, ME, 50, Err(Refusal::OwnSession));
            check(actor, 2, ME, 50, Ok(()));
        }
        check(&own, 3, OTHER, 10, Err(Refusal::NotYours));
        check(&own, 3, OTHER, 60, Err(Refusal::NotYours));
        check(&all, 3, OTHER, 50, Ok(()));
        check(&all, 3, OTHER, 51, Err(Refusal::AboveLevel));
        check(&Actor::operator(), 1, ME, 100, Ok(()));
    }
}
