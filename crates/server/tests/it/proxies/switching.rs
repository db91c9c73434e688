//! Requests that switch to another protocol, through every front: a WebSocket for those who may and
//! from pages that may, and nothing else for anybody. What flows afterwards is in `proxy::websocket`.

use tokio::net::TcpStream;

use super::{Front, Fronted, with_each};
use crate::harness::people::Z1;
use crate::proxy::ask;

/// A good handshake but for the lines that say who sends it, from where.
const HELLO: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A raw request; status and head of the answer.
async fn get(fronted: &Fronted, path: &str, lines: &str) -> (u16, String) {
    let host = fronted.address;
    let mut socket = TcpStream::connect(host).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
    let head = ask(&mut socket, &head).await.to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), head)
}

async fn session(fronted: &Fronted) -> String {
    fronted.server.add(&Z1).await;
    let session = fronted.sign_in(&Z1).await.cookie("sessionid").unwrap();
    format!("Cookie: sessionid={session}\r\n")
}

#[tokio::test]
async fn a_websocket_is_for_those_who_may() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.upstream.switch_to_anything();
        let cookie = session(fronted).await;
        let refused = get(fronted, "/socket", HELLO).await;
        assert_eq!(refused.0, 401, "{front:?}: {refused:?}");
        assert!(server.upstream.seen().is_empty(), "{front:?}");
        let opened = get(fronted, "/socket", &format!("{cookie}{HELLO}")).await;
        assert_eq!(opened.0, 101, "{front:?}: {opened:?}");
        let seen = server.upstream.last().headers;
        assert_eq!(seen["upgrade"], "websocket", "{front:?}");
        assert!(seen.contains_key("x-auth-user"), "{front:?}: {seen:?}");
    })
    .await;
}

/// Browsers send cookies along with the handshakes of any site's pages.
#[tokio::test]
async fn a_websocket_is_not_for_the_pages_of_others() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, address, .. } = fronted;
        server.upstream.switch_to_anything();
        let cookie = session(fronted).await;
        for page in [
            "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n",
            "Origin: https://evil.example\r\n",
            "Origin: https://evil.example\r\nSec-Fetch-Mode: websocket\r\n",
            "Origin: null\r\n",
        ] {
            let answer = get(fronted, "/socket", &format!("{cookie}{page}{HELLO}")).await;
            assert_eq!(answer.0, 403, "{front:?} {page}: {answer:?}");
            assert!(server.upstream.seen().is_empty(), "{front:?} {page}");
        }
        let own = format!("{cookie}Origin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n");
        let opened = get(fronted, "/socket", &format!("{own}{HELLO}")).await;
        assert_eq!(opened.0, 101, "control: {front:?}: {opened:?}");
    })
    .await;
}

/// What `Upgrade` must not carry to the application. In HTTP/2 over the same connection, further
/// requests would come to it that nobody judges.
const OFFERS: [&str; 9] = [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "Connection: keep-alive, upgrade\r\nUpgrade: H2C\r\n",
    "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
    "Connection: Upgrade\r\nUpgrade: connect-udp\r\n",
];

#[tokio::test]
async fn a76_no_other_protocol_is_switched_to() {
    with_each(&Front::ALL, async |fronted| {
        let Fronted { front, server, .. } = fronted;
        server.upstream.switch_to_anything();
        let cookie = session(fronted).await;
        let key = HELLO.split_once("websocket\r\n").unwrap().1;
        for offer in OFFERS {
            for (path, more) in [
                ("/public/x", String::new()),
                ("/socket", cookie.clone()),
                ("/socket", format!("{cookie}{key}")),
            ] {
                let (status, head) = get(fronted, path, &format!("{offer}{more}")).await;
                let is_fine = match status {
                    101 => head.contains("\r\nupgrade: websocket\r\n"),
                    _ => [200, 400].contains(&status),
                };
                assert!(is_fine, "{front:?} {path} {offer}: {head}");
            }
        }
        for seen in server.upstream.seen() {
            let offered: Vec<_> = seen.headers.get_all("upgrade").iter().collect();
            assert!(offered.is_empty() || offered == ["websocket"], "{front:?}: {seen:?}");
        }
        let plain = get(fronted, "/public/x", "").await;
        assert_eq!(plain.0, 200, "control: {front:?}: {plain:?}");
        for spelled in ["websocket", "WebSocket"] {
            let hello = HELLO.replace("websocket", spelled);
            let opened = get(fronted, "/socket", &format!("{cookie}{hello}")).await;
            assert_eq!(opened.0, 101, "control: {front:?}: {opened:?}");
        }
    })
    .await;
}
