//! Reloading: a valid configuration is applied whole, any other changes nothing.

use std::time::Duration;

use super::Watch;
use crate::config;

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
        let (new, rules) = (loaded.config, loaded.rules);

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
        self.set_config(new);
        self.reloaded.notify_one();
        Ok(fixed
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(key, _)| key)
            .collect())
    }
}
