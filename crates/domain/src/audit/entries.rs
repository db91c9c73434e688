//! Bundles of entries, as C2SP tlog-tiles stores them: each entry behind its length in two bytes.
//! Not here: what an entry says, and which bundle stands where (`tile`).

/// The longest entry that a bundle can hold.
pub const LONGEST: usize = u16::MAX as usize;

/// An entry is longer than [`LONGEST`]: such a log cannot be handed on in the published format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {length} bytes is too long for a bundle")]
pub struct TooLong {
    pub length: usize,
}

/// The bundle of these entries.
pub fn write<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TooLong> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = entry.len();
        let prefix = u16::try_from(length).map_err(|_| TooLong { length })?;
        bundle.extend_from_slice(&prefix.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle; `None` if its lengths do not add up.
pub fn read(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (prefix, after) = rest.split_first_chunk()?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*prefix)))?;
        entries.push(entry);
        rest = after;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Entry, Person, VERSION};
    use super::*;
    use crate::event::{Event, Text};
    use crate::time::Time;

    /// What an entry holds of a client stands beside it, and each word of ours is clipped.
    #[test]
    fn the_longest_entry_fits() {
        let longest = || Text::clip(&"\u{1}".repeat(1000));
        let event = Event::RoleRenamed { role: longest(), from: longest() };
        let person = Person::from_number(i64::MAX);
        let (detail, _) = event.parts();
        let entry = Entry {
            version: VERSION,
            index: u64::MAX >> 12,
            at: Time(i64::MAX >> 12),
            logged: Time(i64::MAX >> 12),
            id: "0".repeat(36),
            event: event.name().to_owned(),
            outcome: "success".to_owned(),
            severity: "critical".to_owned(),
            actor: person,
            subject: person,
            session: Some("0".repeat(64)),
            request: Some("0".repeat(64)),
            detail,
            from: None,
            texts: None,
        };
        let leaf = entry.leaf().unwrap();
        assert!(leaf.len() > 3000 && 10 * leaf.len() < LONGEST, "{} bytes", leaf.len());
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written() {
        let long = vec![7; LONGEST];
        let entries = [&b"one"[..], b"", b"three", &long];
        let bundle = write(entries).unwrap();
        assert_eq!(bundle[..13], *b"\0\x03one\0\0\0\x05thre");
        assert_eq!(read(&bundle).unwrap(), entries);
        assert_eq!(read(&[]), Some(vec![]));
        let longer = vec![7; LONGEST + 1];
        assert_eq!(write([&longer[..]]), Err(TooLong { length: LONGEST + 1 }));
    }

    #[test]
    fn a_bundle_that_is_cut_off_is_none() {
        let bundle = write([&b"one"[..], b"three"]).unwrap();
        for cut in 1..bundle.len() {
            let whole = cut == 5;
            assert_eq!(read(&bundle[..cut]).is_some(), whole, "cut after {cut} bytes");
        }
    }
}
