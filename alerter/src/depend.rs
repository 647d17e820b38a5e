//! What needs what: a service that is down for want of another is a symptom.
//!
//! While something critical fires about a service, alerts about those that need
//! it are not told, and listed in the cause's message. Pure; who needs whom is
//! told by the wiring.

use std::collections::{BTreeMap, BTreeSet};

/// A service that needs another of its project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The project of both; empty without one.
    pub project: String,
    /// The service that needs the other.
    pub service: String,
    /// The service that it needs.
    pub needs: String,
}

/// A project and a service.
pub(crate) type Service = (String, String);

/// Who needs whom, as far as it goes: through others too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs(BTreeMap<Service, BTreeSet<Service>>);

impl Needs {
    pub(crate) fn new(needs: &[Need]) -> Self {
        let mut direct: BTreeMap<Service, BTreeSet<Service>> = BTreeMap::new();
        for need in needs {
            let of = |name: &String| (need.project.clone(), name.clone());
            direct
                .entry(of(&need.service))
                .or_default()
                .insert(of(&need.needs));
        }
        let all: BTreeMap<Service, BTreeSet<Service>> = direct
            .keys()
            .map(|service| (service.clone(), reached(&direct, service)))
            .collect();
        // Of those that need each other, none is the cause.
        let apart = all.iter().map(|(service, needed)| {
            let mutual = |other: &&Service| all.get(*other).is_some_and(|it| it.contains(service));
            let causes = needed.iter().filter(|other| !mutual(other));
            (service.clone(), causes.cloned().collect())
        });
        Self(apart.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a service needs, and those need in turn.
    pub(crate) fn of(&self, service: &Service) -> impl Iterator<Item = &Service> {
        self.0.get(service).into_iter().flatten()
    }

    /// Whether others need it.
    pub(crate) fn is_needed(&self, service: &Service) -> bool {
        self.0.values().any(|needed| needed.contains(service))
    }
}

fn reached(direct: &BTreeMap<Service, BTreeSet<Service>>, from: &Service) -> BTreeSet<Service> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Service> = direct.get(from).into_iter().flatten().collect();
    while let Some(service) = open.pop() {
        if service != from && found.insert(service.clone()) {
            open.extend(direct.get(service).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(pairs: &[(&str, &str)]) -> Needs {
        let needs: Vec<Need> = pairs
            .iter()
            .map(|(service, needs)| Need {
                project: "shop".into(),
                service: (*service).into(),
                needs: (*needs).into(),
            })
            .collect();
        Needs::new(&needs)
    }

    fn of(needs: &Needs, service: &str) -> Vec<String> {
        let service = ("shop".to_owned(), service.to_owned());
        let found = needs.of(&service);
        found.map(|(_, name)| name.clone()).collect()
    }

    #[test]
    fn needs_reach_through_others_and_a_circle_has_no_cause() {
        let found = needs(&[("web", "api"), ("api", "db"), ("api", "cache")]);
        assert_eq!(of(&found, "web"), ["api", "cache", "db"]);
        assert_eq!(of(&found, "db"), [] as [&str; 0]);
        let circle = needs(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "db"), ("d", "a")]);
        assert_eq!(of(&circle, "a"), ["db"]);
        assert_eq!(of(&circle, "b"), ["db"]);
        assert_eq!(of(&circle, "d"), ["a", "b", "c", "db"]);
        assert_eq!(of(&needs(&[("a", "a")]), "a"), [] as [&str; 0]);
    }
}
