//! Who is calling, and the values that a handler must name to run. A route's level is the type of
//! its handler's second argument: forgetting to ask does not compile, because there is no handler
//! without one.

mod permission;

use std::marker::PhantomData;
use std::ops::Deref;

use http::Method;
use portcullis_domain::account::AccountType;
use portcullis_domain::api_key::Scope;
use portcullis_domain::csrf::AuthKind;
use portcullis_domain::id::UserId;
use portcullis_domain::permission::{Grant, Grants, Key};
use portcullis_domain::role::Authority;
use portcullis_domain::rule::KeyScope;
use portcullis_domain::secret::Mac;
use portcullis_store::credentials::{Credential, Found, SessionFacts, SessionGrounds};

use super::error::{Error, Forbidden};
use super::identify::Who;
use crate::verify::{Live, Proof};

pub use permission::*;

/// Whom a request acts as: a user, by one credential, with resolved permissions.
#[derive(Clone)]
pub struct Caller {
    /// How the request was authenticated.
    pub auth: AuthKind,
    /// Under what the store keeps the credential.
    pub mac: Mac,
    live: Live,
}

impl Caller {
    /// Only the door makes one, from what the store said.
    pub(super) fn new(auth: AuthKind, mac: Mac, live: Live) -> Self {
        Self { auth, mac, live }
    }

    /// The credential with what it hangs on, the user and the role.
    pub fn found(&self) -> &Found {
        self.live.found()
    }

    /// The session; none where the credential is an API key.
    pub fn session(&self) -> Option<&SessionFacts> {
        self.found().session().map(|grounds| &grounds.session)
    }

    /// What the request showed.
    pub fn proof(&self) -> Proof {
        Proof { auth: self.auth, mac: self.mac }
    }

    /// Refuses a key whose scopes do not cover a request with this method.
    pub fn must_reach(&self, method: &Method) -> Result<(), Error> {
        match scope(self.found(), method.as_str()) {
            KeyScope::Covers => Ok(()),
            KeyScope::FallsShort => {
                Err(denied("scope_missing", Scope::of_method(method.as_str()).as_str()))
            }
        }
    }

    /// The user's id.
    pub fn user_id(&self) -> UserId {
        self.found().user.id
    }

    /// What the user's role allows.
    pub fn grants(&self) -> &Grants {
        &self.found().role.grants
    }

    /// Whether the user holds the key. One that does not parse allows nobody; the table's test parses
    /// them all.
    pub fn holds(&self, key: &str) -> bool {
        Key::parse(key).is_ok_and(|key| self.grants().allows(&key))
    }

    /// Refuses a user who does not hold the key.
    pub fn must_hold(&self, key: &'static str) -> Result<(), Error> {
        if self.holds(key) { Ok(()) } else { Err(denied("permission_missing", key)) }
    }

    /// How far the user's word reaches over roles and accounts.
    pub fn authority(&self) -> Authority {
        Authority { level: self.found().role.level, grants: self.grants().clone() }
    }
}

/// Whether the scopes of what was found cover a method; what has none covers all.
pub fn scope(found: &Found, method: &str) -> KeyScope {
    match found.key() {
        Some(key) if !key.scopes.cover(method) => KeyScope::FallsShort,
        Some(_) | None => KeyScope::Covers,
    }
}

/// A caller who has a session. What is done to a session, or by the one who signed in, asks for this,
/// so that it cannot be written for an API key.
#[derive(Clone)]
pub struct InSession {
    caller: Caller,
    grounds: SessionGrounds,
}

impl InSession {
    /// The session.
    pub fn session(&self) -> &SessionFacts {
        &self.grounds.session
    }

    /// What the session handed out and the request came with.
    pub fn credential(&self) -> &Credential {
        &self.grounds.credential
    }
}

impl Deref for InSession {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// As what a handler takes whoever passes: any [`Caller`], or one [`InSession`].
pub trait CallerKind: Sized + Send + 'static {
    /// Whether API keys pass.
    const TAKES_KEYS: bool;

