//! Acts on sessions and on the blacklist, as staff send them, and the names of sessions.

use http::Method;
use portcullis_domain::secret::{Opaque, Purpose};
use portcullis_store::credentials;
use serde_json::{Value, json};

use super::TestApp;
use super::client::{Answer, Client};

/// Where staff end sessions and keep people out.
pub(crate) const SESSIONS: &str = "/api/security/sessions";

impl TestApp {
    /// The public name of the session of a client's cookie.
    pub(crate) async fn handle_of(&self, client: &Client) -> String {
        self.handle(Purpose::Cookie, &client.cookie("sessionid").unwrap()).await
    }

    /// The public name of the session of a bearer token.
    pub(crate) async fn handle_of_token(&self, token: &str) -> String {
        self.handle(Purpose::Bearer, token).await
    }

    async fn handle(&self, purpose: Purpose, secret: &str) -> String {
        let secret = Opaque::parse(secret).unwrap();
        let mac = self.app.keys.credential.credential_mac(purpose, &secret);
        let mut tx = self.app.db.read_once().await.unwrap();
        let found = credentials::find(&mut tx, &mac).await.unwrap().unwrap();
        found.session().unwrap().session.handle.as_str().to_owned()
    }
}

/// Sends an act with a good CSRF token.
pub(crate) async fn act(client: &Client, fields: &Value) -> Answer {
    client.act(Method::POST, SESSIONS, fields).await
}

/// Ends the session of this name.
pub(crate) async fn terminate(client: &Client, handle: &str) -> Answer {
    act(client, &json!({"action": "terminate", "session_id": handle})).await
}

/// Keeps a user out.
pub(crate) async fn blacklist(client: &Client, user: i64) -> Answer {
    let fields = json!({"action": "blacklist_add", "user_id": user, "reason": "Left the company"});
    act(client, &fields).await
}

/// Lets a user in again.
pub(crate) async fn let_in(client: &Client, user: i64) -> Answer {
    act(client, &json!({"action": "blacklist_remove", "user_id": user})).await
}

/// The public name of a client's session, as its owner finds it.
pub(crate) async fn name_on_page(client: &Client) -> String {
    let html = client.get("/-/account").send().await.text();
    let at = html.find("sess_").unwrap();
    html[at..at + 29].to_owned()
}
