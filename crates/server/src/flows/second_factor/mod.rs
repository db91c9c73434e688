//! Somebody's second factor: looking at a code, and what its owner does with it. Not here: when a sign-in
//! asks for one (`sign_in/factor`), and taking away that of others (`users/reset_factor`).

mod backup_codes;
pub(super) mod change;
pub(super) mod check;
mod disable;
pub(super) mod enable;
pub(super) mod set_up;
mod status;
mod verify;

pub use backup_codes::{BackupCodes, list as backup_codes, renew as renew_backup_codes};
pub use check::Checked;
pub(super) use check::{check, lock_key};
pub use disable::{
    Disabled, Guessed, by_code as disable_by_code, by_password as disable_by_password,
};
pub use enable::{Codes, Enabled, enable};
pub use set_up::{Begun, Key, SetUp, set_up};
pub use status::{Status, status};
pub use verify::verify;
