//! What people and programs ask of the alerter, and the mails to them that are no
//! pages: the same wherever it runs, in the whole Belfry or alone.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::Watch;
use super::ticket::Tickets;

/// How the place calls itself; a reload may change that.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// This host.
    pub(crate) host: String,
    /// In which people read times.
    pub(crate) zone: TimeZone,
}

type Now = Box<dyn Fn() -> i64 + Send + Sync>;
type Look = Box<dyn Fn() -> Site + Send + Sync>;
type Rules = Box<dyn Fn(&str) -> Vec<Value> + Send + Sync>;

/// The alerter, and what its answers need besides.
pub(crate) struct Desk {
    pub(crate) alerter: alerter::Handle,
    /// What links in mails carry.
    pub(crate) tickets: Arc<Tickets>,
    now: Now,
    site: Look,
    rules: Rules,
}

impl Desk {
    /// Of the whole Belfry.
    pub(crate) fn of_watch(watch: &Arc<Watch>) -> Arc<Self> {
        let [clock, config, rules] = [watch, watch, watch].map(Arc::clone);
        Arc::new(Self {
            alerter: watch.alerter.clone(),
            tickets: Arc::clone(&watch.tickets),
            now: Box::new(move || clock.clock.now_ms()),
            site: Box::new(move || {
                let config = config.config();
                Site {
                    host: config.host_name(),
                    zone: config.zone(),
                }
            }),
            rules: Box::new(move |name| super::why::rules(&rules, name)),
        })
    }

    /// Of an alerter that gets its alerts from elsewhere.
    pub(crate) fn alone(
        alerter: alerter::Handle,
        tickets: Arc<Tickets>,
        now: impl Fn() -> i64 + Send + Sync + 'static,
        site: Site,
    ) -> Arc<Self> {
        Arc::new(Self {
            alerter,
            tickets,
            now: Box::new(now),
            site: Box::new(move || site.clone()),
            rules: Box::new(super::why::foreign),
        })
    }

    /// The wall clock's time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.now)()
    }

    /// How the place calls itself now.
    pub(crate) fn site(&self) -> Site {
        (self.site)()
    }

    /// What is known of the rules of that name.
    pub(crate) fn rules(&self, name: &str) -> Vec<Value> {
        (self.rules)(name)
    }
}
