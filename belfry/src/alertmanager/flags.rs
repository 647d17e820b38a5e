//! Alertmanager's flags, as far as they mean anything here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::Level;
use crate::log::Form;

/// The alerter alone, in Alertmanager's place: its configuration file and flags.
#[derive(Debug, Clone, Args)]
pub(crate) struct Flags {
    /// Alertmanager's configuration file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "alertmanager.yml"
    )]
    pub config_file: PathBuf,
    /// The data folder
    #[arg(long = "storage.path", value_name = "DIR", default_value = "data/")]
    pub storage_path: PathBuf,
    /// How long silences that have expired are kept
    #[arg(long = "data.retention", value_name = "DURATION", default_value = "120h", value_parser = duration)]
    pub retention: Duration,
    /// Silences at a time; 0 for any number
    #[arg(long = "silences.max-silences", value_name = "N", default_value_t = 0)]
    pub max_silences: usize,
    /// Bytes of a silence; 0 for any number
    #[arg(
        long = "silences.max-silence-size-bytes",
        value_name = "N",
        default_value_t = 0
    )]
    pub max_silence_bytes: u64,
    /// Addresses to serve; may be given more than once
    #[arg(
        long = "web.listen-address",
        value_name = "ADDR",
        default_value = ":9093"
    )]
    web_listen: Vec<String>,
    /// Where people and notifications reach it [default: this host's name and port]
    #[arg(long = "web.external-url", value_name = "URL")]
    external: Option<String>,
    /// What all paths begin with [default: the path of the external URL]
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    prefix: Option<String>,
    /// How it is served: TLS, logins and header fields, in the form of
    /// Alertmanager's own such file
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config: Option<PathBuf>,
    /// What is worth a line in the log: debug, info, warn or error
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn", "error"])]
    log_level: String,
    /// The form of the log: logfmt or json
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    pub log_format: Form,
    /// Alerts of one name; any number is taken, so only 0 is known
    #[arg(long = "alerts.per-alertname-limit", hide = true, default_value_t = 0)]
    alerts_limit: u64,
    #[command(flatten)]
    ignored: Ignored,
}

/// Flags that an existing command line may have, and that change nothing.
#[derive(Debug, Clone, Args)]
struct Ignored {
    #[arg(long = "cluster.listen-address", hide = true)]
    cluster_listen: Option<String>,
    #[arg(long = "cluster.advertise-address", hide = true)]
    cluster_advertise: Option<String>,
    #[arg(long = "cluster.peer-name", hide = true)]
    cluster_peer_name: Option<String>,
    #[arg(long = "cluster.peer", hide = true)]
    cluster_peer: Vec<String>,
    #[arg(long = "cluster.label", hide = true)]
    cluster_label: Option<String>,
    #[arg(long = "cluster.tls-config", hide = true)]
    cluster_tls: Option<String>,
    #[arg(long = "cluster.peer-timeout", hide = true)]
    cluster_peer_timeout: Option<String>,
    #[arg(long = "cluster.peers-resolve-timeout", hide = true)]
    cluster_resolve: Option<String>,
    #[arg(long = "cluster.gossip-interval", hide = true)]
    cluster_gossip: Option<String>,
    #[arg(long = "cluster.pushpull-interval", hide = true)]
    cluster_pushpull: Option<String>,
    #[arg(long = "cluster.tcp-timeout", hide = true)]
    cluster_tcp: Option<String>,
    #[arg(long = "cluster.probe-timeout", hide = true)]
    cluster_probe_timeout: Option<String>,
    #[arg(long = "cluster.probe-interval", hide = true)]
    cluster_probe: Option<String>,
    #[arg(long = "cluster.settle-timeout", hide = true)]
    cluster_settle: Option<String>,
    #[arg(long = "cluster.reconnect-interval", hide = true)]
    cluster_reconnect: Option<String>,
    #[arg(long = "cluster.reconnect-timeout", hide = true)]
    cluster_reconnect_timeout: Option<String>,
    #[arg(
        long = "cluster.allow-insecure-public-advertise-address-discovery",
        hide = true
    )]
    cluster_public: bool,
    #[arg(long = "data.maintenance-interval", hide = true)]
    data_maintenance: Option<String>,
    #[arg(long = "alerts.gc-interval", hide = true)]
    alerts_gc: Option<String>,
    #[arg(long = "dispatch.start-delay", hide = true)]
    dispatch_start: Option<String>,
    #[arg(long = "dispatch.maintenance-interval", hide = true)]
    dispatch_maintenance: Option<String>,
    #[arg(long = "web.get-concurrency", hide = true)]
    get_concurrency: Option<u64>,
    #[arg(long = "web.timeout", hide = true)]
    web_timeout: Option<String>,
    #[arg(long = "web.ui-path", hide = true)]
    web_ui: Option<String>,
    #[arg(long = "log.silences", hide = true)]
    log_silences: bool,
    #[arg(long = "auto-gomemlimit.ratio", hide = true)]
    memory_ratio: Option<String>,
    #[arg(long = "enable-feature", hide = true)]
    features: Vec<String>,
}

