//! `portcullis user`: makes and changes accounts in the words of the operator. What is allowed and
//! what follows is the flow's (`flows::users`).

mod blacklist;
mod erase;
mod listing;
pub(super) mod password;
mod places;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use portcullis_domain::account::AccountType;
use portcullis_domain::event::PasswordChanger;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::users::User;
use serde_json::json;

use super::Common;
use super::open::{self, Operator};
use super::output::{self, Output};
use crate::flows::new_password::Person;
use crate::flows::users::{self, Change, NewAccount};

/// `portcullis user …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a user and prints {"id":1,"uuid":"…"}.
    Create(Create),
    /// Lists every user.
    List(Common),
    /// Closes an account and ends everything that is signed in to it.
    Disable(Named),
    /// Opens an account again. What was signed in before stays ended.
    Enable(Named),
    /// Sets a password and ends everything that is signed in to the account.
    SetPassword(SetPassword),
    /// Forgives wrong passwords: the user can sign in again at once, from everywhere.
    Unlock(Named),
    /// Takes the second factor away of somebody who lost it, and ends everything that is signed in.
    #[command(name = "reset-2fa")]
    ResetFactor(Named),
    /// Keeps a user out, and ends everything that is signed in to the account.
    Blacklist(blacklist::Args),
    /// Lets a user in again. What was signed in before stays ended.
    Unblacklist(Named),
    /// Takes a person out for good: the account, and what the log and everything else holds of him.
    Erase(erase::Args),
    /// Lists the places where a user signed in before; vouches for one, or forgets them.
    Places(places::Args),
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    common: Common,
    /// The e-mail address, which is also a name for signing in.
    #[arg(long, value_parser = Email::parse)]
    email: Email,
    /// A shorter name for signing in: letters, digits and _ . @ + -
    #[arg(long, value_parser = Username::parse)]
    username: Option<Username>,
    /// The first name.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true,
        value_parser = Name::parse)]
    first_name: Name,
    /// The last name.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true,
        value_parser = Name::parse)]
    last_name: Name,
    /// The telephone number, as people write it.
    #[arg(long, value_parser = Name::parse)]
    phone: Option<Name>,
    /// The number of the branch that the user belongs to.
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
        value_parser = clap::value_parser!(i64).range(1..=i64::from(i32::MAX)))]
    branch: i64,
    /// What kind of account it is.
    #[arg(long, value_name = "TYPE", default_value = "staff", ignore_case = true,
        value_parser = account_type())]
    account_type: AccountType,
    /// The role that says what the user may do.
    #[arg(long, value_name = "NAME", default_value = "user")]
    role: String,
    /// Reads the password from the first line of the standard input. Without it the user cannot
    /// sign in by password until one is set.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The user's e-mail address.
    #[arg(value_parser = Email::parse)]
    email: Email,
}

#[derive(clap::Args)]
struct SetPassword {
    #[command(flatten)]
    named: Named,
    /// Reads the password from the first line of the standard input; there is no other way.
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Create(args) => create(args).await,
        Command::List(common) => list(common).await,
        Command::Disable(named) => change(named, Act::Disable).await,
        Command::Enable(named) => change(named, Act::Enable).await,
        Command::Unlock(named) => change(named, Act::Unlock).await,
        Command::ResetFactor(named) => change(named, Act::ResetFactor).await,
        Command::Blacklist(args) => blacklist::add(args).await,
        Command::Unblacklist(named) => blacklist::remove(named).await,
        Command::Erase(args) => Box::pin(erase::run(args)).await,
        Command::Places(args) => places::run(args).await,
        Command::SetPassword(args) => set_password(args.named).await,
    }
}

async fn create(args: Create) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    let mut new = NewAccount {
        email: args.email,
        username: args.username,
        first_name: args.first_name,
        last_name: args.last_name,
        phone: args.phone.map(|phone| phone.as_str().to_owned()).filter(|phone| !phone.is_empty()),
        branch_id: args.branch,
        account_type: args.account_type,
        role: args.role,
        password: None,
    };
    let typed = args.password_stdin.then(|| password::from_stdin(&config, &new.whose(), output));
    let typed = match typed.transpose()?.transpose() {
        Ok(typed) => typed,
        Err(code) => return Ok(code),
    };
    open::with(config, async |on| {
        if let Some(text) = &typed {
            let accepted = password::accept(on, text, &new.whose(), output).await?;
            match accepted {
                Ok(password) => new.password = Some(password),
                Err(code) => return Ok(code),
            }
        }
        let created = users::create(&Operator::new().acting(on), &new).await?;
        told_of_creation(&new, created, output)
    })
    .await
}

