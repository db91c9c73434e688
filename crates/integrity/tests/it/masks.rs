//! Secrets in differences: what is masked, what stays to be seen, and that no value of settings is shown.
#![expect(clippy::disallowed_methods, reason = "a deadline is a moment")]

use std::time::{Duration, Instant};

use portcullis_integrity::diff::{Limits, MaskKey, diff};
use proptest::prelude::*;

fn text(path: &str, before: Option<&str>, after: &str, key: &[u8]) -> String {
    let deadline = Instant::now() + Duration::from_secs(2);
    let limits = Limits { max_bytes: 1 << 20, deadline };
    let (before, after) = (before.map(str::as_bytes), Some(after.as_bytes()));
    diff(path.as_bytes(), before, after, limits, &MaskKey::new(key)).unwrap().text
}

/// What is shown of a content, with each mark as `[LENGTH]`.
fn shown(path: &str, content: &str) -> String {
    let text = text(path, None, content, &[7; 32]);
    let lines = text.lines().skip(3).filter_map(|line| line.strip_prefix('+'));
    let mut short = String::new();
    for part in lines.collect::<Vec<_>>().join("\n").split("[masked: ") {
        match part.split_once(" bytes, ") {
            Some((length, rest)) => short.extend(["[", length, "]", &rest[5..]]),
            None => short.push_str(part),
        }
    }
    short
}

fn check(path: &str, content: &str, expected: &str) {
    assert_eq!(shown(path, content), expected, "{path}: {content}");
}

#[test]
fn settings() {
    check("a.conf", "PASSWORD=hunter2", "PASSWORD=[7]");
    check("a", "export DB_PASSWORD = a b c # d", "export DB_PASSWORD = [9]");
    check("a.ini", "smtp_pass: \"a b\"", "smtp_pass: [5]");
    check("redis.conf", "requirepass foobared", "requirepass [8]");
    check("redis.conf", "# requirepass foobared", "# requirepass [8]");
    check("redis.conf", "# the password of all", "# the password of all");
    check("a.conf", "SECRET=\"one\ntwo\nthree\" end\nb=1", "SECRET=[4]\n[3]\n[5]\" end\nb=1");
    check("a.properties", "api.key=ab\\\n  cd\ne=f", "api.key=[3]\n  [2]\ne=f");
    check("a.conf", "password 'a b'", "password [5]");
    check("a.conf", "token==ab", "token==[2]");
    check("a.conf", "host=example.com\nuser=bob", "host=example.com\nuser=bob");
    check("a.md", "The password is long.\npassword: x1", "The password is long.\npassword: [2]");
    check("a.conf", "token=caf\u{e9} \u{65e5}", "token=[9]");
}

#[test]
fn yaml() {
    check("a.yml", "password: hunter2\nuser: bob", "password: [7]\nuser: bob");
    check("a.yml", "- token: ab\n  user: bob", "- token: [2]\n  user: bob");
    check(
        "a.yml",
        "key_secret: |\n  ab\n\n  cd\nuser: x",
        "key_secret: [1]\n  [2]\n\n  [2]\nuser: x",
    );
    check("a.yml", "secrets:\n  stripe: abc\nuser: x", "secrets:\n  [11]\nuser: x");
}

