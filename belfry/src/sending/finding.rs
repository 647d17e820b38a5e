//! Where the Alertmanagers are. Each entry of the configuration is looked at by itself:
//! its files may lie on a disk that hangs, and then only its own stay as they were.

use reqwest::Client;
use rules::relabel::Relabel;
use rules::{Alertmanager, Container, Foreign, Job};
use tokio::task::JoinSet;

use super::PULSE;
use crate::scraping::{Found, Looks, Wanted};

/// All entries of the configuration, and the looks that are under way.
#[derive(Default)]
pub(super) struct Finding {
    entries: Vec<Entry>,
    looks: JoinSet<anyhow::Result<Look>>,
}

struct Entry {
    config: Alertmanager,
    /// Nothing while it is being looked at.
    looks: Option<Looks>,
    /// What was found last.
    found: Vec<(Foreign, Result<Client, String>)>,
    /// What alerts for these go through.
    relabel: Vec<Relabel>,
    /// What was wrong with it last.
    faults: Vec<String>,
}

/// One look at an entry, which may have changed meanwhile.
struct Look {
    at: usize,
    config: Alertmanager,
    looks: Looks,
    found: Found,
}

impl Finding {
    /// Looks at each entry of the configuration at which no look is under way.
    pub(super) fn begin(
        &mut self,
        wanted: Vec<Alertmanager>,
        containers: impl Fn(&[Job]) -> Vec<Container>,
    ) {
        self.entries.truncate(wanted.len());
        for (at, config) in wanted.into_iter().enumerate() {
            match self.entries.get_mut(at) {
                Some(entry) if entry.config == config => {}
                // What was there is told until it is known what is there now.
                Some(entry) => {
                    entry.config = config;
                    entry.looks = Some(Looks::default());
                }
                None => self.entries.push(Entry {
                    config,
                    looks: Some(Looks::default()),
                    found: Vec::new(),
                    relabel: Vec::new(),
                    faults: Vec::new(),
                }),
            }
        }
        let jobs = self.entries.iter().enumerate();
        let jobs: Vec<Job> = jobs.map(|(at, entry)| entry.config.job(at)).collect();
        let containers = containers(&jobs);
        for ((at, entry), job) in self.entries.iter_mut().enumerate().zip(jobs) {
            let Some(mut looks) = entry.looks.take() else {
                continue;
            };
            let config = entry.config.clone();
            let wanted = Wanted {
                jobs: vec![job],
                containers: containers.clone(),
                every: PULSE,
                labelled: false,
            };
            self.looks.spawn(async move {
                let found = looks.look(wanted).await?;
                Ok(Look {
                    at,
                    config,
                    looks,
                    found,
                })
            });
        }
    }

    /// Waits for the end of a look; nothing while none is under way.
    pub(super) async fn next(&mut self) -> Option<anyhow::Result<()>> {
        let look = self.looks.join_next().await?;
        let look = match look.map_err(anyhow::Error::from).flatten() {
            Ok(look) => look,
            Err(err) => return Some(Err(err)),
        };
        let entry = self.entries.get_mut(look.at);
        if let Some(entry) = entry.filter(|entry| entry.config == look.config) {
            entry.take(look);
        }
        Some(Ok(()))
    }

    /// Who is to be told, and what the alerts go through before.
    pub(super) fn wanted(&self) -> Vec<(Vec<Relabel>, Foreign)> {
        let all = self.entries.iter().flat_map(|entry| {
            let found = entry.found.iter();
            found.map(|(target, _)| (entry.relabel.clone(), target.clone()))
        });
        all.collect()
    }

    /// The client for one of them.
    pub(super) fn client(&self, target: &Foreign) -> Result<Client, String> {
        let mut found = self.entries.iter().flat_map(|entry| &entry.found);
        let found = found.find(|(had, _)| had == target);
        found.map_or_else(
            || Err("it is gone".to_owned()),
            |(_, client)| client.clone(),
        )
    }
}

impl Entry {
    fn take(&mut self, look: Look) {
        let Look {
            config,
            looks,
            mut found,
            ..
        } = look;
        let scrapes = std::mem::take(&mut found.scrapes);
        for fault in &scrapes.faults {
            if !self.faults.contains(fault) {
                tracing::warn!("no alerts go there: {fault}");
            }
        }
        self.faults = scrapes.faults;
        if found.hung.is_empty() {
            let targets = scrapes.targets.into_iter();
            self.found = targets
                .map(|target| (target.clone(), looks.client(&found, &target)))
                .collect();
            self.relabel = config.alert_relabel_configs;
        }
        self.looks = Some(looks);
    }
}
