//! The runbooks in force, with their blanks filled: by what an alert's labels
//! say, and by what runs on this host.

mod blanks;
mod facts;

pub(crate) use blanks::fill;
pub(crate) use facts::{Facts, Logins};

use std::sync::{Arc, PoisonError, RwLock};

use dashboards::fact;
use exporter::container::Containers;
use rules::{Runbook, Runbooks};
use serde_json::{Value, json};

/// All runbooks; a reload puts others in their place.
#[derive(Debug)]
pub(crate) struct Shelf {
    runbooks: RwLock<Arc<Runbooks>>,
    containers: Containers,
    logins: RwLock<Logins>,
}

impl Shelf {
    /// These runbooks, on the host where these containers are.
    pub(crate) fn new(runbooks: Runbooks, containers: Containers) -> Self {
        Self {
            runbooks: RwLock::new(Arc::new(runbooks)),
            containers,
            logins: RwLock::default(),
        }
    }

    /// Other runbooks from now on.
    pub(crate) fn renew(&self, runbooks: Runbooks) {
        *self
            .runbooks
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(runbooks);
    }

    /// How servers in containers are read from now on.
    pub(crate) fn know_logins(&self, logins: Logins) {
        *self.logins.write().unwrap_or_else(PoisonError::into_inner) = logins;
    }

    /// All of them.
    pub(crate) fn all(&self) -> Arc<Runbooks> {
        Arc::clone(&self.runbooks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A whole runbook, filled for this host and what the labels name.
    pub(crate) fn whole(&self, name: &str, labels: &alert::Set) -> Option<(Runbook, String)> {
        let runbook = self.all().get(name)?.clone();
        let text = fill(&runbook.text, labels, &self.facts());
        Some((runbook, text))
    }

    /// The runbook that an annotation names: one of ours by its path, with its
    /// first steps filled for what the labels name, or any other by its address.
    pub(crate) fn brief(
        &self,
        url: &str,
        labels: &alert::Set,
        public_url: &str,
        steps: usize,
    ) -> Option<fact::Runbook> {
        if url.is_empty() {
            return None;
        }
        let Some(name) = url.strip_prefix(rules::RUNBOOK_PATH) else {
            return Some(fact::Runbook {
                url: url.to_owned(),
                ..fact::Runbook::default()
            });
        };
        let all = self.all();
        let book = all.get(name);
        let only_look = book.is_some_and(Runbook::first_steps_only_look);
        let all = book.map(Runbook::first_steps).unwrap_or_default();
        let link = if public_url.is_empty() {
            String::new()
        } else {
            format!("{public_url}{url}")
        };
        let facts = self.facts();
        Some(fact::Runbook {
            name: name.to_owned(),
            url: link,
            steps_total: all.len(),
            only_look,
            steps: all
                .iter()
                .take(steps)
                .map(|step| fill(step, labels, &facts))
                .collect(),
        })
    }

    fn facts(&self) -> Facts {
        let logins = self.logins.read().unwrap_or_else(PoisonError::into_inner);
        Facts::of(&self.containers.inventory(), &logins)
    }
}

/// All runbooks for programs, without their texts.
pub(crate) fn list(all: &Runbooks) -> Value {
    all.iter()
        .map(|(name, runbook)| one(name, runbook, None))
        .collect()
}

/// A runbook for programs.
pub(crate) fn one(name: &str, runbook: &Runbook, text: Option<&str>) -> Value {
    let mut told = json!({
        "name": name,
        "title": runbook.title(),
        "alerts": runbook.alerts(),
        "file": runbook.file,
    });
    if let Some(text) = text {
        told["text"] = json!(text);
    }
    told
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_mail_says_of_steps_that_only_look_that_they_do() {
        let folder = tempfile::tempdir().unwrap();
        let ours = "# Ours\n\n## First look\n\n1. Mend it: `systemctl restart billing`\n";
        std::fs::write(folder.path().join("billing.md"), ours).unwrap();
        let runbooks = Runbooks::read(folder.path()).unwrap();
        let nothing = Containers::new(exporter::container::Config::default(), Path::new("/none"));
        let shelf = Shelf::new(runbooks, nothing);
        for (url, only_look) in [
            ("/runbooks/memory", true),
            ("/runbooks/billing", false),
            ("/runbooks/none", false),
            ("https://example.org/", false),
        ] {
            let brief = shelf.brief(url, &alert::Set::new(), "", 5).unwrap();
            assert_eq!(brief.only_look, only_look, "{url}");
        }
    }
}
