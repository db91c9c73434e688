//! `portcullis doctor`: looks at the installation and at what stands in front of it, and says what to
//! do. What is looked at is in `crate::doctor`.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use portcullis_domain::origin::Origin;
use portcullis_domain::secret::Keys;
use portcullis_domain::text::Host;
use url::Url;

use super::output::{self, Output};
use super::{Common, DONE, REFUSED, UNREACHABLE, USAGE, open};
use crate::clock::Clock;
use crate::config::{Config, Faults};
use crate::doctor::front::{self, Front};
use crate::doctor::probe::Prober;
use crate::doctor::stand_in::StandIn;
use crate::doctor::wire::{Place, Trust};
use crate::doctor::{Check, Status, backup, breach, installation, warnings};
use crate::random::Random;
use crate::web::forward_auth::Kind;

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// The address that people type, to be tried through whatever stands in front.
    #[arg(long, value_name = "URL", value_parser = url)]
    url: Option<Url>,
    /// The proxy there that asks the gate (forward-auth). Without it, the gate itself leads on, alone
    /// or behind a proxy.
    #[arg(long, value_enum, requires = "url")]
    proxy: Option<Proxy>,
    /// A path that not everybody may see, instead of one that the rules name.
    #[arg(long, requires = "url", value_parser = path)]
    path: Option<String>,
    /// Takes the place of the application at this address, which must be stopped, to see what reaches
    /// it.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "url")]
    stand_in: Option<SocketAddr>,
    /// Reads a bearer token of somebody who may pass from the standard input, for --stand-in.
    #[arg(long, requires = "stand_in")]
    token_stdin: bool,
    /// Believes every certificate.
    #[arg(long, requires = "url")]
    insecure: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proxy {
    Nginx,
    Caddy,
    Traefik,
    Haproxy,
    Envoy,
}

impl Proxy {
    const fn kind(self) -> Kind {
        match self {
            Self::Nginx => Kind::Nginx,
            Self::Caddy => Kind::Caddy,
            Self::Traefik => Kind::Traefik,
            Self::Haproxy => Kind::Haproxy,
            Self::Envoy => Kind::Envoy,
        }
    }
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = match Config::load(Some(&args.common.config), open::environment()) {
        Ok(config) => config,
        Err(faults) => {
            show(output, &of_faults(&faults))?;
            return Ok(ExitCode::from(USAGE));
        }
    };
    let checks = Box::pin(look(&args, &config)).await?;
    show(output, &checks)?;
    Ok(ExitCode::from(exit_code(&checks)))
}

fn of_faults(faults: &Faults) -> Vec<Check> {
    let advice = "correct it; portcullis config sample explains every key";
    faults.iter().map(|fault| Check::fault("config", fault.to_string(), advice)).collect()
}

async fn look(args: &Args, config: &Config) -> anyhow::Result<Vec<Check>> {
    let count = config.gate.rules.rules().len();
    let mut checks = vec![Check::ok("config", format!("in order; rules: {count}"))];
    checks.extend(installation::files(config));
    let (check, secret) = installation::secret(&config.server.secret_file);
    checks.push(check);
    checks.push(installation::proxies(config));
    let clock = Clock::system();
    checks.extend(installation::certificate(config, clock.now()));
    checks.extend(installation::places(config));
    checks.extend(breach::check(&config.breach, &clock).await);
    checks.extend(installation::mail(config).await);
    if args.stand_in.is_none() {
        checks.extend(installation::upstreams(config).await);
    }
    let Some(secret) = secret else { return Ok(checks) };
    let keys = Keys::derive(&secret)?;
    let database = installation::database(config, &keys, &clock).await;
    let is_usable = database.status == Status::Ok;
    checks.push(database);
    if is_usable {
        checks.extend(backup::check(config, &keys, &clock).await);
    }
    let public = config.server.public_url_at(config.server.listen);
    let server = server_place(config, &public)?;
    let front = match &args.url {
        Some(url) => place(url, args.insecure)?,
        None => server.clone(),
    };
    let prober = Prober { keys: &keys, clock: &clock, random: Random, front, server };
    let server = installation::server(config, &prober).await;
    let is_there = server.status == Status::Ok;
    checks.push(server);
    if is_there {
        checks.extend(warnings::check(&prober).await);
    }
    checks.extend(installation::metrics(config).await);
    if let Some(url) = args.url.as_ref().filter(|_| is_there) {
        checks.extend(Box::pin(look_in_front(args, config, (&public, url), &prober)).await?);
    }
    Ok(checks)
}

