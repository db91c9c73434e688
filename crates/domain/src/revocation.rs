//! Who may end whose session, and keep whom out. Not here: which route asks for which permission,
//! and what is written when it is done.

use crate::id::{SessionId, UserId};
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
    pub session: SessionId,
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
    #[error("You cannot put yourself on the blacklist.")]
    Oneself,
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
    session: &SessionId,
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

/// Whether the actor may put this user, whose role has this level, on the blacklist, or take him off.
pub fn may_blacklist(actor: &Actor, user: UserId, level: Level) -> Result<(), Refusal> {
    if actor.own.as_ref().is_some_and(|own| own.user == user) {
        return Err(Refusal::Oneself);
    }
    within_level(actor, level)
}

fn within_level(actor: &Actor, level: Level) -> Result<(), Refusal> {
    if level <= actor.level { Ok(()) } else { Err(Refusal::AboveLevel) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    fn session(number: u8) -> SessionId {
        SessionId::from_random([number; 16])
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

    #[test]
    fn nobody_is_kept_out_by_himself_or_from_below() {
        let check = |actor: &Actor, user, height, expected: Result<(), Refusal>| {
            assert_eq!(may_blacklist(actor, user, level(height)), expected, "{user} {height}");
        };
        let all = actor(Reach::Everybody);
        check(&all, ME, 50, Err(Refusal::Oneself));
        check(&all, OTHER, 50, Ok(()));
        check(&all, OTHER, 51, Err(Refusal::AboveLevel));
        check(&Actor::operator(), OTHER, 100, Ok(()));
    }
}