    /// The caller as that.
    fn of(caller: Caller) -> Result<Self, Error>;
}

impl CallerKind for Caller {
    const TAKES_KEYS: bool = true;

    fn of(caller: Caller) -> Result<Self, Error> {
        Ok(caller)
    }
}

impl CallerKind for InSession {
    const TAKES_KEYS: bool = false;

    fn of(caller: Caller) -> Result<Self, Error> {
        let grounds = caller.found().session().cloned();
        let denial = Forbidden::Permission { code: "session_needed", rule: None };
        let refused = || Error::Forbidden(denial);
        Ok(Self { grounds: grounds.ok_or_else(refused)?, caller })
    }
}

/// Who may pass a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nobody is asked for a credential.
    Anyone,
    /// A credential is read if there is one, and not asked for.
    Visitor,
    /// A live credential.
    SignedIn,
    /// A live credential whose user holds the key.
    Allowed(&'static str),
    /// A live credential of a staff account, which holds the key if there is one. The type of the
    /// account beats a key that somebody else holds.
    Staff(Option<&'static str>),
    /// A live credential whose user may do everything.
    Superuser,
}

impl Level {
    /// Whether nobody passes without a live credential.
    pub fn wants_credential(self) -> bool {
        match self {
            Self::Anyone | Self::Visitor => false,
            Self::SignedIn | Self::Allowed(_) | Self::Staff(_) | Self::Superuser => true,
        }
    }

    /// The key that the user must hold, if one is needed.
    pub fn permission(self) -> Option<&'static str> {
        match self {
            Self::Anyone | Self::Visitor | Self::SignedIn | Self::Superuser => None,
            Self::Allowed(key) => Some(key),
            Self::Staff(key) => key,
        }
    }
}

/// What becomes of a browser that stays signed in and has no session just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRemembered {
    /// Nothing: nobody is asked for, or the handler sees to it.
    Left,
    /// A request that changes nothing signs it in again.
    BroughtBack,
    /// It wants out, and is forgotten.
    Forgotten,
}

/// A right to run a handler.
pub trait Access: Sized + Send + 'static {
    /// The level that the table shows.
    const LEVEL: Level;
    /// For a browser that stays signed in.
    const IF_REMEMBERED: IfRemembered;
    /// Whether it asks for a fresh proof of who is calling.
    const FRESH: bool = false;
    /// Whether API keys pass.
    const TAKES_KEYS: bool = false;
    /// Whether an API key may come as the password of HTTP Basic.
    const TAKES_BASIC: bool = false;

    /// The value, for whoever the door found.
    fn admit(who: Who) -> Result<Self, Error>;
}

/// Open to everyone: no credential is read.
pub struct Anyone;

/// Open to everyone; who is signed in is known.
pub struct Visitor(pub Option<InSession>);

/// Somebody signed in.
pub struct SignedIn(pub InSession);

/// Somebody signed in who wants out.
pub struct Leaving(pub InSession);

/// Somebody signed in who holds the permission `P`.
pub struct Allowed<P, K = Caller>(pub K, pub PhantomData<P>);

/// A staff account.
pub struct StaffMember<K = Caller>(pub K);

/// A staff account that holds the permission `P`.
pub struct Staff<P, K = Caller>(pub K, pub PhantomData<P>);

/// Somebody who may do everything: the superuser of the Z family, of whatever type the account is.
pub struct Superuser(pub Caller);

impl Access for Superuser {
    const LEVEL: Level = Level::Superuser;
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;
    const TAKES_KEYS: bool = true;

    fn admit(who: Who) -> Result<Self, Error> {
        let caller = who.map_err(Error::SignIn)?;
        let holds = caller.grants().covers(&Grant::All);
        if holds { Ok(Self(caller)) } else { Err(denied("permission_missing", "*")) }
    }
}

/// Somebody with a live credential, an API key or another.
pub struct Somebody(pub Caller);

impl Access for Somebody {
    const LEVEL: Level = Level::SignedIn;
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;
    const TAKES_KEYS: bool = true;