async fn look_in_front(
    args: &Args,
    config: &Config,
    (public, url): (&Origin, &Url),
    prober: &Prober<'_>,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    if args.insecure {
        let advice = "leave --insecure out to check it, too";
        let detail = "whose certificate it is was not looked at";
        checks.push(Check::found(Status::NotChecked, "certificate", detail, advice));
    }
    let stand_in = match args.stand_in {
        Some(place) => match StandIn::take(place).await {
            Ok(stand_in) => Some(stand_in),
            Err(error) => {
                let detail = format!("cannot take the application's place at {place}: {error}");
                let advice = "stop the application first; on another machine, run doctor there";
                let check = Check::found(Status::Unreachable, "stand_in", detail, advice);
                return Ok(vec![check]);
            }
        },
        None => None,
    };
    let front = Front {
        config,
        public,
        kind: args.proxy.map(Proxy::kind),
        host: Host::parse(url.host_str().unwrap_or_default())?,
        path: args.path.clone(),
        stand_in: stand_in.as_ref(),
        token: if args.token_stdin { Some(token()?) } else { None },
    };
    let trying = Box::pin(front::check(&front, prober));
    let found = match &stand_in {
        Some(stand_in) => tokio::select! {
            found = trying => found,
            never = stand_in.serve() => match never {},
        },
        None => trying.await,
    };
    checks.extend(found);
    Ok(checks)
}

/// Where the server itself is, past everything in front. What it shows there is its own certificate.
fn server_place(config: &Config, public: &Origin) -> anyhow::Result<Place> {
    let listen = config.server.listen;
    let ip = installation::reachable(listen.ip()).to_string();
    let authority = authority(public.host(), public);
    Ok(match config.server.tls {
        Some(_) => Place::secure(ip, listen.port(), authority, Trust::Anybody)?,
        None => Place::plain(ip, listen.port(), authority),
    })
}

fn authority(host: &Host, of: &Origin) -> String {
    let usual = if of.is_https() { 443 } else { 80 };
    if of.port() == usual { host.to_string() } else { format!("{host}:{}", of.port()) }
}

fn place(url: &Url, insecure: bool) -> anyhow::Result<Place> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let bare = host.trim_matches(['[', ']']).to_owned();
    if url.scheme() == "http" {
        return Ok(Place::plain(bare, port, authority));
    }
    let trust = if insecure { Trust::Anybody } else { Trust::Roots };
    Ok(Place::secure(bare, port, authority, trust)?)
}

fn token() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(8 * 1024).read_to_string(&mut text).context("no token on the input")?;
    let token = text.trim();
    anyhow::ensure!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "the token on the standard input is none"
    );
    Ok(token.to_owned())
}

fn show(output: Output, checks: &[Check]) -> anyhow::Result<()> {
    match output {
        Output::Machine => output::print(&serde_json::to_string(checks)?),
        Output::Person => output::print(&in_lines(checks)),
    }
}

/// One line each, and what to do below it; then how many are not in order.
fn in_lines(checks: &[Check]) -> String {
    let widest = checks.iter().map(|check| check.id.len()).max().unwrap_or_default();
    let line = |status: &str, id: &str, text: &str| format!("{status:<11}  {id:<widest$}  {text}");
    let mut lines = Vec::new();
    for check in checks {
        lines.push(line(check.status.word(), &check.id, &check.detail));
        lines.extend(check.advice.as_ref().map(|advice| line("", "", &format!("-> {advice}"))));
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (faults, warnings) = (count(Status::Fault), count(Status::Warning));
    let (silent, skipped) = (count(Status::Unreachable), count(Status::NotChecked));
    lines.push(format!(
        "Checked {}. Faults: {faults}, warnings: {warnings}, unreachable: {silent}, not checked: \
         {skipped}.",
        checks.len()
    ));
    lines.join("\n")
}

fn exit_code(checks: &[Check]) -> u8 {
    let any = |wanted: &[Status]| checks.iter().any(|check| wanted.contains(&check.status));
    if any(&[Status::Unreachable]) {
        UNREACHABLE
    } else if any(&[Status::Fault, Status::Warning]) {
        REFUSED
    } else {
        DONE
    }
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let names_nobody = url.username().is_empty() && url.password().is_none();
    if is_http
        && is_bare
        && names_nobody
        && url.host_str().is_some_and(|host| Host::parse(host).is_ok())
    {
        Ok(url)
    } else {
        Err("an http or https address without a path, such as https://app.example.org".to_owned())
    }
}

fn path(text: &str) -> Result<String, String> {
    let parsed = portcullis_domain::request_path::RequestPath::parse(text);
    parsed.map(|path| path.as_str().to_owned()).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_the_worst() {
        let check = |statuses: &[Status], expected| {
            let found = |status: &Status| Check::found(*status, "x", "", "");
            let checks: Vec<_> = statuses.iter().map(found).collect();
            assert_eq!(exit_code(&checks), expected, "{statuses:?}");
        };
        check(&[], DONE);
        check(&[Status::Ok, Status::NotChecked], DONE);
        check(&[Status::Ok, Status::Warning], REFUSED);
        check(&[Status::Fault, Status::Ok], REFUSED);
        check(&[Status::Fault, Status::Unreachable], UNREACHABLE);
    }

    #[test]
    fn people_read_lines_with_what_to_do() {
        let checks =
            [Check::ok("config", "in order"), Check::fault("a_long_name", "is not", "do this")];
        assert_eq!(
            in_lines(&checks),
            "ok           config       in order\n\
             fault        a_long_name  is not\n\
             \u{20}                         -> do this\n\
             Checked 2. Faults: 1, warnings: 0, unreachable: 0, not checked: 0."
        );
    }
}