#[test]
fn code() {
    check("a.js", "const password = \"hunter2\";", "const password = \"[7]\";");
    check(
        "a.js",
        "const token = load('a', 'bc'); go('d')",
        "const token = load('[1]', '[2]'); go('d')",
    );
    check("a.js", "if (token === 'abc') { evil('x') }", "if (token === '[3]') { evil('x') }");
    check("a.js", "function checkToken(a) { evil('x') }", "function checkToken(a) { evil('x') }");
    check(
        "a.js",
        "var tokens = [\n 'ab',\n 'c'\n]; x('d')",
        "var tokens = [\n '[2]',\n '[1]'\n]; x('d')",
    );
    check(
        "a.json",
        "{\"token\": \"ab\", \"user\": \"bob\"}",
        "{\"token\": \"[2]\", \"user\": \"bob\"}",
    );
    check("a.json", "\"pin\": 123456,", "\"pin\": [6],");
    check("a.php", "define('DB_PASSWORD', 'ab');", "define('DB_PASSWORD', '[2]');");
    check("a.php", "$config['password'] = 'ab';", "$config['password'] = '[2]';");
    check("a.php", "'password' => 'it\\'s',", "'password' => '[5]',");
    check("a.php", "$token->evil($_GET[1]);", "$token->evil($_GET[1]);");
    check("a.php", "$password = evil($x);", "$password = evil($x);");
    check("a.go", "var password string = \"ab\"", "var password string = \"[2]\"");
    check("a.py", "x = os.getenv(\"TOKEN\", \"ab\")", "x = os.getenv(\"TOKEN\", \"[2]\")");
    check("a.py", "dsn = \"host=a password=bc d=e\"", "dsn = \"[22]\"");
    check("a.py", "x = \"host=a password=bc d=e\"", "x = \"host=a password=[6]\"");
    check("a.toml", "token = \"ab\"", "token = \"[2]\"");
    check("a.xml", "<password kind=\"a\">bc</password>", "<password kind=\"a\">[2]</password>");
    check(
        "a.xml",
        "<add key=\"DbPassword\" value=\"ab\"/>",
        "<add key=\"DbPassword\" value=\"[2]\"/>",
    );
    check(
        "a.html",
        "<input type=\"password\" onkeyup=\"x()\">",
        "<input type=\"password\" onkeyup=\"x()\">",
    );
    check("a.js", "// don't say password=ab", "// don't say password=[2]");
}

/// Columns are secret by what stands above them.
#[test]
fn tables() {
    check("a.csv", "user,password,age\nbob,hunter2,33\n", "user,password,age\nbob,[7],33");
    check("a.csv", "token\nab\ncd", "token\n[2]\n[2]");
    check("a.csv", "api_key;name\nab;c,d", "api_key;name\n[2];c,d");
    check("a.tsv", "name\tsecret\nx\ty z", "name\tsecret\nx\t[3]");
    check(
        "a.csv",
        "\"user\",\"db password\",x\n\"a,b\",\"c,\"\"d\",e",
        "\"user\",\"db password\",x\n\"a,b\",\"[5]\",e",
    );
    check(
        "a.csv",
        "password,user\n\"ab\ncd\",bob\nef,eve",
        "password,user\n\"[2]\n[2]\",bob\n[2],eve",
    );
    check("a.csv", "user,password\nbob\neve,,x", "user,password\nbob\neve,,x");
    check("a.csv", "\u{feff}pin,x\n12,13", "\\u{feff}pin,x\n[2],13");
    // No column is named after one: as in settings.
    check("a.csv", "user,age\nbob,3\ntoken=ab", "user,age\nbob,3\ntoken=[2]");
    check("a.csv", "user,url\nbob,https://a:b@c", "user,url\nbob,https://a:[1]@c");
    check("a.js", "user,password\nbob,hunter2", "user,password\nbob,hunter2");
}

/// What goes over several lines; whatever is computed there is code.
#[test]
fn long_texts() {
    let quotes = "\"\"\"\nab\n  cd\n\"\"\"\nx = 1";
    let masked = "\"\"\"\n[2]\n  [2]\n\"\"\"\nx = 1";
    for (path, before) in [
        ("a.py", "password = "),
        ("a.py", "password: str = "),
        ("a.py", "load(token="),
        ("a.py", "x = {'api_key': "),
        ("a.toml", "token = "),
        ("a.kt", "val secret = "),
    ] {
        check(path, &format!("{before}{quotes}"), &format!("{before}{masked}"));
    }
    for (path, text) in [
        ("a.py", "sql = \"\"\"\nselect 1\n\"\"\""),
        ("a.py", "token = f\"\"\"\n{evil()}\n\"\"\""),
        ("a.py", "# token = \"\"\"\nevil()"),
        ("a.py", "\"\"\"\ntoken = '''\n\"\"\"\nevil()"),
        ("a.js", "const token = `\n${evil()}\n`"),
        ("a.js", "// token `\nevil()"),
        ("a.js", "/* token ` */ a\nevil()"),
        ("a.js", "'token `'; a\nevil()"),
        ("a.php", "<?php $html = <<<X\nab\nX;"),
        ("a.php", "<p>password = <<<X\n<?php evil();\nX"),
        ("a.php", "<?php // ?> token = <<<X\n<?php evil();\nX"),
        ("a.rb", "SECRET = <<~EOS\n  #{evil}\nEOS"),
    ] {
        check(path, text, text);
    }
    check("a.py", "token = '''ab\ncd'''; x()", "token = '''[2]\n[2]'''; x()");
    check("a.py", "token = (\n  '''ab\ncd''')\nx()", "token = (\n  '''[2]\n[2]''')\nx()");
    check("a.js", "const token = `\nab\n`; go()", "const token = `\n[2]\n`; go()");
    let php = |value| format!("<?php $password = <<<X\n{value}\n  X;\ngo();");
    check("a.php", &php("ab"), &php("[2]"));
    check("a.rb", "SECRET = <<~EOS\n  ab\nEOS\ngo", "SECRET = <<~EOS\n  [2]\nEOS\ngo");
}

