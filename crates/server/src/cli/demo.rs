//! `portcullis demo`: everything on one port of this machine, to try it out. Sample users of each
//! account type, the sample application behind the gate, and mail that is caught in a directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::Tx;
use portcullis_store::roles::{self, NewRole};
use portcullis_store::users::{self, NewUser};
use sample_upstream::Files;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::open::{self, Opened};
use super::{output, serve};
use crate::config::LogFormat;
use crate::telemetry::log;

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on this machine; 0 lets the system choose.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
    /// Where to keep the configuration, the database and the mail. Without it they live in a
    /// temporary directory and vanish at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Prints users, passwords and addresses as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Somebody to sign in as.
struct Sample {
    email: &'static str,
    username: &'static str,
    password: &'static str,
    account_type: AccountType,
    role: &'static str,
}

const PASSWORD: &str = "portcullis-demo-password";

/// The first is the user of the documents' own samples.
const SAMPLES: [Sample; 7] = [
    Sample {
        email: "user@example.com",
        username: "fredkiss3",
        password: "your-password",
        account_type: AccountType::Staff,
        role: "office",
    },
    sample("owner@example.com", "owner", AccountType::Staff, "owner"),
    sample("staff@example.com", "staff", AccountType::Staff, "office"),
    sample("agent@example.com", "agent", AccountType::Agent, "office"),
    sample("landlord@example.com", "landlord", AccountType::Landlord, "user"),
    sample("tenant@example.com", "tenant", AccountType::Tenant, "user"),
    sample("contractor@example.com", "contractor", AccountType::Contractor, "user"),
];

/// What the sample application's office may do.
const OFFICE: [&str; 4] = [
    "api.jobs.manage.manage",
    "api.leads.list",
    "api.projects.manage",
    "api.security.mobile_auth.use",
];

/// Serves the demo until a signal asks it to stop.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    log::to_stderr(LogFormat::Text);
    let stop = serve::stop_on_signal()?;
    let (directory, _temporary) = directory(args.data.as_deref())?;
    let application = directory.join("app");
    sample_upstream::write_missing(&application)
        .with_context(|| format!("cannot write into {}", application.display()))?;
    let upstream = start_upstream(Files::of(&application)).await?;
    let config = write_config(&directory, args.port, upstream)?;
    let opened = Box::pin(open::open(open::load(&config)?)).await?;
    add_samples(&opened).await?;
    let running = Box::pin(serve::start(opened)).await?;
    let url = running.app.public_url.to_string();
    let outbox = directory.join("outbox");
    let text = if args.json {
        as_json(&url, &outbox, &application)
    } else {
        welcome(&url, &outbox, &application, &config)
    };
    output::print(&text)?;
    running.until(stop).await;
    Ok(ExitCode::SUCCESS)
}

const fn sample(
    email: &'static str,
    username: &'static str,
    account_type: AccountType,
    role: &'static str,
) -> Sample {
    Sample { email, username, password: PASSWORD, account_type, role }
}

/// The directory to work in; a temporary one goes when the second value does.
fn directory(wanted: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    let Some(path) = wanted else {
        let temporary = TempDir::with_prefix("portcullis-demo-")
            .context("cannot make a temporary directory")?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok((path.canonicalize().context("the directory has no full name")?, None))
}

/// The sample application, on a port of its own that only this machine reaches.
async fn start_upstream(files: Files) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the sample")?;
    let address = listener.local_addr().context("the sample's port has no address")?;
    #[expect(clippy::disallowed_methods, reason = "the application behind the gate is not ours")]
    tokio::spawn(async move {
        if let Err(error) = sample_upstream::serve(listener, files).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the sample stopped");
        }
    });
    Ok(address)
}

