//! What peers are told to look at from outside, and how: by a module that each of them has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::Config;
use crate::probe::{self, Http, Loaded, Module, Prober};

/// So many sites of a peer are looked at.
pub(super) const SITES: usize = 50;
/// A target is no longer than this, in bytes.
pub(super) const LONG: usize = 512;
/// How a peer may ask us to look: what ships with every Belfry, and takes nothing
/// from the other side but its answer.
const MODULES: [&str; 7] = [
    "http_2xx",
    "http_answers",
    "http_redirect",
    "tls_connect",
    "tcp_connect",
    "grpc",
    "websocket",
];

/// What every Belfry has; each peer asks again and again.
static SHIPPED: LazyLock<BTreeMap<String, Arc<Module>>> = LazyLock::new(probe::shipped);

/// A site, as its peers are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Its name.
    pub name: String,
    /// What is looked at.
    pub target: String,
    /// How: one of the modules that every Belfry has.
    pub module: String,
}

/// What the peers are told to look at.
#[must_use]
pub fn shared(config: &Config, probes: &Loaded) -> Vec<Shared> {
    let named: BTreeSet<&str> = if config.share.is_empty() {
        let sites = probes.config.sites.iter();
        sites.map(|site| &*site.outside).collect()
    } else {
        config.share.iter().map(String::as_str).collect()
    };
    let targets = probes.config.targets.iter();
    targets
        .filter(|target| named.contains(target.called()))
        .filter_map(|target| {
            let own = &*target.module;
            let module = &**probes.modules.get(own)?;
            let theirs = SHIPPED.get(own).filter(|_| MODULES.contains(&own));
            let http = module.prober == Prober::Http;
            let same = theirs.filter(|theirs| {
                theirs.prober == module.prober && (!http || theirs.http == module.http)
            });
            let module = match same {
                Some(_) => own,
                // Others do not have a module of ours, be it of a name that they know.
                None if http => elsewhere(module)?,
                None => return None,
            };
            Some(Shared {
                name: target.called().to_owned(),
                target: target.target.clone(),
                module: module.to_owned(),
            })
        })
        .take(SITES)
        .collect()
}

/// How others look at what we look at by a module of our own: where it asks for nothing
/// special, as at any site; else they see whether it answers at all, as they have neither
/// our authorities nor our logins, and do not know which status is good. Nothing where
/// they could not reach it without more.
fn elsewhere(module: &Module) -> Option<&'static str> {
    let http = &module.http;
    let by_name = http.headers.keys().chain(http.http_headers.keys());
    let wants_more = !http.proxy_url.is_empty()
        || !http.tls_config.cert_file.as_os_str().is_empty()
        || !http.tls_config.server_name.is_empty()
        || by_name
            .into_iter()
            .any(|name| name.eq_ignore_ascii_case("host"));
    if wants_more {
        return None;
    }
    // What is expected of the answer beside its status is our own affair.
    let harmless = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("accept") || name == "user-agent" || name == "cache-control"
    };
    let mut headers = http.headers.clone();
    headers.retain(|name, _| !harmless(name));
    let mut http_headers = http.http_headers.clone();
    http_headers.retain(|name, _| !harmless(name));
    let usual = http
        .valid_status_codes
        .iter()
        .all(|code| (200..300).contains(code));
    let asked = Http {
        valid_status_codes: match usual {
            true => Vec::new(),
            false => http.valid_status_codes.clone(),
        },
        headers,
        http_headers,
        valid_http_versions: Vec::new(),
        preferred_ip_protocol: Http::default().preferred_ip_protocol,
        ip_protocol_fallback: true,
        fail_if_ssl: false,
        fail_if_not_ssl: false,
        fail_if_body_matches_regexp: Vec::new(),
        fail_if_body_not_matches_regexp: Vec::new(),
        fail_if_header_matches: Vec::new(),
        fail_if_header_not_matches: Vec::new(),
        json: Vec::new(),
        compression: String::new(),
        body_size_limit: settings::Size(0),
        enable_http2: true,
        ..http.clone()
    };
    Some(match asked == Http::default() {
        true => "http_2xx",
        false => "http_answers",
    })
}

