//! Who is signed in: the sessions that are alive at a moment, of everybody or as filtered, newest
//! first. The order is that of the sign-ins and never changes, so a list can be read page by page
//! while others sign in and out. The session's id stays here: what is listed opens nothing.

mod sql;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::fold;
use portcullis_domain::time::Time;

use self::sql::{FEW, Lead};
use crate::driver::{Row, Tx, Value, params};
use crate::error::{Result, corrupt};
use crate::like::literal;

/// Which sessions; all of what is given must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub user: Option<UserId>,
    /// What the e-mail address, the username or a word of the name begins with, in any case.
    pub person: Option<String>,
    /// The client's address, exactly.
    pub ip: Option<String>,
    /// How it began.
    pub form: Option<SignInForm>,
    pub handle: Option<SessionHandle>,
}

/// Which part of the list.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many at most.
    pub limit: u64,
    /// How many are passed over.
    pub skip: u64,
    /// Only those that began before this one.
    pub after: Option<Position>,
}

/// Where a session stands in the list, alive or not.
#[derive(Clone, Debug)]
pub struct Position {
    created_at: i64,
    id: String,
}

/// A session that is alive, with whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    pub handle: SessionHandle,
    pub user_id: UserId,
    pub email: String,
    pub username: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub account_type: AccountType,
    /// How it began.
    pub form: SignInForm,
    pub ip: String,
    pub user_agent: String,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    /// It began with a second factor, or set one up.
    pub second_factor: bool,
    /// Its browser comes back by itself when the session is over.
    pub is_remembered: bool,
    pub created_at: Time,
    /// When a use of it was last written down.
    pub last_active: Time,
    /// When the last of its credentials ends, unless that is renewed.
    pub expires_at: Time,
}

/// A filter whose person has been looked for.
pub struct Search<'a> {
    filter: &'a Filter,
    people: People,
}

/// The users whom a person may mean.
enum People {
    /// Nobody was asked for.
    All,
    Few([UserId; FEW]),
    Many(Patterns),
}

/// Prepares a search: looks for the person, if one is asked for.
pub async fn search<'a>(tx: &mut Tx, filter: &'a Filter) -> Result<Search<'a>> {
    let people = match filter.person.as_deref() {
        None => People::All,
        Some(text) => people(tx, Patterns::of(text)).await?,
    };
    Ok(Search { filter, people })
}

/// How many live sessions there are.
pub async fn count(tx: &mut Tx, search: &Search<'_>, now: Time) -> Result<u64> {
    let lead = search.lead();
    let by_index = sql::count_by_index(lead).filter(|_| search.conditions() <= 1);
    let sql = by_index.unwrap_or_else(|| sql::count(lead));
    let count: i64 = tx.fetch_one(sql, &search.bound(now)).await?.get("count")?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A page of live sessions, newest first. `total`: what [`count`] said in the same transaction.
pub async fn list(
    tx: &mut Tx,
    search: &Search<'_>,
    page: &Page,
    total: u64,
    now: Time,
) -> Result<Vec<LiveSession>> {
    let mut bound = search.bound(now);
    let (created_at, id) =
        page.after.as_ref().map_or((i64::MAX, ""), |after| (after.created_at, &after.id));
    let way = Way::of(search, page, total);
    let (limit, skip) = way.span(page, total);
    bound.extend([
        Value::from(created_at),
        Value::from(id),
        Value::from(limit),
        Value::from(skip),
        Value::from(AccountStatus::Active.id()),
    ]);
    let mut rows = tx.fetch_all(way.sql(), &bound).await?;
    if way == Way::Backwards {
        rows.reverse();
    }
    rows.iter().map(live_session).collect()
}

/// Where a session stands in the list; `None` if there is none.
pub async fn position(tx: &mut Tx, handle: &SessionHandle) -> Result<Option<Position>> {
    const SQL: &str = "SELECT created_at, id FROM sessions WHERE handle = $1";
    let row = tx.fetch_optional(SQL, params![handle]).await?;
    row.map(|row| Ok(Position { created_at: row.get("created_at")?, id: row.get("id")? }))
        .transpose()
}

impl Search<'_> {
    /// How many conditions there are.
    fn conditions(&self) -> usize {
        let Filter { user, person, ip, form, handle } = self.filter;
        let given =
            [user.is_some(), person.is_some(), ip.is_some(), form.is_some(), handle.is_some()];
        given.into_iter().filter(|is_given| *is_given).count()
    }

    fn lead(&self) -> Lead {
        match (self.filter, &self.people) {
            (Filter { handle: Some(_), .. }, _) => Lead::Handle,
            (Filter { user: Some(_), .. }, _) => Lead::User,
            (Filter { ip: Some(_), .. }, _) => Lead::Ip,
            (_, People::Few(_)) => Lead::FewPeople,
            (_, People::Many(_)) => Lead::ManyPeople,
            (Filter { form: Some(_), .. }, People::All) => Lead::Form,
            (_, People::All) => Lead::Nothing,
        }
    }

    /// `$1` to `$27` of every statement.
    fn bound(&self, now: Time) -> Vec<Value<'_>> {
        let filter = self.filter;
        let (patterns, few) = match &self.people {
            People::All => (None, [None; FEW]),
            People::Few(users) => (None, users.map(Some)),
            People::Many(patterns) => (Some(patterns), [None; FEW]),
        };
        let mut bound = vec![
            Value::from(now),
            Value::from(filter.user),
            Value::Text(filter.ip.as_deref()),
            Value::Text(filter.form.map(SignInForm::as_str)),
            Value::Text(filter.handle.as_ref().map(SessionHandle::as_str)),
        ];
        bound.extend(patterns.map_or([Value::Text(None); 2], Patterns::bound));
        bound.extend(few.map(Value::from));
        bound
    }
}