#[test]
fn long_texts_of_scripts() {
    check("a.sh", "TOKEN=$(cat <<EOF\nab\nEOF\n)\nevil", "TOKEN=[5] <<EOF\n[2]\nEOF\n)\nevil");
    check("a.sh", "TOKEN=x; sh <<EOF\nevil\nEOF", "TOKEN=[1]; sh <<EOF\nevil\nEOF");
    check("a.sh", "TOKEN=x; cat <<EOF | sh\nevil\nEOF", "TOKEN=[1]; cat <<EOF | sh\nevil\nEOF");
    check("a.sh", "PASSWORD='ab\ncd'; evil", "PASSWORD=[3]\n[2]'; evil");
    check("run", "#!/bin/sh\nTOKEN=\"ab\ncd\"", "#!/bin/sh\nTOKEN=[3]\n[2]\"");
    check("a.sh", "PASSWORD=\"ab\n$(evil)\"; x", "PASSWORD=[3]\n$(evil)\"; x");
    check("a.sh", "# TOKEN='\nevil", "# TOKEN=[1]\nevil");
}

#[test]
fn long_texts_of_yaml() {
    check("a.yml", "\"token\": |\n ab\nx: y", "\"token\": [1]\n [2]\nx: y");
    check("a.yml", "- \"token\": >-\n   ab\n  x: y", "- \"token\": [2]\n   [2]\n  x: y");
    check(
        "a.yml",
        "tls: |\n  -----BEGIN PRIVATE KEY-----\n  QUJD\n  -----END PRIVATE KEY-----\nx: y",
        "tls: |\n  -----BEGIN PRIVATE KEY-----\n  [4]\n  -----END PRIVATE KEY-----\nx: y",
    );
}

/// Nobody hides a file behind one name.
#[test]
fn a_long_text_hides_no_more_than_a_key() {
    let lines = "evil()\n".repeat(300);
    let shown = shown("a.js", &format!("const token = `\n{lines}"));
    assert_eq!(shown.matches("evil()").count(), 200, "{shown}");
}

#[test]
fn scripts() {
    check("a.sh", "PASSWORD=ab; curl evil", "PASSWORD=[2]; curl evil");
    check("a.sh", "PASSWORD='a b' run", "PASSWORD=[5] run");
    check("a.sh", "run --password ab --user c", "run --password [2] --user c");
    check("a.sh", "curl -H \"Authorization: Bearer ab\" x", "curl -H \"Authorization: [9]\" x");
    check("run", "#!/bin/sh\nTOKEN=ab; evil", "#!/bin/sh\nTOKEN=[2]; evil");
}

#[test]
fn secrets_that_show_themselves() {
    check("a.js", "x('postgres://bob:pw@db/x')", "x('postgres://bob:[2]@db/x')");
    check("a.js", "x('postgres://bob:p/w@x@db/x')", "x('postgres://bob:[5]@db/x')");
    check("a.js", "'https://0123456789abcdef@a.io/1'", "'https://[16]@a.io/1'");
    check("a.js", "'https://a.io:80/b', 'ssh://git@a.io'", "'https://a.io:80/b', 'ssh://git@a.io'");
    check("a.js", "'https://cdn.example/react@18'", "'https://cdn.example/react@18'");
    check("a.js", "go(\"AKIAIOSFODNN7EXAMPLE\")", "go(\"[20]\")");
    check("a.md", "use ghp_0123456789abcdefghij now", "use [24] now");
    check("a.js", "x = 'eyJhbGciOiJIUzI1NiJ9.e30.abc'", "x = '[28]'");
    check(
        "a.js",
        "x = `-----BEGIN PRIVATE KEY-----\nQUJD\nRA==\n-----END PRIVATE KEY-----`\nevil()",
        "x = `-----BEGIN PRIVATE KEY-----\n[4]\n[4]\n-----END PRIVATE KEY-----`\nevil()",
    );
    check(
        "a.js",
        "x = '-----BEGIN RSA KEY-----\\nQUJD\\n-----END RSA KEY-----'",
        "x = '-----BEGIN RSA KEY-----[8]-----END RSA KEY-----'",
    );
    check("a.js", "// -----BEGIN X-----\nevil(1);\nevil", "// -----BEGIN X-----\nevil(1);\nevil");
}

