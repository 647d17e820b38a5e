//! Collectors that one line switches off: `exporter.without`.

use super::Exporter;
use crate::app::{Exporters, Job};

impl Exporter {
    /// Whether a collector is switched off.
    pub(crate) fn leaves_out(&self, job: Job) -> bool {
        self.without.iter().any(|name| name == job.as_str())
    }

    /// Names that no collector has, as (key, message).
    pub(super) fn unknown_collectors(&self) -> Vec<(String, String)> {
        let known = Exporters::JOBS.map(Job::as_str);
        let unknown = self.without.iter().enumerate();
        unknown
            .filter(|(_, name)| !known.contains(&name.as_str()))
            .map(|(at, name)| {
                let message = format!(
                    "no collector is named {name:?}; there are: {}",
                    known.join(", ")
                );
                (format!("without[{at}]"), message)
            })
            .collect()
    }

    /// Leaves nothing to be read or looked for of what is switched off.
    pub(super) fn leave_out(&mut self) {
        for job in Exporters::JOBS {
            if !self.leaves_out(job) {
                continue;
            }
            match job {
                Job::Api => {
                    self.api.find = false;
                    self.api.logs.clear();
                    self.api.nginx.clear();
                    self.api.caddy.clear();
                }
                Job::Log => self.logs.services.clear(),
                Job::Postgres => {
                    self.postgres.find = false;
                    self.postgres.servers.clear();
                }
                Job::Redis => {
                    self.redis.find = false;
                    self.redis.servers.clear();
                }
                Job::Celery => {
                    self.celery.find = false;
                    self.celery.brokers.clear();
                }
                // They are read for their pages alone, which nobody makes.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_is_neither_read_nor_looked_for() {
        let text = "\
without: [host, postgres, redis, celery, api, log]
postgres: {servers: [{}]}
redis: {servers: [{}]}
celery: {brokers: [{}]}
api: {logs: [{file: /a}], nginx: [{url: 'http://a/'}], caddy: [{url: 'http://b/'}]}
logs: {services: [{container: a}]}
";
        let mut config: Exporter = settings::read("x.yml".as_ref(), text, &|_| None).unwrap();
        assert_eq!(config.unknown_collectors(), []);
        config.leave_out();
        assert!(config.leaves_out(Job::Host) && !config.leaves_out(Job::Container));
        let looked_for = [
            config.postgres.find,
            config.redis.find,
            config.celery.find,
            config.api.find,
        ];
        assert_eq!(looked_for, [false; 4]);
        let read = [
            config.postgres.servers.len(),
            config.redis.servers.len(),
            config.celery.brokers.len(),
            config.api.logs.len() + config.api.nginx.len() + config.api.caddy.len(),
            config.logs.services.len(),
        ];
        assert_eq!(read, [0; 5]);
    }

    #[test]
    fn a_name_that_no_collector_has_is_a_fault() {
        let config = Exporter {
            without: vec!["redis".into(), "hosts".into()],
            ..Exporter::default()
        };
        let faults = config.unknown_collectors();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, "without[1]");
        assert!(faults[0].1.contains("\"hosts\"") && faults[0].1.contains("host, container"));
    }
}