/// How a page is come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    By(Lead),
    /// Nothing is asked for.
    Forwards,
    /// The same from the other end, which is nearer.
    Backwards,
}

impl Way {
    /// More sessions than this are not sorted for one page of them: when so many match, a page is
    /// soon full along all that there are.
    const SORTED: u64 = 5_000;

    fn of(search: &Search<'_>, page: &Page, total: u64) -> Self {
        let lead = search.lead();
        let is_far = page.after.is_none() && page.skip > total / 2;
        if lead == Lead::ManyPeople && total > Self::SORTED {
            Self::By(Lead::Nothing)
        } else if lead != Lead::Nothing {
            Self::By(lead)
        } else if is_far {
            Self::Backwards
        } else {
            Self::Forwards
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::By(lead) => sql::page(lead),
            Self::Forwards => sql::OF_ALL,
            Self::Backwards => sql::OF_ALL_BACKWARDS,
        }
    }

    /// How many rows, and how many before them.
    fn span(self, page: &Page, total: u64) -> (i64, i64) {
        let Page { limit, skip, .. } = *page;
        let (limit, skip) = match self {
            Self::By(_) | Self::Forwards => (limit, skip),
            Self::Backwards => {
                let left = total.saturating_sub(skip);
                (limit.min(left), left.saturating_sub(limit))
            }
        };
        (i64::try_from(limit).unwrap_or(i64::MAX), i64::try_from(skip).unwrap_or(i64::MAX))
    }
}

async fn people(tx: &mut Tx, patterns: Patterns) -> Result<People> {
    let mut bound: Vec<Value<'_>> = vec![Value::Int(None); 5];
    bound.extend(patterns.bound());
    let one_more = i64::try_from(FEW + 1).unwrap_or(i64::MAX);
    bound.push(Value::from(one_more));
    let rows = tx.fetch_all(sql::PEOPLE, &bound).await?;
    if rows.len() > FEW {
        return Ok(People::Many(patterns));
    }
    // Nobody has the number 0.
    let mut users = [UserId(0); FEW];
    for (user, row) in users.iter_mut().zip(&rows) {
        *user = UserId(row.get("id")?);
    }
    Ok(People::Few(users))
}

/// What names and addresses are compared with.
struct Patterns {
    /// For what begins so.
    beginning: String,
    /// For a name with a later word that begins so.
    later: String,
}

impl Patterns {
    fn of(text: &str) -> Self {
        let beginning = literal(&fold(text)) + "%";
        Self { later: format!("% {beginning}"), beginning }
    }

    /// `$6` and `$7` of every statement.
    fn bound(&self) -> [Value<'_>; 2] {
        [Value::Text(Some(&self.beginning)), Value::Text(Some(&self.later))]
    }
}

fn live_session(row: &Row) -> Result<LiveSession> {
    let handle: String = row.get("handle")?;
    let fault = |column| {
        let handle = &handle;
        move || corrupt("sessions", column, handle)
    };
    let form: String = row.get("form")?;
    Ok(LiveSession {
        user_id: UserId(row.get("user_id")?),
        email: row.get("email")?,
        username: row.get("username")?,
        first_name: row.get("first_name")?,
        last_name: row.get("last_name")?,
        account_type: AccountType::from_id(row.get("account_type")?)
            .ok_or_else(fault("account_type"))?,
        form: SignInForm::parse(&form).ok_or_else(fault("form"))?,
        ip: row.get("ip")?,
        user_agent: row.get("user_agent")?,
        platform: row.get("platform")?,
        device_type: row.get("device_type")?,
        app_version: row.get("app_version")?,
        second_factor: row.get("second_factor")?,
        is_remembered: row.get("is_remembered")?,
        created_at: Time(row.get("created_at")?),
        last_active: Time(row.get("last_active")?),
        expires_at: Time(row.get("expires_at")?),
        handle: SessionHandle::parse(&handle).ok_or_else(fault("handle"))?,
    })
}
