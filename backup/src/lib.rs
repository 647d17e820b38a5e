//! Watches that backups exist, are fresh, and cover every volume.
//!
//! Backups that another tool makes (a cron job that dumps into a folder) are
//! watched by what they leave behind: the newest file that is large enough
//! counts, its age and size become samples, and rules decide what is too old.
//! Nothing here writes, deletes, or alerts.

mod coverage;
mod folder;
mod page;

pub use coverage::{Coverage, Volume, coverage};
pub use folder::{Copies, look};
pub use page::page;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

settings::section! {
    /// Backups: the folders in which other tools leave them, and the volumes that need none.
    pub struct Config {
        /// Folders that hold backups made by other tools; each is watched for age and size.
        pub watch: Vec<Watch> = Vec::new(),
        /// Docker volumes that need no backup: the volume's name and the reason.
        pub exclude_volumes: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::section! {
    /// One folder in which another tool leaves backups.
    pub struct Watch {
        /// The job's name, which becomes the label `job_name`.
        pub name: String = String::new(),
        /// The folder; files directly in it count.
        pub folder: PathBuf = PathBuf::new(),
        /// Only files whose names end so count, such as `.sql.gz`. Empty: all.
        pub suffix: String = String::new(),
        /// How old the newest copy may become before it is overdue.
        pub max_age: Duration = Duration::from_secs(26 * 3600),
        /// A smaller file is no backup: a dump that died leaves a valid, nearly empty archive.
        pub min_size: settings::Size = settings::Size(1024),
        /// Docker volumes that this job covers.
        pub volumes: Vec<String> = Vec::new(),
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (at, watch) in self.watch.iter().enumerate() {
            let key = format!("backup.watch[{at}]");
            if watch.name.is_empty() {
                faults.push((
                    format!("{key}.name"),
                    "a watched backup needs a name".into(),
                ));
            } else if !names.insert(&watch.name) {
                faults.push((
                    format!("{key}.name"),
                    format!("the name {:?} stands twice", watch.name),
                ));
            }
            if watch.folder.as_os_str().is_empty() {
                faults.push((
                    format!("{key}.folder"),
                    "a watched backup needs a folder".into(),
                ));
            }
        }
        for (volume, reason) in &self.exclude_volumes {
            if reason.trim().is_empty() {
                faults.push((
                    format!("backup.exclude_volumes[{volume}]"),
                    "an excluded volume needs a reason".into(),
                ));
            }
        }
        faults
    }
}
