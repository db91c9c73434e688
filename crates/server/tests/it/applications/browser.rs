//! A browser as far as an application can tell: cookies, the headers that say where a request came
//! from, forms with their hidden fields, and redirects, which must not lead to another host.

use http::Method;

use super::Place;
use super::socket::asking;
use crate::harness::TestApp;
use crate::harness::client::{Answer, Client, Sending};
use crate::harness::people::{PASSWORD, Person};

/// Somebody's browser. Clones share the cookies.
#[derive(Clone)]
pub(super) struct Browser {
    client: Client,
    host: String,
    origin: String,
}

/// Where redirects led to, and what was shown there.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) path: String,
    pub(super) answer: Answer,
}

impl Browser {
    pub(super) fn new(server: &TestApp, place: Place) -> Self {
        let host = place.host(server);
        let origin = format!("{}://{host}", place.scheme());
        Self { client: server.client(), host, origin }
    }

    /// Scheme, host and port of the pages.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        self.client.cookie(name)
    }

    /// A request by a script of a page.
    pub(super) fn fetch(&self, method: Method, path: &str) -> Sending<'_> {
        self.request(method, path).from_own_page().header("origin", &self.origin)
    }

    /// Goes to an address of the application.
    pub(super) async fn open(&self, path: &str) -> Page {
        let answer = self.navigation(Method::GET, path, "same-origin").send().await;
        self.follow(path, answer).await
    }

    /// Fills in the form of a page that leads to `action`, and submits it.
    pub(super) async fn submit(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let answer = self.filled_in(page, action, fields, "same-origin").send().await;
        self.follow(action, answer).await
    }

    /// The request of that form, as if a page of this `site` had sent it.
    pub(super) fn filled_in(
        &self,
        page: &Page,
        action: &str,
        fields: &[(&str, &str)],
        site: &str,
    ) -> Sending<'_> {
        let hidden = page.hidden_fields(&format!("action=\"{action}\""));
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        self.submission(action, site).form(&all)
    }

    /// A form on its way, without its body yet.
    pub(super) fn submission(&self, action: &str, site: &str) -> Sending<'_> {
        self.navigation(Method::POST, action, site).header("origin", self.origin_of(site))
    }

    /// `new WebSocket(path)` by a page of this `site`.
    pub(super) fn dial(&self, path: &str, site: &str) -> Sending<'_> {
        asking(self.request(Method::GET, path))
            .header("origin", self.origin_of(site))
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", "websocket")
            .header("sec-fetch-dest", "websocket")
    }

    /// Follows where an answer to `path` leads.
    pub(super) async fn follow(&self, path: &str, mut answer: Answer) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let Some(location) = answer.header("location") else { return Page { path, answer } };
            let local = location.strip_prefix(&self.origin).unwrap_or(location);
            assert!(local.starts_with('/') && !local.starts_with("//"), "leads away: {answer:?}");
            path = local.to_owned();
            answer = self.navigation(Method::GET, &path, "same-origin").send().await;
        }
        panic!("redirected without end: {answer:?}");
    }

    /// Opens a path, is led to the gate's own page, signs in there, and is led back.
    pub(super) async fn sign_in_at_the_gate(&self, path: &str, person: &Person) -> Page {
        let page = self.open(path).await;
        assert!(page.path.starts_with("/-/sign-in?next="), "{page:?}");
        let fields = [("username", person.email), ("password", PASSWORD)];
        self.submit(&page, "/-/sign-in", &fields).await
    }

    fn origin_of(&self, site: &str) -> &str {
        if site == "cross-site" { "https://evil.example" } else { &self.origin }
    }

    fn navigation(&self, method: Method, path: &str, site: &str) -> Sending<'_> {
        self.request(method, path)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
    }

    fn request(&self, method: Method, path: &str) -> Sending<'_> {
        self.client.request(method, path).header("host", &self.host)
    }
}

impl Page {
    pub(super) fn html(&self) -> String {
        self.answer.text()
    }

    /// Panics with the page unless it was shown at this path and says this.
    #[track_caller]
    pub(super) fn assert_shows(&self, path: &str, text: &str) {
        assert_eq!(self.answer.status, 200, "{self:?}");
        assert_eq!(self.path, path, "{self:?}");
        assert!(self.html().contains(text), "{text} is not on {self:?}");
    }

    /// The hidden fields of the form with this in its tag: names and values.
    pub(super) fn hidden_fields(&self, mark: &str) -> Vec<(String, String)> {
        let html = self.html();
        let is_meant = |form: &&str| form.split('>').next().unwrap().contains(mark);
        let form = html.split("<form").skip(1).find(is_meant);
        let form = form.unwrap_or_else(|| panic!("no form has {mark}: {self:?}"));
        let form = form.split("</form>").next().unwrap();
        let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
        inputs.map(name_and_value).collect()
    }
}

/// The name that an input begins with, and its value.
fn name_and_value(input: &str) -> (String, String) {
    let (name, rest) = input.split_once('"').unwrap();
    let (_, value) = rest.split_once("value=\"").unwrap();
    (name.to_owned(), value.split('"').next().unwrap().to_owned())
}
