//! The sites in Caddy's JSON, as its admin API gives it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{host_port, nameless, url};

/// Routes lie in routes, and no deeper than this.
const DEPTH: usize = 16;

/// All sites of all servers.
pub(super) fn sites(config: &Value) -> Vec<String> {
    // The admin API may be asked for a part of it.
    let http = config.pointer("/apps/http").unwrap_or(config);
    let usual = |name: &str, port: u16| {
        let port = http[name].as_u64().map_or(u64::from(port), |port| port);
        u16::try_from(port).unwrap_or_default()
    };
    let plain = usual("http_port", 80);
    let mut found = Vec::new();
    let servers = http["servers"].as_object();
    for server in servers.into_iter().flat_map(|servers| servers.values()) {
        let mut hosts = BTreeSet::new();
        collect(&server["routes"], &mut hosts, DEPTH);
        for listen in strings(&server["listen"]) {
            // `tcp/host:port`; sockets are no sites.
            let address = listen.strip_prefix("tcp/").unwrap_or(listen);
            if address.contains('/') {
                continue;
            }
            let (host, port) = host_port(address);
            let policies = server["tls_connection_policies"].as_array();
            let tls = policies.is_some_and(|policies| !policies.is_empty());
            let automatic = &server["automatic_https"];
            let off = automatic["disable"] == true;
            let secure = |name: &str| {
                let skipped = strings(&automatic["skip"]).any(|skip| skip == name);
                tls || !(off || skipped || port == Some(plain))
            };
            if hosts.is_empty() {
                if !tls && (off || port != Some(443)) {
                    found.extend(url(false, nameless(host), port));
                }
                continue;
            }
            found.extend(
                hosts
                    .iter()
                    .filter_map(|name| url(secure(name), name, port)),
            );
        }
    }
    found
}

/// The hosts that routes, and those within them, ask for.
fn collect<'a>(routes: &'a Value, hosts: &mut BTreeSet<&'a str>, depth: usize) {
    let routes = routes.as_array().filter(|_| depth > 0);
    for route in routes.into_iter().flatten() {
        let sets = route["match"].as_array();
        for set in sets.into_iter().flatten() {
            hosts.extend(strings(&set["host"]));
        }
        let handlers = route["handle"].as_array();
        for handler in handlers.into_iter().flatten() {
            collect(&handler["routes"], hosts, depth - 1);
        }
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_routes_are_sites_by_the_port_that_is_listened_on() {
        let server = |text: &str| {
            let text = format!("{{\"apps\":{{\"http\":{{\"servers\":{{\"s\":{text}}}}}}}}}");
            sites(&serde_json::from_str(&text).unwrap())
        };
        let routes = r#""routes":[{"match":[{"host":["a.example","*.b.example"]}],"handle":[{"handler":"subroute","routes":[{"match":[{"host":["c.example"]}]}]}]}]"#;
        for (rest, expected) in [
            (
                r#""listen":[":443"]"#,
                vec!["https://a.example/", "https://c.example/"],
            ),
            (
                r#""listen":[":80"]"#,
                vec!["http://a.example/", "http://c.example/"],
            ),
            (
                r#""listen":[":8080"],"automatic_https":{"skip":["a.example"]}"#,
                vec!["http://a.example:8080/", "https://c.example:8080/"],
            ),
            (
                r#""listen":["tcp/:81"],"automatic_https":{"disable":true}"#,
                vec!["http://a.example:81/", "http://c.example:81/"],
            ),
            (r#""listen":["unix//run/x.sock"]"#, vec![]),
        ] {
            assert_eq!(server(&format!("{{{rest},{routes}}}")), expected, "{rest}");
        }
        let plain = r#"{"listen":["0.0.0.0:8081",":443"],"routes":[{"handle":[{"handler":"static_response"}]}]}"#;
        assert_eq!(server(plain), ["http://127.0.0.1:8081/"]);
        assert_eq!(sites(&Value::Null), [""; 0]);
    }
}