/// Whether we look at it: it is short, and by a module that takes nothing.
pub(super) fn taken(site: &Shared) -> bool {
    let short = |text: &str| !text.is_empty() && text.len() <= LONG;
    short(&site.name) && short(&site.target) && MODULES.contains(&&*site.module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: settings::Value + Default>(text: &str) -> T {
        settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
    }

    #[test]
    fn peers_are_told_of_what_visitors_see() {
        let probes: probe::Config = read(
            "{modules: {mine: {prober: http}}, targets: [{name: in, target: 'http://127.0.0.1/'}, \
             {name: out, target: 'https://shop.example/', module: mine}, {name: db, target: 'h:5432', module: postgres}], \
             sites: [{name: shop, inside: in, outside: out}]}",
        );
        let probes = probes.load().unwrap();
        for (text, expected) in [
            ("{}", vec![("out", "http_2xx")]),
            ("share: [in, db, none]", vec![("in", "http_2xx")]),
        ] {
            let told = shared(&read(text), &probes);
            let told: Vec<_> = told.iter().map(|one| (&*one.name, &*one.module)).collect();
            assert_eq!(told, expected, "{text}");
        }
    }

    #[test]
    fn a_module_of_our_own_is_no_reason_for_peers_to_see_a_site_down() {
        for (module, told) in [
            (
                "mine: {http: {fail_if_body_not_matches_regexp: [ok], json: [{path: a, equals: b}]}}",
                Some("http_2xx"),
            ),
            (
                "mine: {http: {valid_status_codes: [401]}}",
                Some("http_answers"),
            ),
            (
                "mine: {http: {valid_status_codes: [200, 204], headers: {User-Agent: x, Accept: y}}}",
                Some("http_2xx"),
            ),
            ("mine: {http: {headers: {X-Key: x}}}", Some("http_answers")),
            (
                "mine: {http: {method: POST, body: x}}",
                Some("http_answers"),
            ),
            (
                "mine: {http: {basic_auth: {username: u, password: p}}}",
                Some("http_answers"),
            ),
            (
                "mine: {http: {tls_config: {ca_file: /etc/ca.pem}}}",
                Some("http_answers"),
            ),
            (
                "mine: {http: {follow_redirects: false}}",
                Some("http_answers"),
            ),
            ("mine: {http: {tls_config: {cert_file: /etc/me.pem}}}", None),
            ("mine: {http: {headers: {host: shop.example}}}", None),
            ("mine: {prober: tcp}", None),
            (
                "http_2xx: {http: {valid_status_codes: [204, 401]}}",
                Some("http_answers"),
            ),
            (
                "http_redirect: {http: {follow_redirects: false, valid_status_codes: [301, 302, 303, 307, 308]}}",
                Some("http_redirect"),
            ),
            (
                "http_post_2xx: {http: {method: POST}}",
                Some("http_answers"),
            ),
            (
                "tcp_connect: {prober: tcp, tcp: {preferred_ip_protocol: ip4}}",
                Some("tcp_connect"),
            ),
        ] {
            let (name, _) = module.split_once(':').unwrap();
            let probes: probe::Config = read(&format!(
                "{{addresses: [192.0.2.1], modules: {{{module}}}, \
                 targets: [{{name: site, target: 'https://shop.example/', module: {name}}}]}}"
            ));
            let probes = probes.load().unwrap();
            let all = shared(&read("share: [site]"), &probes);
            assert_eq!(all.first().map(|one| &*one.module), told, "{module}");
            assert!(all.iter().all(taken), "{module}");
        }
        for name in MODULES {
            assert!(probe::shipped().contains_key(name), "{name}");
        }
    }
}
