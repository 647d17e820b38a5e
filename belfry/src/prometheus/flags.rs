//! Prometheus' own flags, as far as they mean something here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use settings::{Size, format_duration};

use super::parsed::{address, duration, duration_or_none, external_url, level, size};
use super::shared::{RETENTION, ROLLUPS, millis};
use crate::config::Level;
use crate::log::Form;

/// The flags of `belfry prometheus`.
#[derive(Debug, Clone, Args)]
#[command(next_line_help = true, after_help = AFTER)]
pub(crate) struct Flags {
    /// The configuration: Prometheus' own file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "prometheus.yml"
    )]
    pub config_file: PathBuf,
    /// The data folder
    #[arg(
        long = "storage.tsdb.path",
        value_name = "DIR",
        default_value = "data/"
    )]
    pub storage_path: PathBuf,
    /// How long samples are kept: as they are while the disk for them reaches, and
    /// one value for five minutes [default: 1d, and 30d one for five minutes]
    #[arg(long = "storage.tsdb.retention.time", alias = "storage.tsdb.retention", value_name = "TIME", value_parser = duration)]
    pub retention: Option<Duration>,
    /// How much disk samples may take as they are [default: 8GiB]
    #[arg(long = "storage.tsdb.retention.size", value_name = "SIZE", value_parser = size)]
    pub retention_size: Option<Size>,
    /// How much memory samples may take (Belfry's own)
    #[arg(long = "storage.memory", value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    pub memory: Size,
    /// The address to serve; port 0 takes a free one. As there is no login without
    /// --web.config.file, it is the loopback interface unless it is said otherwise
    #[arg(long = "web.listen-address", value_name = "ADDR", default_value = "127.0.0.1:9090", value_parser = address)]
    pub listen_address: SocketAddr,
    /// Under which address people reach this; for the links in alerts [default: the
    /// host's name and the port]
    #[arg(long = "web.external-url", value_name = "URL", default_value = "", hide_default_value = true, value_parser = external_url)]
    pub external_url: String,
    /// What links begin with where there is no such URL; not said by a flag.
    #[arg(skip = "http")]
    pub scheme: &'static str,
    /// What stands before all paths [default: the path of --web.external-url]
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub route_prefix: Option<String>,
    /// How it is served: TLS, logins and header fields, in the form of Prometheus'
    /// own such file
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config: Option<PathBuf>,
    /// Allow reload and stop over HTTP: POST /-/reload and /-/quit
    #[arg(long = "web.enable-lifecycle")]
    pub lifecycle: bool,
    /// Take samples by remote_write at /api/v1/write
    #[arg(long = "web.enable-remote-write-receiver")]
    pub receive: bool,
    /// How long a query may take
    #[arg(long = "query.timeout", value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub query_timeout: Duration,
    /// Queries worked on at once
    #[arg(
        long = "query.max-concurrency",
        value_name = "NUMBER",
        default_value_t = 20
    )]
    pub query_concurrency: usize,
    /// The most values that a query may hold at once
    #[arg(
        long = "query.max-samples",
        value_name = "NUMBER",
        default_value_t = 50_000_000
    )]
    pub query_samples: usize,
    /// How old the newest sample of a series may be
    #[arg(long = "query.lookback-delta", value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub lookback: Duration,
    /// An alert that goes on is sent again after so long
    #[arg(long = "rules.alert.resend-delay", value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub resend: Duration,
    /// After a longer time down, alerts that were pending begin anew
    #[arg(long = "rules.alert.for-outage-tolerance", value_name = "TIME", default_value = "1h", value_parser = duration_or_none)]
    pub outage_tolerance: Duration,
    /// Alerts that were pending fire no sooner than this after a start; those whose
    /// `for` is shorter begin anew
    #[arg(long = "rules.alert.for-grace-period", value_name = "TIME", default_value = "10m", value_parser = duration_or_none)]
    pub for_grace: Duration,
    /// Alerts that may wait for one Alertmanager; beyond them the oldest are dropped
    #[arg(
        long = "alertmanager.notification-queue-capacity",
        value_name = "NUMBER",
        default_value_t = 10_000
    )]
    pub queue: usize,
    /// What is worth a line in the log: debug, info, warn or error
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log_level: Level,
    /// How a line looks: logfmt or json
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    pub log_format: Form,
}

/// Disk for samples where nothing is said about it.
const ARCHIVE: Size = Size::mib(8 << 10);

const AFTER: &str = "\
Samples are kept in memory and in the data folder, which is not that of a
Prometheus. Other flags of Prometheus are taken and named when they change
nothing here, and refused when they ask for what Belfry cannot do.
SIGHUP reads the configuration again; a faulty one changes nothing.

Exit codes: 0 ok, 2 critical, 3 usage or a faulty configuration.";

