//! Modules: what a probe does, in the grammar of `blackbox.yml`.

mod celery;
mod dns;
mod domain;
mod host;
mod http;
mod named;
mod shown;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::pattern::{Pattern, Source, Unsupported};
use crate::labels::{self, MOST_MATCHED};

pub(super) use celery::Celery;
pub(super) use dns::{Dns, Records};
pub(super) use domain::Domain;
pub(super) use host::{Command, Docker, Systemd};
pub use http::Http;
pub(super) use http::{Authorization, BasicAuth, HeaderMatch, JsonMatch, Oauth2};
pub(super) use tls::{Tls, Version};

settings::choice! {
    /// How a module probes.
    pub enum Prober {
        /// A request over HTTP or HTTPS.
        Http = "http",
        /// A connection over TCP, and what is said on it.
        Tcp = "tcp",
        /// A question to a DNS server.
        Dns = "dns",
        /// An echo request.
        Icmp = "icmp",
        /// gRPC's health check.
        Grpc = "grpc",
        /// The opening of a WebSocket.
        Websocket = "websocket",
        /// Whether a PostgreSQL server takes connections.
        Postgres = "postgres",
        /// Whether a Redis server answers PING.
        Redis = "redis",
        /// Whether an SMTP server would talk.
        Smtp = "smtp",
        /// What a domain leads to, by the word of several name servers.
        Domain = "domain",
        /// A task that Celery's workers must take and end.
        Celery = "celery",
        /// Whether a Docker engine answers.
        Docker = "docker",
        /// A unit of systemd: a service, a timer, or any other.
        Systemd = "systemd",
        /// A command that must end well.
        Command = "command",
    }
}

settings::choice! {
    /// A version of IP.
    pub enum Protocol {
        /// IPv4.
        Ip4 = "ip4",
        /// IPv6.
        Ip6 = "ip6",
    }
}

settings::section! {
    /// What a probe does.
    pub struct Module {
        /// How it probes.
        pub prober: Prober = Prober::Http,
        /// The longest time for all of it. Absent: 10s, and never longer than the interval.
        pub timeout: Option<Duration> = None,
        /// For the prober http.
        pub http: Http = Http::default(),
        /// For the prober tcp.
        pub tcp: Tcp = Tcp::default(),
        /// For the prober dns.
        pub dns: Dns = Dns::default(),
        /// For the prober icmp.
        pub icmp: Icmp = Icmp::default(),
        /// For the prober grpc.
        pub grpc: Grpc = Grpc::default(),
        /// For the prober websocket.
        pub websocket: Websocket = Websocket::default(),
        /// For the probers postgres, redis and smtp.
        pub server: Server = Server::default(),
        /// For the prober domain.
        pub domain: Domain = Domain::default(),
        /// For the prober celery.
        pub celery: Celery = Celery::default(),
        /// For the prober docker.
        pub docker: Docker = Docker::default(),
        /// For the prober systemd.
        pub systemd: Systemd = Systemd::default(),
        /// For the prober command.
        pub command: Command = Command::default(),
        /// Not supported.
        pub unix: Unsupported = Unsupported,
    }
}

settings::section! {
    /// A connection over TCP.
    pub struct Tcp {
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// What is expected and sent, one after the other.
        pub query_response: Vec<Exchange> = vec![],
        /// Whether TLS is spoken from the start.
        pub tls: bool = false,
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
        /// The address of this host from which it goes out. Empty: any.
        pub source_ip_address: Source = Source(None),
    }
}

settings::section! {
    /// One step of a talk.
    pub struct Exchange {
        /// A line that must come.
        pub expect: Option<Pattern> = None,
        /// Bytes that must come.
        pub expect_bytes: String = String::new(),
        /// Labels of probe_expect_info, from what matched: up to 16.
        pub labels: Vec<ExpectLabel> = vec![],
        /// A line that is sent; `${1}` stands for what the first group matched.
        pub send: String = String::new(),
        /// Whether TLS begins here.
        pub starttls: bool = false,
    }
}

