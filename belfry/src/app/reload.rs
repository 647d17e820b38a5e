//! Reloading: a valid configuration is applied whole, any other changes nothing.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use exporter::host::Host;

use super::servers::Ground;
use super::{Job, Watch};
use crate::config::{self, Config};

/// Files that take longer to read than this lie on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

impl Watch {
    /// Reads the configuration again and applies it. On any fault the running
    /// one stays, and the reason is kept for the log, the metric and the page.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        // One at a time: two reloads at once would each keep half of the other.
        let _one = self.own.reloading.lock().await;
        let result = self.apply().await;
        match &result {
            Ok(restart) if restart.is_empty() => tracing::info!("configuration reloaded"),
            Ok(restart) => {
                tracing::warn!(
                    "configuration reloaded; a restart is needed for: {}",
                    restart.join(", ")
                );
            }
            Err(reason) => {
                tracing::error!("the configuration was refused, the old one stays: {reason}");
            }
        }
        self.own
            .reloaded(result.as_ref().err().cloned(), self.clock.now_ms());
        result.map(|_| ())
    }

    /// Makes everything new first, and only then puts it in place. Returns the
    /// keys that only a restart applies.
    async fn apply(&self) -> Result<Vec<&'static str>, String> {
        let loaded = config::load_within(&self.place, PATIENCE)
            .await
            .map_err(|err| err.to_string())?;
        if let Some(lack) = loaded.lack() {
            return Err(lack);
        }
        for remark in &loaded.remarks {
            tracing::warn!("{remark}");
        }
        let (new, rules, runbooks) = (loaded.config, loaded.rules, loaded.runbooks);

        let old = self.config();
        let fixed = [
            ("listen", old.listen != new.listen),
            ("data", old.data != new.data),
            (
                "exporter.engine",
                old.exporter.engine != new.exporter.engine,
            ),
            (
                "exporter.container",
                old.exporter.container != new.exporter.container,
            ),
            ("series", old.series != new.series),
            ("log", old.log != new.log),
        ];
        self.alerter
            .reload(&new.alerting(), &new.mail)
            .await
            .map_err(|err| err.to_string())?;
        {
            let mut running = self.rules();
            let before = std::mem::take(&mut *running);
            *running = rules.replacing(before, self.clock.now_ms());
        }
        self.shelf.renew(runbooks);
        self.set_config(new);
        self.set_elsewhere(loaded.elsewhere);
        self.reloaded.notify_one();
        Ok(fixed
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(key, _)| key)
            .collect())
    }

    /// Puts another configuration in force.
    pub(super) fn set_config(&self, config: Config) {
        let name = config.host_name();
        if name != self.config().host_name() {
            self.rename(&name);
        }
        self.letters.renew(&config, self.address);
        self.health.configure(&config, self.clock.now_ms());
        if config.exporter.host != self.config().exporter.host {
            *self.host.write().unwrap_or_else(PoisonError::into_inner) =
                Host::new(config.exporter.host.clone());
        }
        self.readers.configure(&config.exporter);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.reloads.send_replace(self.config());
    }

    /// The series of our own pages go on under another name of this host.
    fn rename(&self, name: &str) {
        let now_ms = self.clock.now_ms();
        let before = self.config().host_name();
        let mut intakes = self.intakes();
        for job in Job::ALL {
            if let Some(intake) = job.intake(&mut intakes, &before) {
                let mut intake = std::mem::replace(intake, job.fresh(name));
                intake.end(now_ms, &self.store);
            }
        }
    }

    /// Where servers are looked for.
    pub(super) fn ground(&self) -> Ground {
        Ground {
            containers: self.containers.clone(),
            readers: Arc::clone(&self.readers),
            shelf: Some(Arc::clone(&self.shelf)),
            socket: self.socket.clone(),
            config: self.reloads.subscribe(),
        }
    }
}
