//! `portcullis config`, and what is printed without any configuration. No database is touched.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{Ran, finish, program, run};

fn alone(line: &str) -> Ran {
    let mut command = program();
    command.args(line.split_whitespace());
    finish(command, b"")
}

fn written(directory: &TempDir, text: &str) -> std::path::PathBuf {
    let file = directory.path().join("portcullis.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_sample_is_a_good_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let sample = alone("config sample").assert(0).out.clone();
    let file = written(&directory, &sample);
    let told = run(&file, "config check", b"");
    assert!(told.assert(0).out.contains("is in order"), "{told:?}");
    assert!(told.out.contains("127.0.0.1:8080"), "{told:?}");
    let told = run(&file, "config check --json", b"").assert(0).json();
    assert_eq!((&told["ok"], &told["listen"]), (&true.into(), &"127.0.0.1:8080".into()));
}

#[test]
fn every_fault_is_listed_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(
        &directory,
        "[server]\nlisten = \"nowhere\"\ncolour = \"red\"\n[password]\nmin_length = 3\n",
    );
    let keys = ["server.listen", "server.colour", "password.min_length"];
    let told = run(&file, "config check", b"");
    assert_eq!(told.code, 2, "{told:?}");
    for key in keys {
        assert!(told.out.contains(key) && told.out.contains("accepted"), "{key}: {told:?}");
    }
    let told = run(&file, "config check --json", b"");
    assert_eq!((told.code, &told.json()["ok"]), (2, &Value::Bool(false)), "{told:?}");
    let faults = told.json()["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), keys.len(), "{faults:?}");
    for fault in &faults {
        assert!(keys.contains(&fault["key"].as_str().unwrap()), "{fault}");
        assert!(fault["file"].is_string() && fault["line"].is_u64(), "{fault}");
    }
    // Every other command refuses it likewise, and makes nothing.
    for line in ["user list", "role list", "serve"] {
        let told = run(&file, line, b"");
        assert!(keys.iter().all(|key| told.assert(2).err.contains(key)), "{told:?}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn the_environment_is_checked_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(&directory, "");
    let check = |name: &str, value: &str, code: i32| {
        let mut command = program();
        command.args(["config", "check", "--json", "--config"]).arg(&file).env(name, value);
        let told = finish(command, b"");
        assert_eq!(told.code, code, "{name}={value}: {told:?}");
        told.json()
    };
    let told = check("PORTCULLIS__SERVER__LISTEN", "127.0.0.1:9", 0);
    assert_eq!(told["listen"], "127.0.0.1:9");
    let told = check("PORTCULLIS__SERVER__LISTEN", "x", 2);
    assert_eq!(told["faults"][0]["variable"], "PORTCULLIS__SERVER__LISTEN");
    check("PORTCULLIS__SERVER__LISTENER", "x", 2);
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let missing = Path::new("/nowhere/portcullis.toml");
    assert_eq!(run(missing, "config check", b"").code, 2);
    for line in ["user list", "role list"] {
        assert!(run(missing, line, b"").assert(2).err.contains("/nowhere/portcullis.toml"));
    }
}

#[test]
fn the_program_names_itself() {
    let version = alone("--version").assert(0).out.clone();
    assert_eq!(version, format!("portcullis {}\n", env!("CARGO_PKG_VERSION")));
    for line in ["--help", "user --help", "role create --help"] {
        assert!(alone(line).assert(0).out.contains("Usage: portcullis"), "{line}");
    }
    alone("").assert(2);
    alone("reset-2fa").assert(2);
}
