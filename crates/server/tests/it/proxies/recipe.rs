//! The handbook's examples, with nothing changed but addresses, ports, paths of files, and TLS,
//! for which there is no certificate here.

use std::net::SocketAddr;
use std::path::Path;

use super::Front;

/// The files of a front, by name; the first is the one to start with.
pub(super) fn of(
    front: Front,
    address: SocketAddr,
    gate: SocketAddr,
    application: SocketAddr,
) -> Vec<(&'static str, String)> {
    let place = |text: &str| {
        replaced(text, "127.0.0.1:8080", &gate.to_string())
            .replace("127.0.0.1:3000", &application.to_string())
    };
    match front {
        Front::Gate => Vec::new(),
        Front::Nginx | Front::GateBehindNginx => {
            let title = if front.asks() { "nginx asks Portcullis" } else { "nginx in front of" };
            let text = place(&block(title));
            let text = replaced(&text, "listen 443 ssl;", &format!("listen {address};"));
            let text = replaced(&text, "server_name app.example.org;", "server_name 127.0.0.1;");
            let without_tls = text.lines().filter(|line| !line.contains("ssl_certificate"));
            vec![("app.conf", without_tls.collect::<Vec<_>>().join("\n"))]
        }
        Front::Caddy | Front::GateBehindCaddy => {
            let title = if front.asks() { "Caddy asks Portcullis" } else { "Caddy in front of" };
            let site = format!("http://{address} {{");
            vec![("Caddyfile", replaced(&place(&block(title)), "app.example.org {", &site))]
        }
        Front::Haproxy => {
            let main = place(&block("HAProxy asks Portcullis: /etc/haproxy/haproxy.cfg"));
            let bind = "bind :443 ssl crt /etc/haproxy/app.example.org.pem";
            let main = replaced(&main, bind, &format!("bind {address}"));
            let script = block("HAProxy asks Portcullis: /etc/haproxy/portcullis.lua");
            let script = replaced(&script, "127.0.0.1:8080", &gate.to_string());
            vec![("haproxy.cfg", main), ("portcullis.lua", script)]
        }
    }
}

/// Replaces what must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example has no {from:?}:\n{text}");
    text.replace(from, to)
}

/// The fenced block of the page that has this in its first line.
fn block(title: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/behind-a-proxy.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("\n```").skip(1).step_by(2);
    let mut blocks = blocks.filter_map(|block| Some(block.split_once('\n')?.1));
    let is_it = |block: &&str| block.lines().next().is_some_and(|line| line.contains(title));
    blocks.find(is_it).unwrap_or_else(|| panic!("no example {title:?}")).to_owned() + "\n"
}
