//! `portcullis init`: the way from nothing to a gate in front of an application. Writes a
//! configuration, makes what it names, and prints the one-time link with which the owner sets a
//! password. With a configuration that is there already, a new link.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use portcullis_domain::origin::Origin;
use portcullis_domain::text::Email;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::net::TcpStream;
use url::Url;

use super::open::{self, Operator};
use super::output::{self, Output};
use super::{DONE, USAGE};
use crate::config::{self, Config, Starter};
use crate::flows::first_run::{self, Hindrance, Link, PLACEHOLDER, Prepared};
use crate::web::pages::{FIRST_RUN, SIGN_IN};

/// What `init` takes.
#[derive(clap::Args)]
pub struct Args {
    /// The address of the application to protect: scheme, host and port. Without it, prints a new
    /// link for a configuration that is there already.
    #[arg(long, value_name = "URL", value_parser = config::upstream)]
    upstream: Option<Url>,
    /// The configuration file to write.
    #[arg(long, value_name = "FILE", default_value = "portcullis.toml")]
    config: PathBuf,
    /// The address that people will type, if it is not the one that the gate listens on.
    #[arg(long, value_name = "URL", requires = "upstream", value_parser = config::public_url)]
    public_url: Option<Origin>,
    /// The owner's e-mail address; can be given with the password as well.
    #[arg(long, value_parser = Email::parse)]
    email: Option<Email>,
    /// Prints JSON: where the configuration is, the link, its end, and the next command.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let exists = args.config.symlink_metadata().is_ok();
    match &args.upstream {
        Some(_) if exists => Ok(refuse_existing(&args)),
        Some(upstream) => first(&args, upstream).await,
        None if exists => again(&args).await,
        None => {
            let file = args.config.display();
            output::error(&format!(
                "there is no {file} yet; name the application: portcullis init --upstream URL"
            ));
            Ok(ExitCode::from(USAGE))
        }
    }
}

/// A new configuration. Its file gets its name last, so that it is there whole or not at all.
async fn first(args: &Args, upstream: &Url) -> anyhow::Result<ExitCode> {
    let draft = write_draft(args, upstream)
        .with_context(|| format!("cannot write {}", args.config.display()))?;
    let config = open::load(draft.path())?;
    let link = match prepare(&config, args).await? {
        Prepared::Link(link) => link,
        Prepared::Hindered(hindrance) => return Ok(refuse(args, &config, hindrance)),
    };
    match draft.persist_noclobber(&args.config) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(refuse_existing(args));
        }
        Err(error) => {
            let context = format!("cannot write {}", args.config.display());
            return Err(anyhow::Error::new(error.error).context(context));
        }
    }
    let (file, upstream_shown) = (args.config.display(), upstream.as_str().trim_end_matches('/'));
    let code = tell(args, &config, &link, &format!("Wrote {file} for {upstream_shown}\n\n"))?;
    if !args.json && !answers(upstream).await {
        let hint =
            format!("\nNothing answers at {upstream_shown} yet: start your application, too.");
        Output::Person.note(&hint);
    }
    Ok(code)
}

/// A new link for a configuration that is there.
async fn again(args: &Args) -> anyhow::Result<ExitCode> {
    let config = open::load(&args.config)?;
    match prepare(&config, args).await? {
        Prepared::Link(link) => tell(args, &config, &link, ""),
        Prepared::Hindered(hindrance) => Ok(refuse(args, &config, hindrance)),
    }
}

async fn prepare(config: &Config, args: &Args) -> anyhow::Result<Prepared> {
    let placeholder = Email::parse(PLACEHOLDER)?;
    let email = args.email.as_ref().unwrap_or(&placeholder);
    open::with(config.clone(), async |on| {
        let key = &on.keys.credential;
        Ok(first_run::prepare(&Operator::new().acting(on), key, email).await?)
    })
    .await
}

