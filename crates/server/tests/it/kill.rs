//! The program is killed in the middle of its work, again and again: what it had answered holds when
//! it is back. Not a loss of power: what the system had been given is kept.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::client::Client;
use crate::harness::program::Program;
use crate::harness::revoking::{SESSIONS, let_in, name_on_page};

const ROUNDS: u64 = 20;
/// Sessions that are ended in a round.
const ENDED: u64 = 6;
/// Who spend one-time tokens meanwhile.
const SPENDERS: usize = 3;

/// With the bound at zero nobody waits for the lease of the one that was killed.
const CONFIG: &str = "[session]\nrevocation_bound = \"0s\"\n[limits]\nlogin = \"off\"\n\
                      requests = \"off\"\n";

/// What was answered before the end.
#[derive(Default)]
struct Answered {
    /// The clients whose session was ended.
    ended: Vec<Client>,
    /// The tokens that were spent.
    spent: Vec<String>,
    /// Whether he was put on the blacklist.
    is_kept_out: bool,
    /// How many ends of sessions and bars were not answered.
    cut_off: usize,
}

/// What one task was answered.
enum One {
    Ended(Client),
    Spent(Vec<String>),
    KeptOut,
    /// Nothing.
    CutOff,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_holds_after_it_was_killed() {
    let mut program = Program::serve(CONFIG);
    for (name, role, account_type) in
        [("staff", "owner", "staff"), ("tenant", "user", "tenant"), ("agent", "user", "agent")]
    {
        program.make_user(name, role, account_type);
    }
    let agent = user_id(&program.signed_in("agent").await).await;
    let staff = program.signed_in("staff").await;
    let (mut ended, mut spent, mut cut_off) = (0, 0, 0);
    for round in 0..ROUNDS {
        let staff = staff.at(program.address);
        let answered = work_until_killed(&program, &staff, agent, round).await;
        ended += answered.ended.len();
        spent += answered.spent.len();
        cut_off += answered.cut_off;
        program = program.second();
        check(&program, &staff.at(program.address), &answered, round).await;
        let_in(&staff.at(program.address), agent).await;
    }
    println!("{ended} sessions ended and {spent} tokens spent, {cut_off} acts cut off");
    assert!(ended > 0 && spent > 0 && cut_off > 0);
}

/// Ends sessions, keeps somebody out and spends tokens, all at once, until the program is killed.
async fn work_until_killed(program: &Program, staff: &Client, agent: i64, round: u64) -> Answered {
    let mut work = JoinSet::new();
    for number in 0..ENDED {
        let (tenant, token) = (program.signed_in("tenant").await, staff.fetch_csrf().await);
        let fields = json!({"action": "terminate", "session_id": name_on_page(&tenant).await});
        let (staff, pause) = (staff.clone(), Duration::from_millis(3 * number));
        work.spawn(async move {
            tokio::time::sleep(pause).await;
            let answer = post(&staff, &token, &fields).await;
            if answer == Some(200) { One::Ended(tenant) } else { One::CutOff }
        });
    }
    let (keeper, token) = (staff.clone(), staff.fetch_csrf().await);
    work.spawn(async move {
        let fields = json!({"action": "blacklist_add", "user_id": agent, "reason": null});
        let answer = post(&keeper, &token, &fields).await;
        if answer == Some(200) { One::KeptOut } else { One::CutOff }
    });
    for _ in 0..SPENDERS {
        work.spawn(spend_until_killed(staff.clone()));
    }
    tokio::time::sleep(Duration::from_millis(round)).await;
    program.signal("KILL");
    let mut answered = Answered::default();
    for one in work.join_all().await {
        match one {
            One::Ended(client) => answered.ended.push(client),
            One::Spent(tokens) => answered.spent.extend(tokens),
            One::KeptOut => answered.is_kept_out = true,
            One::CutOff => answered.cut_off += 1,
        }
    }
    answered
}

/// Spends one token after the other.
async fn spend_until_killed(staff: Client) -> One {
    // Whatever becomes of the request, its token is spent first.
    let fields = json!({"action": "terminate", "session_id": "none"});
    let mut spent = Vec::new();
    loop {
        let fetched = staff.get("/api/security/csrf-token").try_send().await;
        let Some(fetched) = fetched else { return One::Spent(spent) };
        let token = fetched.json()["data"]["token"].as_str().unwrap().to_owned();
        match post(&staff, &token, &fields).await {
            Some(404) => spent.push(token),
            Some(other) => panic!("{other}"),
            None => return One::Spent(spent),
        }
    }
}

async fn check(program: &Program, staff: &Client, answered: &Answered, round: u64) {
    assert_eq!(me(staff).await, 200, "round {round}: control");
    for ended in &answered.ended {
        assert_eq!(me(&ended.at(program.address)).await, 401, "round {round}: a session is back");
    }
    for token in &answered.spent {
        let fields = json!({"action": "terminate", "session_id": "none"});
        let post = staff.post(SESSIONS).header("x-csrf-token", token).json(&fields);
        let verdict = post.send().await.verdict();
        assert_eq!(verdict, "403 csrf_used", "round {round}: a token is fresh again");
    }
    let list = staff.get("/api/security/sessions?action=blacklist_list").send().await.json();
    let is_kept_out = list["count"] == 1;
    assert!(is_kept_out || !answered.is_kept_out, "round {round}: he is off the list");
}

async fn post(client: &Client, token: &str, fields: &Value) -> Option<u16> {
    let post = client.post(SESSIONS).header("x-csrf-token", token).json(fields);
    post.try_send().await.map(|answer| answer.status.as_u16())
}

async fn me(client: &Client) -> u16 {
    client.get("/api/auth/me").send().await.status.as_u16()
}

async fn user_id(client: &Client) -> i64 {
    client.get("/api/auth/me").send().await.json()["id"].as_i64().unwrap()
}