#[test]
fn that_a_secret_changed_is_seen() {
    let of = |before: &str, after: &str, key: &[u8]| text("a.conf", Some(before), after, key);
    let changed = of("token=aaaa\n", "token=bbbb\n", &[7; 32]);
    let marks: Vec<_> = changed.lines().skip(3).map(|line| &line[1..]).collect();
    assert_ne!(marks[0], marks[1]);
    assert!(marks.iter().all(|mark| mark.starts_with("token=[masked: 4 bytes, ")), "{changed}");
    assert_ne!(of("token=aaaa\n", "token=bbbb\n", &[8; 32]), changed, "another key");
    let around = of("token=aaaa\nx=1\n", "token=aaaa\nx=2\n", &[7; 32]);
    assert!(around.contains("\n token=[masked: 4 bytes, ") && around.contains("\n+x=2\n"));
}

proptest! {
    /// Whatever a file of settings is called and however it is written.
    #[test]
    fn no_value_of_a_secret_is_ever_shown(
        names in prop::collection::vec("[a-z]{0,5}[_.-]?(password|SECRET|apiToken|api_key|Passwd)", 1..12),
        values in prop::collection::vec("[a-zA-Z0-9!#$%&*+,./:;<=>?@^|~ \u{e9}-]{6}[a-zA-Z0-9]{10}", 24),
        separator in prop::sample::select(vec!["=", ": ", " = ", ":", " "]),
        quote in prop::sample::select(vec!["", "\"", "'"]),
        path in prop::sample::select(vec!["app.conf", "a.yml", "settings", "x.ini", "x.properties"]),
    ) {
        let separator = if path == "a.yml" { ": " } else { separator };
        let file = |values: &[String]| -> String {
            let each = |(name, value): (&String, &String)| {
                format!("plain{name}x = 1\n{name}{separator}{quote}{value}{quote}\n")
            };
            names.iter().zip(values).map(each).collect()
        };
        let (old, new) = (file(&values[..12]), file(&values[12..]));
        let shown = text(path, Some(&old), &new, &[7; 32]);
        for value in &values {
            // The last ten letters are chance, and no part of anything else.
            prop_assert!(!shown.contains(&value[value.len() - 10..]), "{shown}");
        }
        prop_assert!(shown.contains("[masked: "));
    }

    /// In quotes and as code.
    #[test]
    fn no_text_behind_the_name_of_a_secret_is_ever_shown(
        name in "[a-z]{0,5}_?(password|secret|token|apiKey)",
        value in "[a-zA-Z0-9!#$%&*+,./:;<=>?@^|~ \u{e9}(){}-]{0,6}[a-zA-Z0-9]{10}",
        form in 0_usize..6,
        path in prop::sample::select(vec!["a.js", "a.php", "a.py", "a.json", "a.toml", "a.go"]),
    ) {
        let line = match form {
            0 => format!("\"{name}\": \"{value}\","),
            1 => format!("{name} = '{value}'"),
            2 => format!("'{name}' => '{value}',"),
            3 => format!("f(\"{name}\", \"{value}\")"),
            4 => format!("let {name} = g(1, [\"{value}\"]);"),
            _ => format!("x = \"a&{name}={value}\""),
        };
        let shown = text(path, None, &line, &[7; 32]);
        prop_assert!(!shown.contains(&value[value.len() - 10..]), "{shown}");
    }

    #[test]
    fn every_text_comes_to_an_end(before in "\\PC{0,200}", after in "(\\PC|[\n\\\\'\"=:{}\\[]|token|-----BEGIN |`|<<<X|\"\"\"|<[?]|,){0,60}") {
        for path in ["a.js", "a.sh", "a.yml", "a.md", "a", "a.csv", "a.py", "a.php", "a.rb"] {
            text(path, Some(&before), &after, &[7; 32]);
        }
    }
}
