//! Our own rules, as a table. Their names stand in alerts and in the handbook: they stay as they are.

use globset::GlobSet;

use super::Severity::{Critical, High, Low, Medium};
use super::condition::{
    escapes, gained_attributes, gained_execution, gained_set_id, gained_writers,
    gained_writers_and_is_executable, has_another_owner, is_code_by_name, is_device, is_executable,
    is_folder, is_in_the_dark, is_of_another_type, is_unlisted, is_unread_and_executable,
};
use super::{Facts, Rule, Severity};
use crate::Change::{self, Added, Attributes, Deleted, Linked, Modified, Unverifiable};
use crate::glob::{Case, globs};

/// The rule that fits everything.
pub(super) const LAST: &str = "other";

struct BuiltIn {
    name: &'static str,
    severity: Severity,
    changes: &'static [Change],
    /// Lists of patterns; none: any path.
    paths: &'static [&'static [&'static str]],
    /// `None`: nothing more.
    when: Option<fn(&Facts<'_>) -> bool>,
}

const ANY: &[Change] = &[];
const CERTAIN: &[Change] = &[Added, Deleted, Modified, Attributes];
const IN_PLACE: &[Change] = &[Added, Modified];
const CONTENT: &[Change] = &[Added, Modified, Deleted];

const OWN: &[&str] = &["**/portcullis.toml", "**/portcullis-data/secret"];
const SECRETS: &[&str] = &[
    "**/.env*",
    "**/*.env",
    "**/*.{pem,key,p8,p12,pfx,jks,keystore,kdbx,gpg}",
    "**/id_{rsa,dsa,ecdsa,ed25519}*",
    "**/{.htpasswd,.pgpass,.netrc,.npmrc,.pypirc,authorized_keys}",
    "**/secrets.*",
    "**/{credentials,secrets}",
];
const SETTINGS: &[&str] = &[
    "**/{.htaccess,.user.ini,web.config}",
    "**/*.{toml,yml,yaml,conf,cfg,cnf,ini,properties}",
    "**/{appsettings,config,settings}*.json",
    "**/{Dockerfile,Containerfile,Procfile,Caddyfile}*",
    "**/*.crt",
];
const SCHEDULED: &[&str] = &[
    "**/crontab",
    "**/cron.{d,hourly,daily,weekly,monthly}/**",
    "**/*.{service,timer,socket,path,mount,target}",
];
const TEMPLATES: &[&str] = &[
    "**/{templates,views}/**/*.{html,htm,xml,txt,svg}",
    "**/*.{tmpl,tpl,j2,jinja,jinja2,twig,erb,haml,hbs,mustache,ejs,pug,liquid,cshtml,vue,svelte}",
];
const DEPENDENCIES: &[&str] = &[
    "**/{package,package-lock,npm-shrinkwrap,composer}.json",
    "**/{Cargo,composer,yarn,poetry,uv,Pipfile,Gemfile,flake,bun}.lock",
    "**/{pnpm-lock.yaml,Pipfile,Gemfile,go.mod,go.sum,bun.lockb}",
    "**/requirements*.txt",
];
const FOR_BROWSERS: &[&str] =
    &["**/{static,staticfiles,public,assets,htdocs,wwwroot}/**/*.{js,mjs}"];
const DOCUMENTS: &[&str] = &[
    "**/*.{md,markdown,rst,adoc,txt,pdf,odt,docx}",
    "**/{README,LICENSE,LICENCE,COPYING,CHANGELOG,AUTHORS,NOTICE}*",
    "**/*.{png,jpg,jpeg,gif,webp,avif,ico,bmp,tif,tiff}",
    "**/*.{woff,woff2,ttf,otf,eot}",
];
const ASSETS: &[&str] = &["**/*.{html,htm,css,svg,map,wasm,json,xml}"];

#[rustfmt::skip]
const TABLE: [BuiltIn; 28] = [
    BuiltIn { name: "device", severity: Critical, changes: &[Added, Modified, Unverifiable], paths: &[], when: Some(is_device) },
    BuiltIn { name: "set_id", severity: Critical, changes: ANY, paths: &[], when: Some(gained_set_id) },
    BuiltIn { name: "capabilities", severity: Critical, changes: ANY, paths: &[], when: Some(gained_attributes) },
    BuiltIn { name: "own_files", severity: Critical, changes: CERTAIN, paths: &[OWN], when: None },
    BuiltIn { name: "executable_writable", severity: Critical, changes: ANY, paths: &[], when: Some(gained_writers_and_is_executable) },
    BuiltIn { name: "made_executable", severity: Critical, changes: &[Attributes, Unverifiable], paths: &[], when: Some(gained_execution) },
    BuiltIn { name: "browser_script", severity: High, changes: CONTENT, paths: &[FOR_BROWSERS], when: Some(is_code_by_name) },
    BuiltIn { name: "executable", severity: Critical, changes: IN_PLACE, paths: &[], when: Some(is_executable) },

    BuiltIn { name: "executable_deleted", severity: High, changes: &[Deleted], paths: &[], when: Some(is_executable) },
    BuiltIn { name: "writable", severity: High, changes: ANY, paths: &[], when: Some(gained_writers) },
    BuiltIn { name: "link_escapes", severity: High, changes: IN_PLACE, paths: &[], when: Some(escapes) },
    BuiltIn { name: "type", severity: High, changes: &[Modified, Unverifiable], paths: &[], when: Some(is_of_another_type) },
    BuiltIn { name: "owner", severity: High, changes: ANY, paths: &[], when: Some(has_another_owner) },

    BuiltIn { name: "unlisted", severity: High, changes: &[Unverifiable], paths: &[], when: Some(is_unlisted) },
    BuiltIn { name: "unverifiable_executable", severity: High, changes: &[Unverifiable], paths: &[], when: Some(is_unread_and_executable) },
    BuiltIn { name: "unverifiable_code", severity: Medium, changes: &[Unverifiable], paths: &[], when: Some(is_in_the_dark) },
    BuiltIn { name: "unverifiable_settings", severity: Medium, changes: &[Unverifiable], paths: &[OWN, SECRETS, SETTINGS, SCHEDULED, TEMPLATES, DEPENDENCIES], when: None },
    BuiltIn { name: "unverifiable", severity: Low, changes: &[Unverifiable], paths: &[], when: None },

    BuiltIn { name: "linked", severity: High, changes: &[Linked], paths: &[], when: None },
    BuiltIn { name: "secret", severity: High, changes: ANY, paths: &[SECRETS], when: None },
    BuiltIn { name: "settings", severity: High, changes: CONTENT, paths: &[SETTINGS], when: None },
    BuiltIn { name: "scheduled", severity: High, changes: CONTENT, paths: &[SCHEDULED], when: None },
    BuiltIn { name: "template", severity: High, changes: CONTENT, paths: &[TEMPLATES], when: None },
    BuiltIn { name: "dependencies", severity: High, changes: CONTENT, paths: &[DEPENDENCIES], when: None },

    BuiltIn { name: "document", severity: Low, changes: ANY, paths: &[DOCUMENTS], when: None },
    BuiltIn { name: "folder", severity: Low, changes: &[Added, Deleted], paths: &[], when: Some(is_folder) },
    BuiltIn { name: "asset", severity: Medium, changes: CONTENT, paths: &[ASSETS], when: None },
    BuiltIn { name: "rights", severity: Medium, changes: &[Attributes], paths: &[], when: None },
];

/// The rules, in their order.
pub(super) fn rules() -> impl Iterator<Item = Rule> {
    let last = BuiltIn { name: LAST, severity: Medium, changes: ANY, paths: &[], when: None };
    TABLE.into_iter().chain([last]).map(|rule| Rule {
        name: rule.name.to_owned(),
        severity: Some(rule.severity),
        paths: (!rule.paths.is_empty()).then(|| patterns(rule.paths)),
        changes: rule.changes.to_vec(),
        when: rule.when,
    })
}

/// A test reads every pattern, so that none is passed over here.
fn patterns(lists: &[&[&str]]) -> GlobSet {
    globs(lists.iter().copied().flatten().copied(), Case::Same).unwrap_or_else(|_| GlobSet::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_read() {
        for rule in TABLE {
            let all = rule.paths.iter().copied().flatten().copied();
            assert!(globs(all, Case::Same).is_ok(), "{}", rule.name);
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<_> = rules().map(|rule| rule.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
