//! `belfry.yml`: one file, a section for each part.

mod file;
mod load;
mod prometheus;
mod rule_files;
mod without;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use load::{Error, Faults, Loaded, glance, load, load_within, runbooks};
pub(crate) use prometheus::{Elsewhere, read as read_prometheus};

settings::section! {
    /// The whole file.
    pub struct Config {
        /// The name of this host in mails, pages and the label `instance`. Empty: the system's host name.
        pub host: String = String::new(),
        /// The address that is served. It should stay on the loopback interface: there is no login yet.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9911)),
        /// The data folder. Empty: /var/lib/belfry, or ~/.local/state/belfry for other users than root.
        pub data: PathBuf = PathBuf::new(),
        /// The address under which people reach this page, for the links in mails. Empty: mails tell how to tunnel.
        pub external_url: String = String::new(),
        /// The IANA time zone of times in mails and on the page. Empty: the system's.
        pub timezone: String = String::new(),
        /// How often everything is collected.
        pub interval: Duration = Duration::from_secs(15),
        /// How long a stop may take before what still runs is cut off.
        pub shutdown_grace: Duration = Duration::from_secs(10),
        /// The log.
        pub log: Log = Log::default(),
        /// What is collected, and from where.
        pub exporter: Exporter = Exporter::default(),
        /// The series store.
        pub series: Series = Series::default(),
        /// Which rules are evaluated.
        pub rules: rules::Config = rules::Config::default(),
        /// How pages leave this host.
        pub mail: alerter::Mail = alerter::Mail::default(),
        /// Routing in Alertmanager's own grammar. Empty: critical alerts repeat every 1 h, warnings every 4 h.
        pub alerter: alerter::Config = alerter::Config::default(),
        /// Backups that other tools make, and which volumes need none.
        pub backup: backup::Config = backup::Config::default(),
        /// What is answered at /health on behalf of services.
        pub health: healthchecks::service::Config = healthchecks::service::Config::default(),
        /// Other Belfrys, which watch this one as this one watches them.
        pub peer: healthchecks::peer::Config = healthchecks::peer::Config::default(),
        /// Looking at services from outside.
        pub probe: healthchecks::probe::Config = healthchecks::probe::Config::default(),
        /// Heartbeats that jobs send.
        pub heartbeat: healthchecks::heartbeat::Config = healthchecks::heartbeat::Config::default(),
    }
}

settings::section! {
    /// The log, on standard error.
    pub struct Log {
        /// What is worth a line.
        pub level: Level = Level::Info,
    }
}

settings::choice! {
    /// What is worth a line in the log.
    pub enum Level {
        /// Only what failed.
        Error = "error",
        /// Also what looks wrong.
        Warn = "warn",
        /// Also what a person may want to know.
        Info = "info",
        /// Also what a developer may want to know.
        Debug = "debug",
    }
}

settings::section! {
    /// The collectors.
    pub struct Exporter {
        /// Collectors that are switched off: host, container, api, log, postgres, redis or celery. Containers are looked through for servers all the same.
        pub without: Vec<String> = vec![],
        /// The Docker engine's socket. Empty: what DOCKER_HOST names, else /var/run/docker.sock.
        pub engine: PathBuf = PathBuf::new(),
        /// The host: /proc, /sys and its mounts.
        pub host: exporter::host::Config = exporter::host::Config::default(),
        /// The Docker engine and its containers.
        pub container: exporter::container::Config = exporter::container::Config::default(),
        /// What is served over HTTP: access logs, nginx, Caddy.
        pub api: exporter::api::Config = exporter::api::Config::default(),
        /// Logs of services that are named: patterns, and the last lines.
        pub logs: exporter::logs::Config = exporter::logs::Config::default(),
        /// PostgreSQL servers.
        pub postgres: exporter::postgres::Config = exporter::postgres::Config::default(),
        /// Redis servers.
        pub redis: exporter::redis::Config = exporter::redis::Config::default(),
        /// Celery applications.
        pub celery: exporter::celery::Config = exporter::celery::Config::default(),
    }
}

