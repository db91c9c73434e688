//! The list of users, as a table or as JSON.

use std::process::ExitCode;

use portcullis_domain::id::UserId;
use portcullis_domain::password::BreachState;
use portcullis_domain::text::{Username, full_name};
use serde::Serialize;

use super::super::output::Output;
use super::word;
use crate::flows::users::Listed;

/// Prints it.
pub(super) fn print(users: &[Listed], output: Output) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = users.iter().map(Row::new).collect();
    let header =
        ["ID", "E-mail", "Username", "Name", "Type", "Role", "Status", "Password", "Created"];
    output.list(&rows, header, rows.iter().map(Row::cells))
}

#[derive(Serialize)]
struct Row<'a> {
    id: UserId,
    uuid: &'a str,
    email: &'a str,
    username: Option<&'a str>,
    first_name: &'a str,
    last_name: &'a str,
    phone: Option<&'a str>,
    branch_id: i64,
    account_type: &'static str,
    role: &'a str,
    status: &'static str,
    /// How it stands with the password; `None`: there is none.
    breach_status: Option<&'static str>,
    /// RFC 3339, UTC.
    created_at: String,
}

impl<'a> Row<'a> {
    fn new(listed: &'a Listed) -> Self {
        let user = &listed.user;
        Self {
            id: user.id,
            uuid: &user.uuid,
            email: user.email.as_str(),
            username: user.username.as_ref().map(Username::as_str),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            phone: user.phone.as_deref(),
            branch_id: user.branch_id,
            account_type: word(user.account_type),
            role: &listed.role,
            status: user.status.name(),
            breach_status: listed.password.map(BreachState::as_str),
            created_at: user.created_at.iso(),
        }
    }

    fn cells(&self) -> [String; 9] {
        [
            self.id.to_string(),
            self.email.to_owned(),
            self.username.unwrap_or_default().to_owned(),
            full_name(self.first_name, self.last_name),
            self.account_type.to_owned(),
            self.role.to_owned(),
            self.status.to_owned(),
            self.breach_status.unwrap_or("none").to_owned(),
            self.created_at.clone(),
        ]
    }
}