fn told_of_creation(
    new: &NewAccount,
    created: users::Create,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (email, role) = (&new.email, &new.role);
    Ok(match created {
        users::Create::Created { id, uuid } => {
            output::print(&json!({ "id": id, "uuid": uuid }).to_string())?;
            if new.password.is_none() {
                output.note("There is no password yet: portcullis user set-password sets one.");
            }
            ExitCode::SUCCESS
        }
        users::Create::EmailTaken => {
            output.refuse("email_taken", &format!("The address {email} belongs to another user."))
        }
        users::Create::UsernameTaken => {
            let name = new.username.as_ref().map_or("", Username::as_str);
            output.refuse("username_taken", &format!("The name {name} belongs to another user."))
        }
        users::Create::UsernameIsAddress => {
            let name = new.username.as_ref().map_or("", Username::as_str);
            let sentence = format!("The name {name} is an address, and not {email}.");
            output.refuse("username_is_address", &sentence)
        }
        users::Create::UnknownRole => output.refuse(
            "role_unknown",
            &format!("There is no role {role:?}; portcullis role list shows those there are."),
        ),
        users::Create::Refused(refusal) => output.refuse("not_allowed", &refusal.to_string()),
    })
}

async fn list(common: Common) -> anyhow::Result<ExitCode> {
    open::with(open::load(&common.config)?, async |on| {
        listing::print(&users::list(&on.db).await?, Output::new(common.json))
    })
    .await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Disable,
    Enable,
    Unlock,
    ResetFactor,
}

async fn change(named: Named, act: Act) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    open::with(open::load(&named.common.config)?, async |on| {
        let Some(user) = users::find(&on.db, &named.email).await? else {
            return Ok(unknown(&named.email, output));
        };
        let operator = Operator::new();
        let acting = operator.acting(on);
        let (change, done, unchanged) = match act {
            Act::Disable => (
                users::disable(&acting, user.id).await?,
                "is disabled; its sessions and tokens have ended",
                "was disabled already",
            ),
            Act::Enable => {
                (users::enable(&acting, user.id).await?, "is enabled", "was enabled already")
            }
            Act::Unlock => {
                (users::unlock(&acting, user.id).await?, "is unlocked", "was not locked")
            }
            Act::ResetFactor => {
                let place = on.config.server.public_url_at(on.config.server.listen).to_string();
                (
                    users::reset_factor(&acting, user.id, &place).await?,
                    "has no second factor any more; its sessions and tokens have ended",
                    "had no second factor",
                )
            }
        };
        if change == Change::Done && matches!(act, Act::Disable | Act::ResetFactor) {
            open::felt_everywhere(on).await;
        }
        told_of_change(&user, &change, (done, unchanged), output)
    })
    .await
}

async fn set_password(named: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    let config = open::load(&named.common.config)?;
    let typed = match password::from_stdin(&config, &Person::default(), output)? {
        Ok(typed) => typed,
        Err(code) => return Ok(code),
    };
    open::with(config, async |on| {
        let Some(user) = users::find(&on.db, &named.email).await? else {
            return Ok(unknown(&named.email, output));
        };
        let new = match password::accept(on, &typed, &Person::from(&user), output).await? {
            Ok(password) => password,
            Err(code) => return Ok(code),
        };
        let (operator, by) = (Operator::new(), PasswordChanger::Operator);
        let place = on.config.server.public_url_at(on.config.server.listen).to_string();
        let acting = operator.acting(on);
        let change = users::set_password(&acting, user.id, &new, by, &place).await?;
        if change == Change::Done {
            open::felt_everywhere(on).await;
        }
        let done = "has a new password; its sessions and tokens have ended";
        told_of_change(&user, &change, (done, "has it already"), output)
    })
    .await
}

/// `sentences`: how the account's line goes on when it was changed, and when there was no need.
fn told_of_change(
    user: &User,
    change: &Change,
    sentences: (&str, &str),
    output: Output,
) -> anyhow::Result<ExitCode> {
    let email = &user.email;
    let value =
        |changed: bool| json!({ "id": user.id, "email": email.as_str(), "changed": changed });
    match change {
        Change::Done => output.done(&value(true), &format!("{email} {}.", sentences.0)),
        Change::Unchanged => output.done(&value(false), &format!("{email} {}.", sentences.1)),
        Change::Unknown => Ok(unknown(email, output)),
        Change::Refused(refusal) => Ok(output.refuse("not_allowed", &refusal.to_string())),
    }
}

pub(super) fn unknown(email: &Email, output: Output) -> ExitCode {
    output.refuse("user_unknown", &format!("There is no user with the address {email}."))
}

pub(super) fn account_type() -> impl TypedValueParser<Value = AccountType> {
    PossibleValuesParser::new(AccountType::ALL.map(word))
        .try_map(|text| AccountType::parse(&text).ok_or("this is no account type"))
}

/// The type as it is written here.
fn word(account_type: AccountType) -> &'static str {
    match account_type {
        AccountType::Staff => "staff",
        AccountType::Agent => "agent",
        AccountType::Landlord => "landlord",
        AccountType::Tenant => "tenant",
        AccountType::Contractor => "contractor",
    }
}
