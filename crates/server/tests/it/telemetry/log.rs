//! The line of each request in the log.

use serde_json::Value;

use super::served::Served;

/// The lines of requests in a log of JSON. Every line of it must be an object.
fn requests(log: &str) -> Vec<Value> {
    let parse = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let lines = log.lines().map(parse);
    lines.filter(|line| line["target"] == "portcullis::request").collect()
}

#[tokio::test]
async fn each_request_has_a_line_without_secrets() {
    let mut served = Served::start("[log]\nrequests = \"all\"\nformat = \"json\"", &[]).await;
    let (count, secrets) = served.visit().await;
    assert_eq!(served.upstream.seen().len(), 2, "the requests that were let through");
    assert_eq!(served.stop().await, 0);
    let log = served.log();
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} stands in\n{log}");
    }
    let lines = requests(&log);
    assert_eq!(lines.len(), count, "{log}");
    let told = |path: &str| {
        let mut found = lines.iter().filter(|line| line["path"] == path);
        found.next().unwrap_or_else(|| panic!("{path} is not told of\n{log}"))
    };
    let posted = told("/jobs/7");
    for (key, expected) in [
        ("level", Value::from("INFO")),
        ("surface", "gate".into()),
        ("method", "POST".into()),
        ("status", 201.into()),
        ("rule", "jobs".into()),
        ("user", 1.into()),
        ("client", "127.0.0.1".into()),
        ("bytes", 17.into()),
        ("code", Value::Null),
    ] {
        assert_eq!(posted[key], expected, "{key} of {posted}");
    }
    assert_eq!(posted["request_id"].as_str().map(str::len), Some(24));
    assert!(posted["duration_ms"].as_f64().is_some_and(|took| took > 0.0), "{posted}");
    let forged = told("/jobs/8");
    assert_eq!((&forged["status"], &forged["code"]), (&403.into(), &"csrf_invalid".into()));
    let magic = told("/-/magic/***");
    assert_eq!((&magic["surface"], &magic["code"]), (&"own".into(), &"not_found".into()));
    assert_eq!((&magic["user"], &magic["rule"]), (&Value::Null, &Value::Null));
    let unread = told("/public/reset/***//***");
    assert_eq!((&unread["method"], &unread["status"]), (&"GET".into(), &400.into()));
    assert_eq!(told("/public/***")["rule"], "open");
}

#[tokio::test]
async fn only_refusals_have_a_line_unless_told_otherwise() {
    let count = async |config: &str, environment: &[(&str, &str)]| {
        let mut served = Served::start(config, environment).await;
        served.visit().await;
        assert_eq!(served.stop().await, 0);
        let log = served.log();
        log.lines().filter(|line| line.contains("portcullis::request")).count()
    };
    assert_eq!(count("", &[]).await, 8);
    assert_eq!(count("[log]\nrequests = \"off\"", &[]).await, 0);
    assert_eq!(count("[log]\nrequests = \"all\"", &[]).await, 12);
    // The levels are those of `RUST_LOG`, if there is one.
    assert_eq!(count("", &[("RUST_LOG", "warn")]).await, 0);
    assert_eq!(count("", &[("RUST_LOG", "warn,portcullis::request=info")]).await, 8);
}
