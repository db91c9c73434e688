//! `/api/users/users` (P25): finding users, and everything that is done to their accounts. One
//! address for many acts, told apart by `action`, as its clients know it. Not here: what the fields
//! mean, which is in `fields`, and how a user looks, which is in `person`.

mod act;
pub mod erase;
pub mod fields;
mod keep;
pub mod person;
mod sessions;
mod show;

use crate::web::refusal::Family;
use crate::web::table::Doc;

pub use act::{DONE, done, newcomer, post, unknown_role};
pub use show::show;

pub const SHOW: Doc = Doc {
    id: "list_users",
    summary: "By ?action=: get_all_users, search (q), get_user (uuid), get_account_types, \
              get_account_statuses, health_check; for those who hold api.admin.activity_log.manage \
              get_audit_log (uuid); for staff who hold api.security.sessions.list \
              get_active_sessions, get_user_sessions (uuid); and for staff who hold \
              api.admin.password_breach_status.manage get_password_breach_status. Lists take limit, 1 to 200 [50], and \
              offset.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":[{"ID":7,"uuid":"0190…","first_name":"Jane","last_name":"Smith","email":"jane@example.com","username":"jane","phone":null,"account_type_id":1,"account_type_name":"Staff","account_status_id":1,"account_status_name":"Active","branch_id":1,"role_id":2,"role_name":"staff","role_level":50,"created_at":"2026-02-20T00:00:00Z","updated_at":"2026-02-20T00:00:00Z"}],"count":1}"#,
    ),
    ..Doc::USUAL
};

pub const POST: Doc = Doc {
    id: "act_on_user",
    summary: "By action: create_user, update, update_role, toggle_status, bulk_update, delete_user, reset_2fa; \
              and for staff terminate_session, add_to_blacklist, remove_from_blacklist, which ask \
              for the permissions that they ask for at /api/security/sessions. Nobody reaches above \
              his own level or gives what he lacks.",
    family: Family::P,
    fields: &[
        ("action", true, "One of the actions."),
        (
            "uuid",
            false,
            "Whose account; user_uuid is read too. All but create_user and bulk_update.",
        ),
        ("uuids", false, "Whose accounts, at most 200, for bulk_update: all of them or none."),
        ("email", false, "The e-mail address; create_user needs it."),
        ("username", false, "The username; an empty text takes it away."),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
        ("phone", false, "The phone number; an empty text takes it away."),
        ("branch_id", false, "The branch; only staff move people."),
        ("account_type_id", false, "1 Staff, 2 Agent, 3 Landlord, 4 Tenant, 5 Contractor [4]."),
        (
            "account_status_id",
            false,
            "1 Active, 2 Disabled; toggle_status without it turns it over.",
        ),
        ("role_id", false, "The role; create_user takes the role user without it."),
        ("session_id", false, "The session, for terminate_session."),
        ("reason", false, "Why, for add_to_blacklist; null if there is nothing to say."),
        ("password", false, "The first password, for create_user; without one the user sets it."),
    ],
    answer: (200, r#"{"success":true,"message":"Operation completed successfully","data":{}}"#),
    ..Doc::USUAL
};
