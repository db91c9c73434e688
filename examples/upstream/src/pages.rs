//! The HTML pages. Everything that came from outside is escaped; no scripts.

use axum::extract::State;
use axum::response::Html;

use crate::caller::Caller;
use crate::files::Files;
use crate::state::Office;

/// `GET /`: who is calling, the form, the three lists.
pub(crate) async fn home(State(office): State<Office>, caller: Caller) -> Html<String> {
    let mut body = String::new();
    body += &who(&caller);
    body += &job_form(&caller);
    let jobs = office.jobs().into_iter().rev().map(|job| {
        let by = job.created_by.unwrap_or_else(|| "sample".to_owned());
        [job.id.to_string(), job.title, job.priority, by]
    });
    body += &table("Jobs", ["No.", "Job", "Priority", "Posted by"], jobs);
    let leads = office
        .leads()
        .into_iter()
        .map(|lead| [lead.id.to_string(), lead.name, lead.email, lead.status.to_owned()]);
    body += &table("Leads", ["No.", "Name", "E-mail", "Status"], leads);
    let projects = office.projects().into_iter().map(|project| {
        let description = project.description.unwrap_or_default();
        [project.id, project.slug, description, project.created_at]
    });
    body += &table("Projects", ["Id", "Slug", "Description", "Created"], projects);
    page("Office", &caller, &body)
}

/// `GET /admin`: the gate decides who gets here.
pub(crate) async fn admin(caller: Caller) -> Html<String> {
    let permissions = caller.permissions.as_deref().unwrap_or("none");
    let keys = permissions.split([',', ' ']).filter(|key| !key.is_empty());
    let list = keys.map(|key| format!("<li><code>{}</code></li>", escape(key)));
    let body = format!(
        "{}<section><h2>Your permissions</h2><ul class=keys>{}</ul></section>",
        who(&caller),
        joined(list)
    );
    page("Administration", &caller, &body)
}

/// `GET /public/about`: open to everyone.
pub(crate) async fn about(files: Files, caller: Caller) -> Html<String> {
    let body = files.about().await;
    page("About", &caller, &body)
}

fn page(title: &str, caller: &Caller, body: &str) -> Html<String> {
    let leave = if caller.user.is_some() { "<a href=\"/logout\">Sign out</a>" } else { "" };
    Html(format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Harbour Homes</title><style>{STYLE}</style></head><body>\
         <header><strong>Harbour Homes</strong><nav><a href=\"/\">Office</a>\
         <a href=\"/admin\">Administration</a><a href=\"/public/about\">About</a>{leave}</nav></header>\
         <main><h1>{title}</h1>{body}</main>\
         <footer>The sample application behind Portcullis.</footer></body></html>"
    ))
}

fn who(caller: &Caller) -> String {
    let Some(user) = caller.user.as_deref() else {
        return "<section class=who><p>The gate let you in without a sign-in.</p></section>"
            .to_owned();
    };
    let rows = [
        ("Name", caller.name.as_deref()),
        ("E-mail", caller.email.as_deref()),
        ("User", Some(user)),
        ("Role", caller.role.as_deref()),
        ("Organisation", caller.organisation.as_deref()),
    ];
    let known = rows.into_iter().filter_map(|(label, value)| Some((label, value?)));
    let list = known
        .map(|(label, value)| format!("<div><dt>{label}</dt><dd>{}</dd></div>", escape(value)));
    format!("<section class=who><h2>The gate says you are</h2><dl>{}</dl></section>", joined(list))
}

fn job_form(caller: &Caller) -> String {
    let token = escape(caller.csrf_token.as_deref().unwrap_or_default());
    format!(
        "<section><h2>Post a job</h2><form method=post action=\"/api/jobs/manage\">\
         <input type=hidden name=csrf_token value=\"{token}\">\
         <label>What is to be done? <input name=title required maxlength=200></label>\
         <label>Priority <select name=priority><option>low</option><option selected>medium</option>\
         <option>high</option></select></label><button>Post job</button></form></section>"
    )
}

fn table(title: &str, heads: [&str; 4], rows: impl Iterator<Item = [String; 4]>) -> String {
    let heads = heads.into_iter().map(|head| format!("<th scope=col>{head}</th>"));
    let rows = rows.map(|row| {
        let cells = row.into_iter().map(|cell| format!("<td>{}</td>", escape(&cell)));
        format!("<tr>{}</tr>", joined(cells))
    });
    format!(
        "<section><h2>{title}</h2><div class=scroll><table><thead><tr>{}</tr></thead>\
         <tbody>{}</tbody></table></div></section>",
        joined(heads),
        joined(rows)
    )
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// Safe in text and in quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2433;--soft:#5d6779;--line:#dde2ea;--paper:#f5f7fa;--card:#fff;--mark:#0b6b5d}\
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf2;--soft:#9aa5b8;--line:#2e3747;--paper:#12161e;--card:#1a202b;--mark:#4fc3ae}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
header,main,footer{max-width:60rem;margin:0 auto;padding:1rem}\
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;justify-content:space-between;border-bottom:1px solid var(--line)}\
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}a{color:var(--mark)}\
h1{font-size:1.6rem;margin:.5rem 0 1rem}h2{font-size:1.05rem;margin:0 0 .75rem}\
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.25rem;margin:0 0 1rem}\
.who{border-left:4px solid var(--mark)}dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0}\
dt,footer,th{color:var(--soft);font-size:.85rem}dd{margin:0;overflow-wrap:anywhere}\
form{display:flex;flex-wrap:wrap;gap:.75rem 1rem;align-items:end}label{display:grid;gap:.25rem}\
label:first-of-type{flex:1 1 16rem}\
input,select,button{font:inherit;padding:.45rem .6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit}\
button{background:var(--mark);border-color:var(--mark);color:var(--card);font-weight:600;cursor:pointer}\
.scroll{overflow-x:auto}table{width:100%;border-collapse:collapse}\
th,td{text-align:left;padding:.4rem .75rem .4rem 0;border-top:1px solid var(--line)}thead th{border-top:0}\
.keys{columns:16rem;margin:0;padding-left:1.2rem}";
