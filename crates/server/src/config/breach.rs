//! `[breach]`: who is asked whether a password is breached, in which order.

use std::path::PathBuf;

use portcullis_domain::audit::note::VerifierKey;
pub use portcullis_domain::password::AtSignIn;
use url::Url;

use super::fault::Reported;
use super::read::Reader;
use super::values;

/// Where breached passwords are known.
#[derive(Clone, Debug)]
pub struct Breach {
    /// In the order in which they are asked, each once.
    pub sources: Vec<BreachSource>,
    pub range_url: Url,
    /// `None`: there is none, and the source `offline` is passed over.
    pub offline_index: Option<PathBuf>,
    /// Who must have signed it. `None`: nobody needs to.
    pub index_key: Option<VerifierKey>,
    pub at_sign_in: AtSignIn,
}

/// Who can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachSource {
    /// The list of common passwords that is built in.
    List,
    /// The index in a file of the operator's.
    Offline,
    /// The range service.
    Online,
}

impl BreachSource {
    const WORDS: [(&'static str, Self); 3] =
        [("list", Self::List), ("offline", Self::Offline), ("online", Self::Online)];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }
}

pub(super) fn breach(r: &mut Reader<'_>) -> Result<Breach, Reported> {
    let sources = r.whole("sources", sources);
    let range_url = r.one("range_url", range_url);
    let offline_index = r.optional("offline_index", values::path);
    let index_key = r.optional("index_key", |text| VerifierKey::parse(text).ok());
    let at_sign_in = r.one("at_sign_in", values::word(&[("off", 0), ("tell", 1), ("require", 2)]));
    let grace = r.one_or_off("grace", values::duration);
    let grace = grace?.unwrap_or_default();
    let at_sign_in = match at_sign_in? {
        0 => AtSignIn::Off,
        1 => AtSignIn::Tell,
        _ => AtSignIn::Require { grace },
    };
    Ok(Breach {
        sources: sources?,
        range_url: range_url?,
        offline_index: offline_index?,
        index_key: index_key?,
        at_sign_in,
    })
}

fn sources(words: &[String]) -> Option<Vec<BreachSource>> {
    let source = values::word(&BreachSource::WORDS);
    let sources: Vec<BreachSource> =
        words.iter().map(|word| source(word)).collect::<Option<_>>()?;
    let is_once = |(index, source): (usize, &BreachSource)| {
        !sources.iter().skip(index + 1).any(|other| other == source)
    };
    (!sources.is_empty() && sources.iter().enumerate().all(is_once)).then_some(sources)
}

/// What five digits are put behind.
fn range_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let names_nobody = url.username().is_empty() && url.password().is_none();
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.path().ends_with('/');
    (is_http && names_nobody && is_bare && url.port() != Some(0)).then_some(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis_domain::audit::note::SigningKey;

    use super::*;
    use crate::config::Config;

    fn load(section: &str) -> Result<Breach, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("portcullis.toml");
        std::fs::write(&file, format!("[breach]\n{section}\n")).unwrap();
        let config = Config::load(Some(&file), std::iter::empty());
        config.map(|config| config.breach).map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_usual_order_is_from_near_to_far() {
        use BreachSource::{List, Offline, Online};
        let usual = load("").unwrap();
        assert_eq!(usual.sources, [List, Offline, Online]);
        assert_eq!(usual.range_url.as_str(), "https://api.pwnedpasswords.com/range/");
        assert_eq!((usual.offline_index, usual.index_key), (None, None));
        let week = Duration::from_hours(7 * 24);
        assert_eq!(usual.at_sign_in, AtSignIn::Require { grace: week });
        let other =
            load("sources = [\"online\", \"list\"]\noffline_index = \"/srv/index\"").unwrap();
        assert_eq!(other.sources, [Online, List]);
        assert_eq!(other.offline_index, Some(PathBuf::from("/srv/index")));
    }

    const KEY: &str = "ci+23226823+AVKiKua1hag8/kX9tEul0/82HLLd6d5ICQKqss3ReSba";

    #[test]
    fn who_must_have_signed_is_a_public_key() {
        let signed_by = |text: &str| load(&format!("index_key = \"{text}\""));
        let key = signed_by(KEY).unwrap().index_key.unwrap();
        assert_eq!((key.name(), key.to_string().as_str()), ("ci", KEY));
        for text in ["", "/srv/ci.pub", &KEY[1..], &KEY[..KEY.len() - 1], &format!("{KEY} ")] {
            let fault = signed_by(text).unwrap_err();
            assert!(fault.contains("breach.index_key"), "{text}: {fault}");
        }
        // Whoever takes the wrong half finds it in no log.
        let secret = SigningKey::private_text("ci", &[7; 32]).unwrap();
        let fault = signed_by(&secret).unwrap_err();
        assert!(fault.contains("breach.index_key") && !fault.contains(&secret[20..]), "{fault}");
    }

    #[test]
    fn what_is_done_at_a_sign_in_and_how_long_there_is() {
        let check = |section: &str, expected: AtSignIn| {
            assert_eq!(load(section).unwrap().at_sign_in, expected, "{section}");
        };
        check("at_sign_in = \"off\"", AtSignIn::Off);
        check("at_sign_in = \"tell\"\ngrace = \"1d\"", AtSignIn::Tell);
        let hour = Duration::from_hours(1);
        check("at_sign_in = \"require\"\ngrace = \"1h\"", AtSignIn::Require { grace: hour });
        check("grace = \"off\"", AtSignIn::Require { grace: Duration::ZERO });
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name() {
        let check = |section: &str, key: &str| {
            let fault = load(section).unwrap_err();
            assert!(fault.contains(key), "{section}: {fault}");
        };
        check("sources = []", "breach.sources");
        check("sources = [\"list\", \"list\"]", "breach.sources");
        check("sources = [\"file\"]", "breach.sources");
        for url in ["ftp://a/", "https://a/range", "https://a/?q=", "https://u:p@a/", "a"] {
            check(&format!("range_url = \"{url}\""), "breach.range_url");
        }
        check("at_sign_in = \"on\"", "breach.at_sign_in");
        check("grace = \"soon\"", "breach.grace");
        assert!(load("range_url = \"http://127.0.0.1:8080/range/\"").is_ok());
    }
}
