//! What a link that signs in remembers of its being asked for: in which browser that was, and what
//! goes on with the sign-in.

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::{Facts, LinkPurpose};
use portcullis_domain::secret::Mac;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// A link, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub user_id: UserId,
    pub facts: Facts,
    /// The mark of the browser; `None` if a program asked.
    pub browser: Option<Mac>,
    /// What goes on with the sign-in, as its flow writes it.
    pub detail: String,
}

/// Notes of a link that was made in this transaction where it was asked for.
pub async fn note_asked(
    tx: &mut Tx,
    link: &Mac,
    browser: Option<&Mac>,
    detail: &str,
) -> Result<()> {
    const SQL: &str = "UPDATE one_time_links SET browser = $2, detail = $3 WHERE mac = $1";
    tx.execute(SQL, params![link, browser, detail]).await.map(drop)
}

/// What is known of a link; `None` if no link of this purpose has the MAC.
pub async fn asked(tx: &mut Tx, purpose: LinkPurpose, link: &Mac) -> Result<Option<Asked>> {
    const SQL: &str = "SELECT l.user_id, l.expires_at, l.used_at, l.user_epoch, u.epoch,
            l.browser, l.detail
        FROM one_time_links l JOIN users u ON u.id = l.user_id
        WHERE l.mac = $1 AND l.purpose = $2";
    let row = tx.fetch_optional(SQL, params![link, purpose.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Asked> {
    let user_id: i64 = row.get("user_id")?;
    let browser: Option<Vec<u8>> = row.get("browser")?;
    let unreadable = || corrupt("one_time_links", "browser", user_id);
    let browser =
        browser.map(|bytes| Mac::from_bytes(&bytes).ok_or_else(unreadable)).transpose()?;
    let facts = super::facts(row)?;
    Ok(Asked { user_id: UserId(user_id), facts, browser, detail: row.get("detail")? })
}