fn write_draft(args: &Args, upstream: &Url) -> anyhow::Result<NamedTempFile> {
    let file = std::path::absolute(&args.config)?;
    let directory = file.parent().context("it has no directory")?;
    let data_dir = directory.join("portcullis-data");
    data_dir.to_str().context("the name of its directory is not UTF-8")?;
    let starter = Starter { upstream, public_url: args.public_url.as_ref(), data_dir: &data_dir };
    let mut draft =
        tempfile::Builder::new().prefix(".portcullis-").suffix(".draft").tempfile_in(directory)?;
    draft.write_all(starter.text().as_bytes())?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Whether the application takes a connection now.
async fn answers(upstream: &Url) -> bool {
    const PATIENCE: Duration = Duration::from_secs(1);
    let (Some(host), Some(port)) = (upstream.host_str(), upstream.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await;
    connected.is_ok_and(|connected| connected.is_ok())
}

fn tell(args: &Args, config: &Config, link: &Link, before: &str) -> anyhow::Result<ExitCode> {
    let config_file = in_shell(&args.config);
    let next = format!("portcullis serve --config {config_file}");
    let address = address(args, config, link);
    let until = link.expires_at.iso();
    if args.json {
        let told = json!({
            "config": args.config,
            "link": address,
            "expires_at": until,
            "next": next,
        });
        output::print(&told.to_string())?;
    } else {
        output::print(&format!(
            "{before}Start the gate:\n\n\
             \x20 {next}\n\n\
             Then open this link and set the owner's password. It works once, until {until}:\n\n\
             \x20 {address}\n\n\
             A new link, in place of this one: portcullis init --config {config_file}"
        ))?;
    }
    Ok(ExitCode::from(DONE))
}

/// The link. Code and address stand in the fragment, which browsers do not send.
fn address(args: &Args, config: &Config, link: &Link) -> String {
    let public_url = config.server.public_url_at(config.server.listen);
    let code = link.code.reveal();
    let email = args.email.as_ref().unwrap_or(&link.email).as_str();
    if email == PLACEHOLDER {
        return format!("{public_url}{FIRST_RUN}#t={code}");
    }
    let email: String = form_urlencoded::byte_serialize(email.as_bytes()).collect();
    format!("{public_url}{FIRST_RUN}#t={code}&e={email}")
}

fn refuse_existing(args: &Args) -> ExitCode {
    let file = in_shell(&args.config);
    let sentence = format!(
        "{} exists already and is left as it is. For a new link: portcullis init --config {file}",
        args.config.display()
    );
    Output::new(args.json).refuse("config_exists", &sentence)
}

fn refuse(args: &Args, config: &Config, hindrance: Hindrance) -> ExitCode {
    let output = Output::new(args.json);
    match hindrance {
        Hindrance::OwnerExists => {
            let server = &config.server;
            let sign_in = format!("{}{SIGN_IN}", server.public_url_at(server.listen));
            let sentence = format!(
                "In {} there is an owner with a password already. Sign in at {sign_in}, or set \
                 another password with portcullis user set-password.",
                server.data_dir.display()
            );
            output.refuse("owner_exists", &sentence)
        }
        Hindrance::EmailTaken => {
            let email = args.email.as_ref().map_or(PLACEHOLDER, Email::as_str);
            output.refuse("email_taken", &format!("The address {email} belongs to another user."))
        }
        Hindrance::Refused(refusal) => output.refuse("not_allowed", &refusal.to_string()),
    }
}

/// A path as a word of a shell.
fn in_shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@".contains(c);
    if text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        let check = |path: &str, word: &str| assert_eq!(in_shell(Path::new(path)), word);
        check("portcullis.toml", "portcullis.toml");
        check("/etc/portcullis/a-b_c.toml", "/etc/portcullis/a-b_c.toml");
        check("my office.toml", "'my office.toml'");
        check("it's.toml", "'it'\\''s.toml'");
        check("$(x).toml", "'$(x).toml'");
    }
}
