//! Tables and properties of parsed text.

use proptest::prelude::*;

use super::*;

const fn long(max: usize) -> TextFault {
    TextFault::TooLong { max }
}

#[test]
fn a_person_is_called_by_name_or_else_by_what_they_sign_in_with() {
    let check = |first, last, username, expected| {
        assert_eq!(person_name(first, last, username, "ada@example.com"), expected);
    };
    check("Ada", "Lovelace", Some("ada"), "Ada Lovelace");
    check("Ada", "", Some("ada"), "Ada");
    check("", "Lovelace", None, "Lovelace");
    check("", "", Some("ada"), "ada");
    check("", "", None, "ada@example.com");
}

#[test]
fn what_steers_text_is_made_visible() {
    let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
    check("Firefox/130.0 (é; 日本)", "Firefox/130.0 (é; 日本)");
    check("a\u{1b}[31mb\r\nc\0", "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}");
    check("\u{202e}gnp.exe\u{2066}", "\u{fffd}gnp.exe\u{fffd}");
    check("<b>&\"'", "<b>&\"'");
}

#[test]
fn a_username_is_no_address_but_ones_own() {
    let own = Email::parse("Ada@Example.com").unwrap();
    let check = |name: &str, expected| {
        let name = Username::parse(name).unwrap();
        assert_eq!(name.is_address_but(&own), expected, "{name}");
    };
    check("ada", false);
    check("@ada", false);
    check("ada@", false);
    check("a@b@c", false);
    check("ADA@example.com", false);
    check("eve@example.com", true);
    check("ada@home", true);
    check("ädä@example.com", true);
}

#[test]
fn emails() {
    let check = |text: &str, expected: Result<(&str, &str), TextFault>| {
        let email = Email::parse(text);
        let seen = email.as_ref().map(|email| (email.as_str(), email.folded())).map_err(|e| *e);
        assert_eq!(seen, expected, "{text:?}");
    };
    check("a@b", Ok(("a@b", "a@b")));
    check(" Ann.Lee+x@Example.COM ", Ok(("Ann.Lee+x@example.com", "ann.lee+x@example.com")));
    check("o'neil@mail.example.org", Ok(("o'neil@mail.example.org", "o'neil@mail.example.org")));
    // A decomposed letter becomes the composed one.
    check("Zoe\u{308}@x.de", Ok(("Zo\u{eb}@x.de", "zo\u{eb}@x.de")));
    check("ann@BÜCHER.example", Ok(("ann@bücher.example", "ann@bücher.example")));
    for invalid in [
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b c",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a@b..c",
        "a@.b",
        "a@b.",
        "a@-b.c",
        "a@b-.c",
        "a\0@b",
        "a@b\n.c",
        "\"a\"@b",
        "a@[127.0.0.1]",
        "<a@b>",
        "a,b@c",
        "a@b_c",
    ] {
        check(invalid, Err(Email::INVALID));
    }
    check(&format!("{}@b", "a".repeat(65)), Err(Email::INVALID));
    check("  ", Err(TextFault::Blank));
    check(&format!("a@{}", "b".repeat(253)), Err(long(254)));
    check(&"a".repeat(5000), Err(long(254)));
}

#[test]
fn usernames() {
    let check = |text: &str, expected: Option<(&str, &str)>| {
        let username = Username::parse(text).ok();
        let seen = username.as_ref().map(|name| (name.as_str(), name.folded()));
        assert_eq!(seen, expected, "{text:?}");
    };
    check("Fredkiss3", Some(("Fredkiss3", "fredkiss3")));
    check(" a.b_c+d-e@f ", Some(("a.b_c+d-e@f", "a.b_c+d-e@f")));
    check("Émile", Some(("Émile", "émile")));
    check("", None);
    check("a b", None);
    check("a/b", None);
    check("a\0", None);
    check(&"é".repeat(150), Some((&"é".repeat(150), &"é".repeat(150))));
    check(&"é".repeat(151), None);
}

#[test]
fn identifiers() {
    let check = |text: &str, expected: Result<&str, TextFault>| {
        let identifier = Identifier::parse(text);
        assert_eq!(
            identifier.as_ref().map(Identifier::folded).map_err(|e| *e),
            expected,
            "{text:?}"
        );
    };
    check(" Ann@Example.com\n", Ok("ann@example.com"));
    check("no such \"person\"", Ok("no such \"person\""));
    check("", Err(TextFault::Blank));
    check(&"x".repeat(255), Ok(&"x".repeat(255)));
    check(&"x".repeat(256), Err(long(255)));
    assert!(Identifier::parse("a\0b").is_err());
}

