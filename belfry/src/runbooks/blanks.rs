//! The blanks of runbooks, words in capitals, and what they are filled with.

use super::Facts;

/// What fills a blank.
enum From {
    /// The alert's label of this name.
    Label(&'static str),
    /// The host part of the alert's label of this name, where it is an address.
    Site(&'static str),
    /// The alert's label of this name, where it is a unit of systemd.
    Unit(&'static str),
    /// What runs on this host.
    Host(fn(&Facts, &str) -> Option<String>),
}

/// Every blank, and what fills it, the better source first.
const BLANKS: [(&str, &[From]); 27] = [
    ("APP", &[From::Host(Facts::app)]),
    ("APP_SERVICE", &[From::Host(Facts::app_service)]),
    ("BEAT", &[From::Host(Facts::beat)]),
    ("BEAT_SERVICE", &[From::Host(Facts::beat_service)]),
    (
        "DATABASE",
        &[From::Label("datname"), From::Host(Facts::database)],
    ),
    ("DBUSER", &[From::Host(Facts::database_user)]),
    ("HEARTBEAT", &[From::Label("heartbeat")]),
    ("INSTANCE", &[From::Label("instance")]),
    ("JOB", &[From::Label("job_name"), From::Label("source")]),
    ("MOUNTPOINT", &[From::Label("mountpoint")]),
    ("NAME", &[From::Label("name")]),
    ("PEER", &[From::Label("peer")]),
    ("POSTGRES", &[From::Host(Facts::postgres)]),
    ("POSTGRES_SERVICE", &[From::Host(Facts::postgres_service)]),
    (
        "PROJECT",
        &[From::Label("project"), From::Host(Facts::project)],
    ),
    ("PROJECT_DIR", &[From::Host(Facts::project_folder)]),
    ("PROXY", &[From::Host(Facts::proxy)]),
    (
        "QUEUE",
        &[From::Label("queue_name"), From::Host(Facts::queue)],
    ),
    ("REDIS", &[From::Host(Facts::redis)]),
    ("REDIS_SERVICE", &[From::Host(Facts::redis_service)]),
    ("SERVICE", &[From::Label("service")]),
    ("STOPPED", &[From::Label("stopped")]),
    ("SITE", &[From::Site("instance")]),
    ("UNIT", &[From::Label("unit"), From::Unit("instance")]),
    ("VOLUME", &[From::Label("volume")]),
    ("WORKER", &[From::Host(Facts::worker)]),
    ("WORKER_SERVICE", &[From::Host(Facts::worker_service)]),
];

/// Fills the blanks of a text; one for which nothing is known stays. A value
/// that a shell would read otherwise than as one word is not put into a command
/// that people paste.
pub(crate) fn fill(text: &str, labels: &alert::Set, facts: &Facts) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(part_of_word) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest
            .find(|letter| !part_of_word(letter))
            .unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match value(word, labels, facts) {
            Some(value) => out.push_str(&value),
            None => out.push_str(word),
        }
        rest = behind;
    }
    out + rest
}

fn part_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn value(word: &str, labels: &alert::Set, facts: &Facts) -> Option<String> {
    let (_, sources) = BLANKS.iter().find(|(blank, _)| *blank == word)?;
    let label = |name: &str| labels.get(name).cloned();
    let project = labels.get("project").map_or("", String::as_str);
    sources
        .iter()
        .filter_map(|source| match source {
            From::Label(name) => label(name),
            From::Site(name) => label(name).map(|address| site(&address)),
            From::Unit(name) => label(name).filter(|name| is_unit(name)),
            From::Host(ask) => ask(facts, project),
        })
        .find(|value| harmless(value))
}

/// The host part of an address: `shop.example` of `https://shop.example:8443/x`.
fn site(address: &str) -> String {
    let host = address
        .split_once("://")
        .map_or(address, |(_, behind)| behind);
    let host = host.split('/').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_owned()
}

/// Whether it is called as systemd's units are that can fail, `nginx.service`.
fn is_unit(name: &str) -> bool {
    let kind = name.rsplit_once('.').map(|(_, kind)| kind);
    matches!(
        kind,
        Some("service" | "timer" | "socket" | "mount" | "path")
    )
}

fn harmless(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    !value.is_empty() && !value.starts_with('-') && value.bytes().all(plain)
}

#[cfg(test)]
#[path = "blanks/tests.rs"]
mod tests;
