//! Which keys of a `prometheus.yml` mean nothing here, which ask for what Belfry
//! cannot do, and what holds where a job states no limit.

use settings::{Fault, Kind, Name, Node};

/// Keys that change nothing here: where, and why.
const IDLE: &[(&str, &[&str], &str)] = &[
    ("", &["tracing", "runtime"], "nothing of it is here"),
    ("", &["storage"], "the store has its own limits"),
    ("", &["otlp"], "nothing is received by that way"),
    (
        "global",
        &["query_log_file", "scrape_failure_log_file"],
        "there is no such log; failures are in /api/v1/targets",
    ),
    ("global", NAMES_AND_FORMS, NOTHING),
    ("scrape_configs[]", NAMES_AND_FORMS, NOTHING),
    (
        "scrape_configs[]",
        &["scrape_failure_log_file"],
        "there is no such log; failures are in /api/v1/targets",
    ),
    ("*", &["enable_http2"], "HTTP/1.1 is spoken"),
];

const NOTHING: &str = "nothing of it is here";
const NAMES_AND_FORMS: &[&str] = &[
    "keep_dropped_targets",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
    "scrape_native_histograms",
    "scrape_classic_histograms",
    "always_scrape_classic_histograms",
    "convert_classic_histograms_to_nhcb",
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "extra_scrape_metrics",
];

/// Keys that ask for what Belfry cannot do.
const REFUSED: &[(&str, &[&str])] = &[
    ("", &["remote_write", "remote_read", "scrape_config_files"]),
    ("global", &["rule_query_offset"]),
    (
        "*",
        &[
            "oauth2",
            "sigv4",
            "azuread",
            "google_iam",
            "proxy_url",
            "proxy_from_environment",
            "no_proxy",
            "proxy_connect_header",
            "http_headers",
        ],
    ),
    (
        "tls_config",
        &[
            "min_version",
            "max_version",
            "ca",
            "cert",
            "key",
            "ca_ref",
            "cert_ref",
            "key_ref",
        ],
    ),
    (
        "basic_auth",
        &["username_file", "username_ref", "password_ref"],
    ),
    ("authorization", &["credentials_ref"]),
    (
        "docker_sd_configs[]",
        &[
            "filters",
            "basic_auth",
            "authorization",
            "tls_config",
            "follow_redirects",
        ],
    ),
];

/// Short keys of Belfry's own scrape jobs, and what Prometheus calls them.
const SHORT: &[(&str, &str)] = &[
    ("job", "job_name"),
    ("targets", "static_configs"),
    ("labels", "static_configs"),
    ("path", "metrics_path"),
    ("interval", "scrape_interval"),
    ("timeout", "scrape_timeout"),
    ("username", "basic_auth"),
    ("password", "basic_auth"),
    ("password_file", "basic_auth"),
    ("body_limit", "body_size_limit"),
];

/// What a job takes from `global`, and what holds where neither says anything.
/// A page without an end must not take all memory, so its size has a limit always.
const INHERITED: &[(&str, Option<&str>)] = &[
    ("body_size_limit", Some("64MiB")),
    ("sample_limit", Some("0")),
    ("target_limit", Some("0")),
    ("label_limit", Some("0")),
    ("label_name_length_limit", Some("0")),
    ("label_value_length_limit", Some("0")),
    ("scrape_protocols", None),
];

/// What was found, and taken out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) idle: Vec<Fault>,
    pub(super) refused: Vec<Fault>,
}

/// Takes out of the file what is not for us, and puts in what its jobs inherit.
pub(super) fn survey(root: &mut Node) -> Found {
    let mut found = Found::default();
    walk(root, "", "", &mut found);
    inherit(root);
    found
}

/// `key` is the way to a node, `place` the last step of it that has a name.
fn walk(node: &mut Node, key: &str, place: &str, found: &mut Found) {
    match &mut node.kind {
        Kind::List(items) => {
            let place = format!("{place}[]");
            for (at, item) in items.iter_mut().enumerate() {
                walk(item, &format!("{key}[{at}]"), &place, found);
            }
        }
        Kind::Map(entries) => {
            entries.retain_mut(|(name, value)| {
                let key = match key {
                    "" => name.text.clone(),
                    key => format!("{key}.{}", name.text),
                };
                if let Some(message) = refusal(place, &name.text, &key) {
                    if !says_nothing(value) {
                        found.refused.push(fault(name, key, message));
                    }
                    return false;
                }
                if let Some(why) = idle(place, &name.text) {
                    if !says_nothing(value) {
                        let message = format!("it changes nothing here: {why}");
                        found.idle.push(fault(name, key, message));
                    }
                    return false;
                }
                // What labels and parameters are called is the writer's choice.
                if !matches!(&*name.text, "labels" | "params" | "external_labels") {
                    walk(value, &key, &name.text, found);
                }
                true
            });
        }
        Kind::Null | Kind::Scalar { .. } => {}
    }
}