settings::section! {
    /// A label from what matched.
    pub struct ExpectLabel {
        /// Its name: none of instance, job, module and probe, and none of the labels of the target.
        pub name: String = String::new(),
        /// Its value, of up to 1024 bytes; `${1}` stands for what the first group matched.
        pub value: String = String::new(),
    }
}

settings::section! {
    /// An echo request.
    pub struct Icmp {
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// How many bytes are sent along.
        pub payload_size: u16 = 36,
        /// The hop limit of the request. 0: the system's.
        pub ttl: u16 = 0,
        /// Not supported.
        pub dont_fragment: Unsupported = Unsupported,
        /// The address of this host from which it goes out. Empty: any.
        pub source_ip_address: Source = Source(None),
    }
}

settings::section! {
    /// gRPC's health check.
    pub struct Grpc {
        /// The service that is asked about. Empty: the server.
        pub service: String = String::new(),
        /// Whether TLS is spoken.
        pub tls: bool = false,
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// Further headers of the request.
        pub metadata: BTreeMap<String, Vec<settings::Secret>> = BTreeMap::new(),
    }
}

settings::section! {
    /// The opening of a WebSocket.
    pub struct Websocket {
        /// Headers of the request.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// Messages that are expected and sent, one after the other.
        pub query_response: Vec<Exchange> = vec![],
        /// Not supported.
        pub basic_auth: Unsupported = Unsupported,
    }
}

settings::section! {
    /// A PostgreSQL, Redis or SMTP server.
    pub struct Server {
        /// The user that a PostgreSQL server is told; no password is sent.
        pub user: String = "belfry".to_owned(),
        /// The password of a Redis server.
        pub password: settings::Secret = settings::Secret::default(),
        /// Whether TLS is spoken from the start.
        pub tls: bool = false,
        /// Whether an SMTP server must offer STARTTLS; it is then done, and the certificate is checked.
        pub starttls: bool = false,
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
    }
}

settings::section! {
    /// A `blackbox.yml`.
    pub struct File {
        /// The modules by name.
        pub modules: BTreeMap<String, Module> = BTreeMap::new(),
    }
}

impl Module {
    /// What is wrong with it, beyond the form of its keys.
    #[must_use]
    pub(super) fn fault(&self) -> Option<String> {
        let address = |text: &String| text.parse::<std::net::IpAddr>().is_ok();
        let said = match self.prober {
            Prober::Command if self.command.argv.is_empty() => "command.argv is missing",
            Prober::Domain
                if !self
                    .domain
                    .resolvers
                    .iter()
                    .all(|text| super::domain::server(text).is_some()) =>
            {
                "domain.resolvers are addresses of name servers, with or without a port"
            }
            Prober::Domain
                if !self.domain.expect.iter().all(address)
                    || !self.domain.addresses.iter().all(address) =>
            {
                "domain.expect and domain.addresses are addresses of IP"
            }
            Prober::Websocket
                if self.websocket.query_response.iter().any(|step| {
                    step.starttls || !step.expect_bytes.is_empty() || !step.labels.is_empty()
                }) =>
            {
                "websocket.query_response knows only expect and send"
            }
            _ => return None,
        };
        Some(said.to_owned())
    }

    /// What is wrong with the labels from what matched: a page with such a one is refused
    /// whole.
    #[must_use]
    pub(super) fn label_fault(&self) -> Option<String> {
        self.tcp.query_response.iter().find_map(|step| {
            if step.labels.len() > MOST_MATCHED {
                return Some(format!("more than {MOST_MATCHED} labels of one step"));
            }
            let mut seen = BTreeSet::new();
            step.labels.iter().find_map(|label| {
                let name = label.name.as_str();
                labels::too_long_a_name(name).or_else(|| {
                    let bad = !labels::is_name(name) || OWN.contains(&name) || !seen.insert(name);
                    bad.then(|| format!("{name:?} cannot be a label of probe_expect_info"))
                })
            })
        })
    }

