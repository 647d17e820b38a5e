//! What our own pages say of their families, for those who ask for metadata.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exposition::Format;
use query_api::Metadata;

use super::Job;
use crate::views;

/// Type and help of each family, by the job whose page has it.
#[derive(Debug, Default)]
pub(super) struct Families(Mutex<BTreeMap<&'static str, Known>>);

#[derive(Debug, Default)]
struct Known {
    /// What was read last, where it is kept to see that nothing changed.
    said: String,
    /// Whose families they are: another name of this host is a change too.
    instance: String,
    families: Vec<Metadata>,
}

impl Families {
    /// Reads a whole page.
    pub(super) fn page(&self, job: Job, instance: &str, page: &str) {
        let known = Known {
            said: String::new(),
            instance: String::new(),
            families: views::families(Format::Text, page, job.as_str(), instance),
        };
        self.lock().insert(job.as_str(), known);
    }

    /// Reads what stands above the samples of a page, unless it is as the last time.
    pub(super) fn said(&self, job: Job, instance: &str, said: &str) {
        let mut all = self.lock();
        let known = all.entry(job.as_str()).or_default();
        if known.said != said || known.instance != instance {
            said.clone_into(&mut known.said);
            instance.clone_into(&mut known.instance);
            known.families = views::families(Format::Text, said, job.as_str(), instance);
        }
    }

    /// Forgets all other jobs.
    pub(super) fn retain(&self, jobs: &[Job]) {
        let is_of = |name: &str| jobs.iter().any(|job| job.as_str() == name);
        self.lock().retain(|name, _| is_of(name));
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Metadata> {
        let all = self.lock();
        all.values()
            .flat_map(|known| known.families.iter().cloned())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_come_and_go_with_what_is_said_of_them() {
        let families = Families::default();
        let names = || -> Vec<_> {
            let all = families.all().into_iter();
            all.map(|one| (one.family, one.kind)).collect()
        };
        families.page(Job::Host, "h", "# TYPE a gauge\na 1\n");
        families.said(Job::Probe, "h", "");
        assert_eq!(names(), [("a".to_owned(), "gauge")]);
        families.said(Job::Probe, "h", "# TYPE b counter\n");
        let both = [("a".to_owned(), "gauge"), ("b".to_owned(), "counter")];
        assert_eq!(names(), both);
        families.page(Job::Host, "h", "# TYPE c gauge\nc 1\n");
        families.said(Job::Probe, "h", "# TYPE b gauge\n");
        assert_eq!(
            names(),
            [("c".to_owned(), "gauge"), ("b".to_owned(), "gauge")]
        );
        // The host is called otherwise.
        families.said(Job::Probe, "i", "# TYPE b gauge\n");
        let all = families.all();
        let instances: Vec<_> = all.iter().map(|one| one.target.get("instance")).collect();
        assert_eq!(instances, ["h", "i"]);
        families.retain(&[Job::Probe, Job::Belfry]);
        assert_eq!(names(), [("b".to_owned(), "gauge")]);
    }
}