fn refusal(place: &str, name: &str, key: &str) -> Option<String> {
    let kinds = ["static_configs", "file_sd_configs", "docker_sd_configs"];
    if name.ends_with("_sd_configs") && !kinds.contains(&name) {
        return Some("Belfry finds targets by static_configs, file_sd_configs and docker_sd_configs only; list these in a file of file_sd_configs".to_owned());
    }
    let short = SHORT.iter().find(|(short, _)| *short == name);
    if let (Some((short, long)), "scrape_configs[]") = (short, place) {
        return Some(format!("unknown key {short:?}; did you mean {long:?}?"));
    }
    let everywhere = !key.is_empty() && !place.is_empty();
    let asks = |(at, names): &(&str, &[&str])| {
        (*at == place || *at == "*" && everywhere) && names.contains(&name)
    };
    let refused = REFUSED.iter().any(asks);
    refused.then(|| "Belfry cannot do what this asks for; take it out to go on without".to_owned())
}

fn idle(place: &str, name: &str) -> Option<&'static str> {
    let known = IDLE
        .iter()
        .find(|(at, names, _)| (*at == place || *at == "*") && names.contains(&name));
    known.map(|(_, _, why)| *why)
}

/// Whether a value is as good as absent.
fn says_nothing(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        Kind::Scalar { text, .. } => text.is_empty() || text == "false",
    }
}

fn fault(name: &Name, key: String, message: String) -> Fault {
    Fault {
        place: name.place.clone(),
        key,
        message,
    }
}

/// Writes what `global` says into the jobs that do not say it.
fn inherit(root: &mut Node) {
    let Kind::Map(entries) = &mut root.kind else {
        return;
    };
    let global = entries.iter().find(|(name, _)| name.text == "global");
    let global = match global.map(|(_, node)| node.kind.clone()) {
        Some(Kind::Map(global)) => global,
        _ => Vec::new(),
    };
    let jobs = entries
        .iter_mut()
        .find(|(name, _)| name.text == "scrape_configs");
    let Some((
        _,
        Node {
            kind: Kind::List(jobs),
            ..
        },
    )) = jobs
    else {
        return;
    };
    for job in jobs {
        let place = job.place.clone();
        let Kind::Map(entries) = &mut job.kind else {
            continue;
        };
        for (key, otherwise) in INHERITED {
            if entries.iter().any(|(name, _)| name.text == *key) {
                continue;
            }
            let said = global.iter().find(|(name, _)| name.text == *key);
            let said = said.map(|(_, value)| value.clone());
            let otherwise = otherwise.map(|text| Node {
                place: place.clone(),
                kind: Kind::Scalar {
                    text: text.to_owned(),
                    quoted: false,
                },
            });
            let name = Name {
                text: (*key).to_owned(),
                place: place.clone(),
            };
            entries.extend(said.or(otherwise).map(|value| (name, value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IDLE, REFUSED};

    #[test]
    fn the_page_for_people_names_each_key_where_it_is_refused_or_where_it_does_nothing() {
        let page = include_str!("../../../docs/in-prometheus-place.md");
        let (_, page) = page.split_once("\nRefused, with line").unwrap();
        let (refused, page) = page.split_once("\nNamed in the log").unwrap();
        let (idle, _) = page.split_once("\n## ").unwrap();
        let named = |name: &str| [refused, idle].map(|part| part.contains(&format!("`{name}`")));
        for name in REFUSED.iter().flat_map(|(_, names)| *names) {
            assert_eq!(named(name), [true, false], "{name} is refused");
        }
        for name in IDLE.iter().flat_map(|(_, names, _)| *names) {
            assert_eq!(named(name), [false, true], "{name} does nothing");
        }
    }
}