    fn admit(who: Who) -> Result<Self, Error> {
        who.map(Self).map_err(Error::SignIn)
    }
}

/// Somebody who passes as `A`, with an API key also as the password of HTTP Basic: other servers, whose
/// libraries know no header of ours.
pub struct OrBasic<A>(pub A);

impl<A: Access> Access for OrBasic<A> {
    const LEVEL: Level = A::LEVEL;
    const IF_REMEMBERED: IfRemembered = A::IF_REMEMBERED;
    const FRESH: bool = A::FRESH;
    const TAKES_KEYS: bool = A::TAKES_KEYS;
    const TAKES_BASIC: bool = true;

    fn admit(who: Who) -> Result<Self, Error> {
        A::admit(who).map(Self)
    }
}

/// Somebody who passes as `A` and proved a short time ago who they are: what may do lasting harm asks
/// for it, on pages always, and of programs where `sign_in.step_up` says so.
pub struct Fresh<A>(pub A);

impl<A: Access> Access for Fresh<A> {
    const LEVEL: Level = A::LEVEL;
    const IF_REMEMBERED: IfRemembered = A::IF_REMEMBERED;
    const FRESH: bool = true;
    const TAKES_KEYS: bool = A::TAKES_KEYS;

    fn admit(who: Who) -> Result<Self, Error> {
        A::admit(who).map(Self)
    }
}

impl Access for Anyone {
    const LEVEL: Level = Level::Anyone;
    const IF_REMEMBERED: IfRemembered = IfRemembered::Left;

    fn admit(_: Who) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl Access for Visitor {
    const LEVEL: Level = Level::Visitor;
    const IF_REMEMBERED: IfRemembered = IfRemembered::Left;

    fn admit(who: Who) -> Result<Self, Error> {
        who.ok().map(InSession::of).transpose().map(Self)
    }
}

impl Access for SignedIn {
    const LEVEL: Level = Level::SignedIn;
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;

    fn admit(who: Who) -> Result<Self, Error> {
        who.map_err(Error::SignIn).and_then(InSession::of).map(Self)
    }
}

impl Access for Leaving {
    const LEVEL: Level = Level::SignedIn;
    const IF_REMEMBERED: IfRemembered = IfRemembered::Forgotten;

    fn admit(who: Who) -> Result<Self, Error> {
        who.map_err(Error::SignIn).and_then(InSession::of).map(Self)
    }
}

impl<P: Permission, K: CallerKind> Access for Allowed<P, K> {
    const LEVEL: Level = Level::Allowed(P::KEY);
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;
    const TAKES_KEYS: bool = K::TAKES_KEYS;

    fn admit(who: Who) -> Result<Self, Error> {
        let caller = who.map_err(Error::SignIn)?;
        caller.must_hold(P::KEY)?;
        Ok(Self(K::of(caller)?, PhantomData))
    }
}

impl<K: CallerKind> Access for StaffMember<K> {
    const LEVEL: Level = Level::Staff(None);
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;
    const TAKES_KEYS: bool = K::TAKES_KEYS;

    fn admit(who: Who) -> Result<Self, Error> {
        let caller = who.map_err(Error::SignIn)?;
        if caller.found().user.account_type != AccountType::Staff {
            return Err(denied("account_type", "staff"));
        }
        K::of(caller).map(Self)
    }
}

impl<P: Permission, K: CallerKind> Access for Staff<P, K> {
    const LEVEL: Level = Level::Staff(Some(P::KEY));
    const IF_REMEMBERED: IfRemembered = IfRemembered::BroughtBack;
    const TAKES_KEYS: bool = K::TAKES_KEYS;

    fn admit(who: Who) -> Result<Self, Error> {
        let StaffMember(caller) = StaffMember::<Caller>::admit(who)?;
        caller.must_hold(P::KEY)?;
        Ok(Self(K::of(caller)?, PhantomData))
    }
}

fn denied(code: &'static str, rule: &'static str) -> Error {
    Error::Forbidden(Forbidden::Permission { code, rule: Some(rule.to_owned()) })
}