impl Flags {
    /// Why it does not start with these flags, if so.
    pub(super) fn refusal(&self) -> Result<(), String> {
        if let Some(url) = &self.external
            && !url.starts_with("http://")
            && !url.starts_with("https://")
            && !url.starts_with('/')
        {
            return Err(format!(
                "--web.external-url={url}: it does not begin with http:// or https://"
            ));
        }
        if self.alerts_limit > 0 {
            return Err("--alerts.per-alertname-limit: no alert is dropped here".to_owned());
        }
        for feature in &self.ignored.features {
            for feature in feature.split(',') {
                if !matches!(
                    feature,
                    "" | "classic-mode"
                        | "utf8-strict-mode"
                        | "receiver-name-in-metrics"
                        | "alert-names-in-metrics"
                        | "group-key-in-metrics"
                        | "auto-gomemlimit"
                        | "auto-gomaxprocs"
                ) {
                    return Err(format!("unknown option '{feature}' for --enable-feature"));
                }
            }
        }
        Ok(())
    }

    /// What people who gave these flags should know.
    pub(super) fn notes(&self) -> Vec<&'static str> {
        let ignored = &self.ignored;
        let mut notes = Vec::new();
        if !ignored.cluster_peer.is_empty() {
            notes.push("--cluster.peer changes nothing: this alerter works alone");
        }
        if ignored.dispatch_start.is_some() {
            notes.push("--dispatch.start-delay changes nothing: alerts are known after a restart");
        }
        if !ignored.features.is_empty() {
            notes.push("--enable-feature changes nothing: matchers are read in either form");
        }
        notes
    }

    pub(super) fn level(&self) -> Level {
        match &*self.log_level {
            "debug" => Level::Debug,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => Level::Info,
        }
    }

    /// What is listened on; `:9093` is any address of this host.
    pub(super) fn addresses(&self) -> Vec<String> {
        let whole = |text: &String| match text.strip_prefix(':') {
            Some(port) => format!("[::]:{port}"),
            None => text.clone(),
        };
        self.web_listen.iter().map(whole).collect()
    }

    /// Where people reach it, without a slash at the end.
    pub(super) fn external_url(&self, address: Option<&SocketAddr>, scheme: &str) -> String {
        let host = || {
            let name = rustix::system::uname();
            let name = name.nodename().to_string_lossy().into_owned();
            let port = address.map_or(9093, SocketAddr::port);
            format!("{scheme}://{name}:{port}")
        };
        let url = match self.external.as_deref() {
            None => host(),
            Some(path) if path.starts_with('/') => host() + path,
            Some(url) => url.to_owned(),
        };
        url.trim_end_matches('/').to_owned()
    }

    /// What all paths begin with: empty, or `/` and a word.
    pub(super) fn prefix(&self, external_url: &str) -> String {
        let path = || {
            let (_, rest) = external_url.split_once("://").unwrap_or_default();
            rest.split_once('/').map_or("", |(_, path)| path)
        };
        let prefix = self.prefix.as_deref().unwrap_or_else(path);
        match prefix.trim_matches('/') {
            "" => String::new(),
            word => format!("/{word}"),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    settings::parse_duration(text).ok_or_else(|| "write 120h, 5d or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn flags(words: &[&str]) -> Flags {
        Line::try_parse_from([&["x"], words].concat())
            .unwrap()
            .flags
    }

    #[test]
    fn an_existing_command_line_is_taken() {
        let flags = flags(&[
            "--config.file=/etc/prometheus/alertmanager.yml",
            "--storage.path",
            "/var/lib/prometheus/alertmanager/",
            "--web.listen-address=:9193",
            "--web.listen-address=127.0.0.1:9094",
            "--data.retention=5d",
            "--cluster.listen-address=",
            "--cluster.peer=a:1",
            "--cluster.peer=b:1",
            "--log.level=debug",
            "--log.silences",
            "--web.ui-path=/usr/share/prometheus/alertmanager/ui",
            "--alerts.per-alertname-limit=0",
            "--dispatch.start-delay=1m",
        ]);
        assert_eq!(flags.addresses(), ["[::]:9193", "127.0.0.1:9094"]);
        assert_eq!(flags.retention, Duration::from_secs(5 * 86_400));
        assert_eq!(flags.notes().len(), 2);
        assert_eq!(flags.refusal(), Ok(()));
    }

    #[test]
    fn what_paths_begin_with_follows_from_the_external_url() {
        for (words, url, prefix) in [
            (
                &["--web.external-url=https://a.example/am/"][..],
                "https://a.example/am",
                "/am",
            ),
            (
                &["--web.external-url=https://a.example"],
                "https://a.example",
                "",
            ),
            (
                &["--web.external-url=http://a/b", "--web.route-prefix=/"],
                "http://a/b",
                "",
            ),
            (
                &["--web.external-url=http://a", "--web.route-prefix=x/y/"],
                "http://a",
                "/x/y",
            ),
        ] {
            let flags = flags(words);
            assert_eq!(flags.external_url(None, "http"), url);
            assert_eq!(flags.prefix(url), prefix);
        }
        let here = flags(&[]).external_url(None, "http");
        assert!(
            here.starts_with("http://") && here.ends_with(":9093"),
            "{here}"
        );
    }

    #[test]
    fn what_would_change_something_is_refused() {
        for words in [
            "--web.external-url=ftp://x",
            "--enable-feature=event-recorder",
            "--alerts.per-alertname-limit=5",
        ] {
            assert!(flags(&[words]).refusal().is_err(), "{words}");
        }
    }
}
