//! The sites in Caddy's JSON, as its admin API gives it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{host_port, leads_to, nameless, turns_away, url};

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
                let open = closed(&server["routes"], DEPTH) != Some(true);
                if open && !tls && (off || port != Some(443)) {
                    found.extend(url(false, nameless(host), port));
                }
                continue;
            }
            found.extend(
                hosts
                    .iter()
                    .filter(|name| leads_to(name, host))
                    .filter_map(|name| url(secure(name), name, port)),
            );
        }
    }
    found
}

/// Whether routes turn everybody away who asks for `/`; nothing if they leave it to others.
fn closed(routes: &Value, depth: usize) -> Option<bool> {
    let routes = routes.as_array().filter(|_| depth > 0)?;
    for route in routes {
        let takes = takes_root(&route["match"]);
        if takes == Takes::Never {
            continue;
        }
        match (turned(&route["handle"], depth), takes) {
            (Some(false), _) => return Some(false),
            (Some(true), Takes::Surely) => return Some(true),
            // Whom it turns away are some, or it hands on.
            _ => {}
        }
    }
    None
}

/// The same for the handlers of a route.
fn turned(handlers: &Value, depth: usize) -> Option<bool> {
    let handlers = handlers.as_array()?;
    handlers.iter().find_map(|handler| {
        Some(match handler["handler"].as_str()? {
            "subroute" => closed(&handler["routes"], depth - 1)?,
            "error" => true,
            "static_response" => {
                let code = match &handler["status_code"] {
                    Value::String(code) => code.parse().ok(),
                    code => code.as_u64().and_then(|code| u16::try_from(code).ok()),
                };
                handler["abort"] == true || code.is_some_and(turns_away)
            }
            // These hand on what they were given.
            "encode" | "headers" | "log_append" | "map" | "request_body" | "rewrite"
            | "templates" | "tracing" | "vars" => return None,
            _ => false,
        })
    })
}

/// Whether a route takes who asks for `/`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Never,
    /// It asks for more than a path, such as an address.
    Perhaps,
    Surely,
}

fn takes_root(sets: &Value) -> Takes {
    let Some(sets) = sets.as_array().filter(|sets| !sets.is_empty()) else {
        return Takes::Surely;
    };
    let of_root = |set: &&Value| {
        let mut paths = strings(&set["path"]).peekable();
        paths.peek().is_none() || paths.any(|path| matches!(path, "/" | "/*" | "*"))
    };
    let plain = |set: &Value| {
        let mut keys = set.as_object().into_iter().flat_map(|set| set.keys());
        keys.all(|key| matches!(key.as_str(), "host" | "path"))
    };
    let taken: Vec<_> = sets.iter().filter(of_root).collect();
    match taken.is_empty() {
        true => Takes::Never,
        false if taken.into_iter().all(plain) => Takes::Surely,
        false => Takes::Perhaps,
    }
}

/// The hosts that routes, and those within them, ask for.
fn collect<'a>(routes: &'a Value, hosts: &mut BTreeSet<&'a str>, depth: usize) {
    let routes = routes.as_array().filter(|_| depth > 0);
    for route in routes.into_iter().flatten() {
        let sets = route["match"].as_array();
        let open = turned(&route["handle"], depth) != Some(true);
        for set in sets.into_iter().flatten().filter(|_| open) {
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
        for rest in [
            r#""listen":["127.0.0.1:8080"]"#,
            r#""listen":["[::1]:8080"],"automatic_https":{"disable":true}"#,
        ] {
            assert_eq!(server(&format!("{{{rest},{routes}}}")), [""; 0], "{rest}");
        }
        let plain = r#"{"listen":["0.0.0.0:8081",":443"],"routes":[{"handle":[{"handler":"static_response"}]}]}"#;
        assert_eq!(server(plain), ["http://127.0.0.1:8081/"]);
        assert_eq!(sites(&Value::Null), [""; 0]);
    }

    #[test]
    fn what_turns_everybody_away_is_no_site() {
        let answers = |text: &str| {
            let text = format!(r#"{{"servers":{{"s":{{"listen":[":80"],"routes":[{text}]}}}}}}"#);
            sites(&serde_json::from_str(&text).unwrap())
        };
        let within = |routes: &str| {
            format!(
                r#"{{"match":[{{"host":["a.example"]}}],"handle":[{{"handler":"subroute","routes":[{routes}]}}]}}"#
            )
        };
        let none = r#"{"handle":[{"handler":"static_response","status_code":404}]}"#;
        let api = r#"{"match":[{"path":["/api/*"]}],"handle":[{"handler":"reverse_proxy"}]}"#;
        let all = r#"{"match":[{"path":["/*"]}],"handle":[{"handler":"reverse_proxy"}]}"#;
        let proxy = r#"{"handle":[{"handler":"headers"},{"handler":"reverse_proxy"}]}"#;
        let deny = r#""handle":[{"handler":"static_response","status_code":403}]"#;
        let some = format!(r#"{{"match":[{{"remote_ip":{{"ranges":["192.0.2.0/24"]}}}}],{deny}}}"#);
        let strangers = format!(
            r#"{{"match":[{{"not":[{{"remote_ip":{{"ranges":["192.0.2.0/24"]}}}}]}}],{deny}}}"#
        );
        for (text, expected) in [
            (
                r#"{"handle":[{"handler":"static_response","abort":true}]}"#.to_owned(),
                None,
            ),
            (none.to_owned(), None),
            (within(none), None),
            (within(&format!("{api},{none}")), None),
            (
                within(r#"{"handle":[{"handler":"static_response","status_code":"410"}]}"#),
                None,
            ),
            (
                within(r#"{"handle":[{"handler":"error","status_code":503}]}"#),
                None,
            ),
            (within(&format!("{all},{none}")), Some("http://a.example/")),
            (
                within(&format!("{proxy},{none}")),
                Some("http://a.example/"),
            ),
            (
                within(r#"{"handle":[{"handler":"static_response","status_code":302}]}"#),
                Some("http://a.example/"),
            ),
            (
                within(r#"{"handle":[{"handler":"static_response","body":"hi"}]}"#),
                Some("http://a.example/"),
            ),
            (proxy.to_owned(), Some("http://127.0.0.1/")),
            // Those are turned away, and others are not.
            (
                within(&format!("{some},{proxy}")),
                Some("http://a.example/"),
            ),
            (
                within(&format!("{strangers},{proxy}")),
                Some("http://a.example/"),
            ),
            (format!("{strangers},{proxy}"), Some("http://127.0.0.1/")),
            (within(&format!("{some},{none}")), None),
            (
                within(&format!("{some},{all},{none}")),
                Some("http://a.example/"),
            ),
        ] {
            assert_eq!(answers(&text), Vec::from_iter(expected), "{text}");
        }
    }
}