fn write_config(directory: &Path, port: u16, upstream: SocketAddr) -> anyhow::Result<PathBuf> {
    let file = directory.join("portcullis.toml");
    let text = |path: &Path| toml::Value::String(path.display().to_string());
    let (data, application) = (text(directory), text(&directory.join("app")));
    // The system's choice of a port is not known yet; the address then follows it.
    let public_url = match port {
        0 => String::new(),
        port => format!("\npublic_url = \"http://localhost:{port}\""),
    };
    let text = format!(
        r#"# Written by `portcullis demo` at each start.
[server]
listen = "127.0.0.1:{port}"{public_url}
data_dir = {data}

# Nothing of a password leaves this machine.
[breach]
sources = ["list"]

[[integrity.root]]
name = "app"
path = {application}

[gate]
upstream = "http://{upstream}"

[[gate.rule]]
id = "about"
path = "/public"
allow = "anyone"

[[gate.rule]]
id = "application"
path = "/"
allow = "signed_in"

[[gate.rule]]
id = "admin"
path = "/admin"
allow = {{ account_type = "staff" }}

[[gate.rule]]
id = "jobs"
path = "/api/jobs"
allow = {{ permission = "api.jobs.manage.manage" }}

[[gate.rule]]
id = "leads"
path = "/api/leads"
allow = {{ permission = "api.leads.list" }}

[[gate.rule]]
id = "projects"
path = "/api/projects"
allow = {{ permission = "api.projects.manage" }}
"#
    );
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Makes the sample users and their role, where a kept directory does not have them yet.
async fn add_samples(opened: &Opened) -> anyhow::Result<()> {
    let now = opened.clock.now();
    let mut tx = opened.db.write().await?;
    if roles::by_name(&mut tx, "office").await?.is_none() {
        let level = Level::new(30).context("30 is a level")?;
        let role = NewRole { name: Name::parse("office")?, level };
        let id = roles::insert(&mut tx, &role, now).await?;
        for key in OFFICE {
            roles::grant(&mut tx, id, &Grant::parse(key)?).await?;
        }
    }
    for sample in &SAMPLES {
        add(opened, &mut tx, sample).await?;
    }
    Ok(tx.commit().await?)
}

async fn add(opened: &Opened, tx: &mut Tx, sample: &Sample) -> anyhow::Result<()> {
    let email = Email::parse(sample.email)?;
    if users::by_email(tx, &email).await?.is_some() {
        return Ok(());
    }
    let role = roles::by_name(tx, sample.role).await?.context("the role was made above")?;
    let params = opened.config.password.argon2;
    let salt = opened.random.bytes();
    let phc = portcullis_domain::password::hash(
        &params,
        &mut portcullis_domain::password::Memory::default(),
        sample.password,
        &salt,
    )?;
    let new = NewUser {
        uuid: uuid::Uuid::from_bytes(opened.random.bytes()).to_string(),
        email,
        username: Some(Username::parse(sample.username)?),
        first_name: Name::parse(&capitalised(sample.username))?,
        last_name: Name::parse("Example")?,
        phone: None,
        branch_id: 1,
        account_type: sample.account_type,
        role_id: role.id,
        password: Some(users::NewPassword::unseen(phc)),
    };
    users::insert(tx, &new, opened.clock.now()).await?;
    Ok(())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn as_json(url: &str, outbox: &Path, application: &Path) -> String {
    let users: Vec<_> = SAMPLES
        .iter()
        .map(|sample| {
            json!({
                "email": sample.email,
                "username": sample.username,
                "password": sample.password,
                "account_type": sample.account_type.name(),
                "role": sample.role,
            })
        })
        .collect();
    json!({"url": url, "users": users, "outbox": outbox, "files": application}).to_string()
}

fn welcome(url: &str, outbox: &Path, application: &Path, config: &Path) -> String {
    let line = |sample: &Sample| {
        let Sample { email, username, password, account_type, role } = sample;
        let kind = account_type.name();
        format!("  {email:<24} {username:<11} {password:<25} {kind:<11} {role}\n")
    };
    let users: String = SAMPLES.iter().map(line).collect();
    format!(
        "Portcullis is ready. Open {url} and sign in.\n\n\
         Users (e-mail, username, password, account type, role):\n{users}\n\
         Application   {url}/          a sample behind the gate: jobs, leads, projects\n\
         API           {url}/-/docs\n\
         Mail          {outbox}\n\
         Files         {application}  watched: change one, and look at {url}/-/admin/files as owner\n\
         Configuration {config}\n\n\
         Try it from another terminal:\n\
         \x20 curl -X POST {url}/api/security/mobile-auth -H 'Content-Type: application/json' \\\n\
         \x20   -d '{{\"email\": \"user@example.com\", \"password\": \"your-password\"}}'\n\n\
         Ctrl-C stops it.",
        outbox = outbox.display(),
        application = application.display(),
        config = config.display(),
    )
}