    /// Whether a label from what matched has this name.
    pub(super) fn labels(&self, name: &str) -> bool {
        let mut steps = self.tcp.query_response.iter();
        steps.any(|step| step.labels.iter().any(|label| label.name == name))
    }
}

/// What the samples of every probe are labelled with.
const OWN: [&str; 4] = ["instance", "probe", "module", "job"];

/// The modules that are there without a word in the configuration.
#[must_use]
pub fn shipped() -> BTreeMap<String, Arc<Module>> {
    let text = include_str!("shipped.yml");
    let file: Result<File, _> = settings::read("shipped.yml".as_ref(), text, &|_| None);
    // A test reads it; only a broken build gets nothing here.
    file.map(|file| held(file.modules)).unwrap_or_default()
}

/// Modules as all who look share them.
pub(super) fn held(modules: BTreeMap<String, Module>) -> BTreeMap<String, Arc<Module>> {
    let modules = modules.into_iter();
    modules
        .map(|(name, module)| (name, Arc::new(module)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_modules_can_be_read_and_have_a_prober_each() {
        let modules = shipped();
        for (name, prober) in [
            ("http_2xx", Prober::Http),
            ("tcp_connect", Prober::Tcp),
            ("ssh_banner", Prober::Tcp),
            ("icmp", Prober::Icmp),
            ("grpc", Prober::Grpc),
            ("postgres", Prober::Postgres),
            ("redis", Prober::Redis),
            ("smtp", Prober::Smtp),
            ("domain", Prober::Domain),
            ("docker", Prober::Docker),
            ("systemd", Prober::Systemd),
        ] {
            assert_eq!(modules[name].prober, prober, "{name}");
        }
    }

    #[test]
    fn only_what_sends_waits_and_reads_shares_a_task_with_others() {
        let text = "modules: {plain: {prober: http, http: {valid_status_codes: [200], method: HEAD}}, \
             body: {prober: http, http: {fail_if_body_not_matches_regexp: [x]}}, \
             header: {prober: http, http: {fail_if_header_matches: [{header: a, regexp: b}]}}, \
             json: {prober: http, http: {json: [{path: a, equals: b}]}}, \
             packed: {prober: http, http: {compression: gzip}}, \
             by_proxy: {prober: http, http: {proxy_url: 'http://p'}}, \
             tls: {prober: tcp, tcp: {tls: true}}, \
             command: {prober: command, command: {argv: [a]}}}";
        let file: File = settings::read("blackbox.yml".as_ref(), text, &|_| None).unwrap();
        let mut modules = shipped();
        modules.extend(held(file.modules));
        for (module, target, waits) in [
            ("http_2xx", "http://a/", true),
            ("http_2xx", "a/", true),
            ("http_2xx", "https://a/", false),
            ("http_2xx", "HTTPS://a/", false),
            ("plain", "http://a/", true),
            ("body", "http://a/", false),
            ("header", "http://a/", false),
            ("json", "http://a/", false),
            ("packed", "http://a/", false),
            ("by_proxy", "http://a/", false),
            ("tcp_connect", "a:1", true),
            ("tls", "a:1", false),
            ("ssh_banner", "a:22", false),
            ("icmp", "a", true),
            ("redis", "a:6379", true),
            ("docker", "a", false),
            ("command", "a", false),
        ] {
            assert_eq!(
                modules[module].only_waits(target),
                waits,
                "{module} {target}"
            );
        }
    }

    #[test]
    fn what_is_not_supported_is_named_with_its_line() {
        let text =
            "modules:\n  m:\n    prober: http\n    http:\n      no_proxy: x\n      bogus: 1\n";
        let faults = settings::read::<File>("blackbox.yml".as_ref(), text, &|_| None).unwrap_err();
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(
            told.iter()
                .any(|line| line.starts_with("blackbox.yml:5") && line.contains("does not support")),
            "{told:?}"
        );
        assert!(
            told.iter()
                .any(|line| line.starts_with("blackbox.yml:6") && line.contains("bogus")),
            "{told:?}"
        );
    }
}