#[test]
fn names() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(Name::parse(text).ok().as_ref().map(Name::as_str), expected, "{text:?}");
    };
    check(" Mary Ann ", Some("Mary Ann"));
    check("", Some(""));
    check(" \t", Some(""));
    check("a\u{7}b", None);
    check("a\nb", None);
    for steering in ["a\u{202e}b", "a\u{200b}b", "\u{feff}a", "a\u{2066}b", "a\u{ad}b"] {
        check(steering, None);
        assert_eq!(Name::stored(steering).unwrap().as_str(), steering, "what is stored is read");
    }
    check("\u{645}\u{200c}\u{6cc}", Some("\u{645}\u{200c}\u{6cc}"));
    check(&"x".repeat(150), Some(&"x".repeat(150)));
    check(&"x".repeat(151), None);
}

#[test]
fn hosts() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(Host::parse(text).ok().as_ref().map(Host::as_str), expected, "{text:?}");
    };
    check("App.Example.com", Some("app.example.com"));
    check("app.example.com.", Some("app.example.com"));
    check("localhost", Some("localhost"));
    check("my_service", Some("my_service"));
    check("3com.example", Some("3com.example"));
    check("127.0.0.1", Some("127.0.0.1"));
    check("[::1]", Some("[::1]"));
    check("[0:0:0:0:0:0:0:1]", Some("[::1]"));
    check("[2001:DB8::A]", Some("[2001:db8::a]"));
    for invalid in [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "a b",
        "a/b",
        "a:80",
        "a@b",
        "-a",
        "a-",
        "bücher.example",
        "127.1",
        "0x7f.0.0.1",
        "1.2.3.0x4",
        "010.0.0.1",
        "256.0.0.1",
        "2130706433",
        "[::1",
        "::1",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "*.example.com",
    ] {
        check(invalid, None);
    }
    check(&"a".repeat(64), None);
    check(&["a"; 127].join("."), Some(&["a"; 127].join(".")));
    check(&["a"; 128].join("."), None);
}

#[test]
fn hosts_with_ports() {
    let check = |text: &str, expected: Option<(&str, Option<u16>)>| {
        let parsed = Host::parse_with_port(text).ok();
        let seen = parsed.as_ref().map(|(host, port)| (host.as_str(), *port));
        assert_eq!(seen, expected, "{text:?}");
    };
    check("a.example", Some(("a.example", None)));
    check("A.example.:8080", Some(("a.example", Some(8080))));
    check("[::1]", Some(("[::1]", None)));
    check("[::1]:443", Some(("[::1]", Some(443))));
    check("127.0.0.1:65535", Some(("127.0.0.1", Some(65535))));
    for invalid in
        ["", ":80", "a:", "a:0", "a:65536", "a:+80", "a:80:80", "a:8o", "::1", "[::1]80", "u@a:80"]
    {
        check(invalid, None);
    }
}

#[test]
fn loopback_hosts() {
    let check = |text: &str, expected: bool| {
        assert_eq!(Host::parse(text).unwrap().is_loopback(), expected, "{text}");
    };
    check("localhost", true);
    check("127.0.0.1", true);
    check("127.8.9.1", true);
    check("[::1]", true);
    check("localhost.example", false);
    check("10.0.0.1", false);
    check("[::2]", false);
    assert_eq!(Host::from_ip("::ffff:127.0.0.1".parse().unwrap()).as_str(), "127.0.0.1");
    assert_eq!(Host::from_ip("::1".parse().unwrap()).as_str(), "[::1]");
}

proptest! {
    #[test]
    fn folding_is_idempotent(text in any::<String>()) {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn one_account_has_one_key(text in "[a-zA-Zéİß]{1,8}@[a-z]{1,5}") {
        let (Ok(email), Ok(identifier)) = (Email::parse(&text), Identifier::parse(&text)) else {
            return Ok(());
        };
        prop_assert_eq!(email.folded(), identifier.folded());
        let again = Email::parse(email.as_str()).unwrap();
        prop_assert_eq!(again, email);
    }
}