impl Flags {
    /// The path before all others: empty, or with a slash in front and none at its end.
    pub(crate) fn prefix(&self) -> String {
        let path = match &self.route_prefix {
            Some(prefix) => prefix.as_str(),
            None => path_of(&self.external_url),
        };
        match path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        }
    }

    /// How much disk samples may take; as in Prometheus, none is said by zero.
    pub(crate) fn archive(&self) -> Size {
        let said = self.retention_size.filter(|size| size.bytes() > 0);
        said.unwrap_or(ARCHIVE)
    }

    /// What becomes of alerts that were pending before a start.
    pub(super) fn outage(&self) -> rules::Outage {
        rules::Outage {
            tolerance_ms: millis(self.outage_tolerance),
            grace_ms: millis(self.for_grace),
        }
    }

    /// What the series store is to keep.
    pub(super) fn series(&self) -> series::Settings {
        series::Settings {
            retention: self.retention.unwrap_or(RETENTION),
            rollup_keep: self.retention.unwrap_or(ROLLUPS),
            max_bytes: self.memory.bytes(),
            archive_bytes: self.archive().bytes(),
            ..series::Settings::default()
        }
    }

    /// As `/api/v1/status/flags` tells them.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let of = |name: &str, value: String| (name.to_owned(), value);
        BTreeMap::from([
            of("config.file", self.config_file.display().to_string()),
            of("storage.tsdb.path", self.storage_path.display().to_string()),
            of(
                "storage.tsdb.retention.time",
                format_duration(self.retention.unwrap_or(RETENTION)),
            ),
            of("storage.tsdb.retention.size", self.archive().to_string()),
            of("storage.memory", self.memory.to_string()),
            of("web.listen-address", self.listen_address.to_string()),
            of("web.external-url", self.external_url.clone()),
            of("web.route-prefix", format!("{}/", self.prefix())),
            of("web.enable-lifecycle", self.lifecycle.to_string()),
            of("web.enable-remote-write-receiver", self.receive.to_string()),
            of("query.timeout", format_duration(self.query_timeout)),
            of("query.max-concurrency", self.query_concurrency.to_string()),
            of("query.max-samples", self.query_samples.to_string()),
            of("query.lookback-delta", format_duration(self.lookback)),
            of("rules.alert.resend-delay", format_duration(self.resend)),
            of(
                "rules.alert.for-outage-tolerance",
                format_duration(self.outage_tolerance),
            ),
            of(
                "rules.alert.for-grace-period",
                format_duration(self.for_grace),
            ),
            of(
                "alertmanager.notification-queue-capacity",
                self.queue.to_string(),
            ),
            of("log.level", self.log_level.as_str().to_owned()),
            of("log.format", self.log_format.as_str().to_owned()),
        ])
    }
}

/// The path of an address; empty without one.
fn path_of(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
    behind.find('/').map_or("", |at| &behind[at..])
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn flags(words: &[&str]) -> Result<Flags, String> {
        let words = std::iter::once("x").chain(words.iter().copied());
        let parsed = Line::try_parse_from(words);
        parsed.map(|line| line.flags).map_err(|err| err.to_string())
    }

    #[test]
    fn links_of_our_own_begin_as_what_is_served() {
        let mut served = flags(&[]).unwrap();
        let link = |flags: &Flags| super::super::shared::external_url(flags, 9090);
        assert!(link(&served).starts_with("http://"));
        served.scheme = "https";
        assert!(link(&served).starts_with("https://"));
        served.external_url = "http://a".to_owned();
        assert_eq!(link(&served), "http://a");
    }

    #[test]
    fn values_are_written_as_prometheus_takes_them() {
        let all = flags(&[
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.retention.time",
            "36h",
            "--web.listen-address=:9090",
            "--web.external-url=https://example.org/prom/",
            "--web.enable-lifecycle",
            "--query.lookback-delta=2m",
            "--log.level=warn",
            "--log.format=json",
        ])
        .unwrap();
        assert_eq!(all.listen_address.to_string(), "0.0.0.0:9090");
        assert_eq!(all.retention, Some(Duration::from_secs(36 * 3600)));
        assert_eq!(all.prefix(), "/prom");
        let told = all.told();
        assert_eq!(told["web.external-url"], "https://example.org/prom");
        assert_eq!(told["web.enable-lifecycle"], "true");
        assert_eq!(told["log.format"], "json");
        for wrong in [
            "--web.listen-address=here",
            "--query.timeout=5 minutes",
            "--web.external-url=example.org",
            "--log.level=loud",
            "--log.format=xml",
            "--web.listen-adress=:1",
        ] {
            assert!(flags(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_store_keeps_what_the_flags_say() {
        let of = |words: &[&str]| flags(words).unwrap().series();
        let plain = of(&[]);
        assert_eq!(plain.archive_bytes, 8 << 30);
        assert_eq!((plain.retention, plain.rollup_keep), (RETENTION, ROLLUPS));
        assert_eq!(plain.max_bytes, 256 << 20);
        // Prometheus' units are powers of two, and nothing is said by zero.
        for (text, bytes) in [
            ("512MB", 512 << 20),
            ("2GB", 2 << 30),
            ("3GiB", 3 << 30),
            ("0", 8 << 30),
        ] {
            let word = format!("--storage.tsdb.retention.size={text}");
            assert_eq!(of(&[&word]).archive_bytes, bytes, "{text}");
            assert_eq!(
                flags(&[&word]).unwrap().told()["storage.tsdb.retention.size"],
                Size(bytes).to_string()
            );
        }
        assert!(flags(&["--storage.tsdb.retention.size=much"]).is_err());
        let long = of(&["--storage.tsdb.retention.time=90d", "--storage.memory=1GiB"]);
        assert_eq!(long.retention, Duration::from_secs(90 * 86_400));
        assert_eq!(long.rollup_keep, long.retention);
        assert_eq!(long.max_bytes, 1 << 30);
    }

    #[test]
    fn the_prefix_is_that_of_the_external_url_unless_it_is_said() {
        for (words, prefix) in [
            (vec![], ""),
            (vec!["--web.external-url=http://a"], ""),
            (vec!["--web.external-url=http://a/b/c/"], "/b/c"),
            (
                vec!["--web.external-url=http://a/b", "--web.route-prefix=/"],
                "",
            ),
            (vec!["--web.route-prefix=x/"], "/x"),
        ] {
            assert_eq!(flags(&words).unwrap().prefix(), prefix, "{words:?}");
        }
    }
}
