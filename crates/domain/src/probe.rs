//! The tickets of `portcullis doctor`: a mark that travels with one request through whatever proxies
//! there are, and a pass that shows what the server saw of that request. Neither signs anybody in,
//! and no decision depends on one. Not here: what is seen, which is the server's `probe`.

use std::time::Duration;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::secret::{leading, lower_hex};
use crate::time::Time;

/// How long a ticket is good.
pub const LIFE: Duration = Duration::from_mins(1);
/// How far the clock of the machine that made it may be ahead.
const TOLERATED: Duration = Duration::from_secs(10);

/// What stands before the mark, as a product in `User-Agent` (RFC 9110, section 10.1.5). That header
/// is the one that proxies hand on without being told to.
const PRODUCT: &str = "portcullis-doctor/";
/// Nonce, end and tag.
const BYTES: usize = 16 + 8 + 16;

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeId([u8; 16]);

impl ProbeId {
    /// From 16 bytes of a cryptographic generator.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// One request that is to be watched, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub id: ProbeId,
    pub until: Time,
}

/// The key of tickets.
#[derive(Clone)]
pub struct ProbeKey(hmac::Key);

/// What a text is good for. It is part of the tag: the mark passes through proxies, applications and
/// their logs, and must not show anything to whoever reads it there.
#[derive(Clone, Copy)]
enum Use {
    Mark,
    Pass,
}

impl ProbeKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The mark, for the end of `User-Agent`.
    pub fn mark(&self, ticket: &Ticket) -> String {
        format!("{PRODUCT}{}", self.text(ticket, Use::Mark))
    }

    /// What shows what was seen of the request with the mark.
    pub fn pass(&self, ticket: &Ticket) -> String {
        self.text(ticket, Use::Pass)
    }

    /// Which request this is, if its `User-Agent` ends in a mark that is good now.
    pub fn marked(&self, user_agent: &[u8], now: Time) -> Option<ProbeId> {
        let product = user_agent.get(user_agent.len().checked_sub(PRODUCT.len() + 2 * BYTES)?..)?;
        let text = std::str::from_utf8(product.strip_prefix(PRODUCT.as_bytes())?).ok()?;
        self.read(text, Use::Mark, now)
    }

    /// Which request a pass shows, if it is good now.
    pub fn shows(&self, pass: &str, now: Time) -> Option<ProbeId> {
        self.read(pass, Use::Pass, now)
    }

    fn text(&self, ticket: &Ticket, purpose: Use) -> String {
        let end = ticket.until.0.to_be_bytes();
        [&ticket.id.0[..], &end, &self.tag(&ticket.id.0, &end, purpose)].map(hex::encode).concat()
    }

    fn read(&self, text: &str, purpose: Use, now: Time) -> Option<ProbeId> {
        let bytes: [u8; BYTES] = lower_hex(text)?;
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (end, tag) = rest.split_first_chunk::<8>()?;
        let until = Time(i64::from_be_bytes(*end));
        let is_ours = bool::from(self.tag(id, end, purpose).ct_eq(tag));
        let is_now = now <= until && until <= now.plus(LIFE + TOLERATED);
        (is_ours && is_now).then_some(ProbeId(*id))
    }

    fn tag(&self, id: &[u8], end: &[u8], purpose: Use) -> [u8; 16] {
        let label = match purpose {
            Use::Mark => b"mark",
            Use::Pass => b"pass",
        };
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(label);
        mac.update(id);
        mac.update(end);
        leading(&mac.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const NOW: Time = Time(1_795_309_323_000);
    const ID: ProbeId = ProbeId([7; 16]);

    fn key(secret: u8) -> ProbeKey {
        Keys::derive(&MasterSecret::from_random([secret; 32])).unwrap().probe
    }

    fn ticket(life: Duration) -> Ticket {
        Ticket { id: ID, until: NOW.plus(life) }
    }

    #[test]
    fn a_mark_is_good_at_the_end_of_the_header_and_for_its_time() {
        let mark = key(1).mark(&ticket(LIFE));
        let check = |agent: &str, now: Time, expected| {
            assert_eq!(key(1).marked(agent.as_bytes(), now), expected, "{agent} {now:?}");
        };
        check(&mark, NOW, Some(ID));
        check(&format!("kube-probe/1.30 {mark}"), NOW, Some(ID));
        check(&mark, NOW.plus(LIFE), Some(ID));
        check(&mark, NOW.plus(LIFE).plus(Duration::from_millis(1)), None);
        check(&mark, NOW.minus(TOLERATED), Some(ID));
        check(&mark, NOW.minus(TOLERATED + Duration::from_millis(1)), None);
        check(&format!("{mark} curl/8"), NOW, None);
        check(&mark.to_uppercase(), NOW, None);
        check(&mark.replace("portcullis", "portcullus"), NOW, None);
        check(&mark[1..], NOW, None);
        check("", NOW, None);
        check("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", NOW, None);
        assert_eq!(key(1).marked(&[0xff; 200], NOW), None);
    }

    #[test]
    fn a_ticket_is_of_one_secret_one_use_and_one_end() {
        let one = key(1);
        let long = Duration::from_hours(1);
        let pass = one.pass(&ticket(LIFE));
        let mark = one.mark(&ticket(LIFE));
        assert_eq!(one.shows(&pass, NOW), Some(ID));
        assert_eq!(key(2).shows(&pass, NOW), None);
        assert_eq!(key(2).marked(mark.as_bytes(), NOW), None);
        assert_eq!(one.shows(mark.trim_start_matches(PRODUCT), NOW), None);
        assert_eq!(one.marked(format!("{PRODUCT}{pass}").as_bytes(), NOW), None);
        assert_eq!(one.shows(&one.pass(&ticket(long)), NOW), None);
        for position in 0..pass.len() {
            let mut forged = pass.clone().into_bytes();
            forged[position] = if forged[position] == b'0' { b'1' } else { b'0' };
            assert_eq!(one.shows(std::str::from_utf8(&forged).unwrap(), NOW), None, "{position}");
        }
    }
}