settings::section! {
    /// The series store.
    pub struct Series {
        /// How long samples are kept. Series that have ended stay in memory for as long, some 360 bytes each; where it is short, those that ended first leave it, and roll-ups have what they were.
        pub retention: Duration = Duration::from_secs(24 * 3600),
        /// How much memory samples may take; beyond it series that have ended leave, then the widest families are dropped, and an alert says so.
        pub memory: settings::Size = settings::Size::mib(128),
        /// How much disk samples may take once they are no longer recent, within the retention; beyond it the oldest are given up. 0 keeps them in memory.
        pub disk: settings::Size = settings::Size::mib(512),
        /// Whether others may write samples by remote_write, at /api/v1/write.
        pub receive: bool = false,
        /// Roll-ups of five minutes on the disk, for charts that reach back further than the samples.
        pub rollups: Rollups = Rollups::default(),
    }
}

settings::section! {
    /// Roll-ups.
    pub struct Rollups {
        /// How long they are kept; 0s makes none.
        pub keep: Duration = Duration::from_secs(30 * 24 * 3600),
        /// How much disk they may take; beyond it the oldest days are given up.
        pub disk: settings::Size = settings::Size::mib(512),
    }
}

impl Config {
    /// What the sections' own checks find wrong, as (key, message).
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.interval < Duration::from_secs(1) {
            faults.push((
                "interval".to_owned(),
                "less than 1s would cost more than it shows".to_owned(),
            ));
        }
        if !self.timezone.is_empty() && jiff::tz::TimeZone::get(&self.timezone).is_err() {
            faults.push((
                "timezone".to_owned(),
                format!("no IANA time zone is named {:?}", self.timezone),
            ));
        }
        let url = &self.external_url;
        if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
            faults.push((
                "external_url".to_owned(),
                format!("{url:?} does not begin with http:// or https://"),
            ));
        }
        faults.extend(self.backup.faults());
        faults.extend(crate::app::beat_faults(self));
        faults.extend(crate::app::job_faults(self));
        faults.extend(crate::app::evidence_faults(self));
        faults.extend(crate::app::discover_faults(self));
        let rules = self.rules.faults().into_iter();
        faults.extend(rules.map(|(key, message)| (format!("rules.{key}"), message)));
        faults.extend(self.peer.faults(&self.probe.targets));
        faults.extend(self.probe.faults());
        faults.extend(self.heartbeat.faults());
        let exporters = [
            self.exporter.unknown_collectors(),
            self.exporter.host.faults(),
            self.exporter.api.faults(),
            self.exporter.logs.faults(),
            self.exporter.postgres.faults(),
            self.exporter.redis.faults(),
            self.exporter.celery.faults(),
        ];
        for (key, message) in exporters.into_iter().flatten() {
            faults.push((format!("exporter.{key}"), message));
        }
        let problems = alerter::check(&self.alerter, &self.mail);
        faults.extend(
            problems
                .into_iter()
                .map(|problem| (problem.key, problem.message)),
        );
        faults
    }

    /// The alerter's configuration with what is built in: the shipped rules come
    /// with their inhibitions, where nobody routes otherwise.
    pub(crate) fn alerting(&self) -> alerter::Config {
        let mut alerter = self.alerter.clone();
        if self.rules.pack && alerter.route.is_none() && alerter.inhibit_rules.is_empty() {
            alerter.inhibit_rules = shipped_inhibitions();
        }
        alerter
    }

    /// The time zone that people read times in.
    pub(crate) fn zone(&self) -> jiff::tz::TimeZone {
        if self.timezone.is_empty() {
            return jiff::tz::TimeZone::system();
        }
        jiff::tz::TimeZone::get(&self.timezone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Time between two evaluations of rules that state none.
    pub(crate) fn evaluation_interval(&self) -> Duration {
        self.rules.interval.unwrap_or(self.interval)
    }

    /// The name of this host.
    pub(crate) fn host_name(&self) -> String {
        if !self.host.is_empty() {
            return self.host.clone();
        }
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    }
}

fn shipped_inhibitions() -> Vec<alerter::InhibitRule> {
    let read = settings::read(Path::new("pack.yml"), rules::pack::INHIBIT_RULES, &|_| None);
    read.unwrap_or_else(|faults: Vec<settings::Fault>| {
        // A test reads them; only a broken build gets here.
        tracing::error!("the shipped inhibitions cannot be read: {faults:?}");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_inhibitions_hold_where_nobody_routes_otherwise() {
        let config = Config::default();
        assert!(config.alerting().inhibit_rules.len() > 5);
        assert_eq!(alerter::check(&config.alerting(), &config.mail), []);
        let routed = alerter::Config {
            route: Some(alerter::Route::default()),
            ..alerter::Config::default()
        };
        assert!(
            Config {
                alerter: routed,
                ..Config::default()
            }
            .alerting()
            .inhibit_rules
            .is_empty()
        );
    }
}
