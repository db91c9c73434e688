//! Finding the token of a request among the places where clients put it. Not here: reading headers
//! or bodies, and whether the token is true (`verdict`).

use super::Refusal;

/// What the body holds under `csrf_token`, in a form field or at the top level of a JSON object.
#[derive(Clone, PartialEq, Eq)]
pub enum BodyToken {
    /// Nobody has looked, because a header had one or the body is of another type.
    NotLooked,
    /// There is none.
    None,
    /// There is one.
    One(String),
    /// There is more than one, or the key stands twice.
    Several,
}

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// `X-CSRF-Token`.
    TokenHeader,
    /// `X-CSRFToken`, the spelling that goes with the cookie `csrftoken`.
    CsrftokenHeader,
    /// The body.
    Body,
}

/// The token of a request, unread.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// As the client sent it.
    pub text: &'a str,
    /// Where it was.
    pub via: Via,
}

/// Finds the one token of a request. A header wins over the body, where nobody looks once a header
/// has one. Several headers must agree; if both spellings are there, the token counts as sent in
/// `X-CSRF-Token`. Empty values count as absent, which is what scripts send when they found no cookie.
pub fn present<'a>(
    header_csrf_token: &[&'a str],
    header_csrftoken: &[&'a str],
    body: &'a BodyToken,
) -> Result<Presented<'a>, Refusal> {
    let named = |values: &[&'a str], via| {
        let sent = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
        sent.map(|text| Presented { text, via }).collect::<Vec<_>>()
    };
    let mut found = named(header_csrf_token, Via::TokenHeader);
    found.extend(named(header_csrftoken, Via::CsrftokenHeader));
    match found.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other.text == first.text) => Ok(*first),
        Some(_) => Err(Refusal::Ambiguous),
        None => in_body(body),
    }
}

fn in_body(body: &BodyToken) -> Result<Presented<'_>, Refusal> {
    match body {
        BodyToken::One(text) if !text.is_empty() => Ok(Presented { text, via: Via::Body }),
        BodyToken::Several => Err(Refusal::Ambiguous),
        BodyToken::One(_) | BodyToken::None | BodyToken::NotLooked => Err(Refusal::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_where_clients_put_it() {
        let check = |token: &[&str], csrftoken: &[&str], body: BodyToken, expected| {
            let found =
                present(token, csrftoken, &body).map(|found| (found.text.to_owned(), found.via));
            let expected: Result<(&str, Via), Refusal> = expected;
            let expected = expected.map(|(text, via)| (text.to_owned(), via));
            assert_eq!(found, expected, "{token:?} {csrftoken:?}");
        };
        let one = |text: &str| BodyToken::One(text.to_owned());
        check(&[], &[], BodyToken::NotLooked, Err(Refusal::Missing));
        check(&[], &[], BodyToken::None, Err(Refusal::Missing));
        check(&[], &[], one(""), Err(Refusal::Missing));
        check(&[""], &[" "], BodyToken::None, Err(Refusal::Missing));
        check(&[], &[], one("b"), Ok(("b", Via::Body)));
        check(&[], &[], BodyToken::Several, Err(Refusal::Ambiguous));
        check(&["a"], &[], BodyToken::NotLooked, Ok(("a", Via::TokenHeader)));
        check(&[], &["a"], BodyToken::NotLooked, Ok(("a", Via::CsrftokenHeader)));
        check(&["a"], &["a"], BodyToken::NotLooked, Ok(("a", Via::TokenHeader)));
        check(&["a", "a"], &[], BodyToken::NotLooked, Ok(("a", Via::TokenHeader)));
        check(&["a"], &["b"], BodyToken::NotLooked, Err(Refusal::Ambiguous));
        check(&["a", "b"], &[], BodyToken::NotLooked, Err(Refusal::Ambiguous));
        check(&[""], &["a"], BodyToken::NotLooked, Ok(("a", Via::CsrftokenHeader)));
        check(&["a"], &[], one("b"), Ok(("a", Via::TokenHeader)));
        check(&["a"], &[], BodyToken::Several, Ok(("a", Via::TokenHeader)));
        check(&[""], &[], one("b"), Ok(("b", Via::Body)));
    }
}
