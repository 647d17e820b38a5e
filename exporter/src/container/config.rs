//! The `exporter.container` section of belfry.yml.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

settings::section! {
    /// The containers of the Docker engine.
    pub struct Config {
        /// Where the host's /proc is seen; in a container, where it is mounted.
        pub procfs: PathBuf = PathBuf::from("/proc"),
        /// Where the host's /sys is seen.
        pub sysfs: PathBuf = PathBuf::from("/sys"),
        /// Where the host's / is seen.
        pub rootfs: PathBuf = PathBuf::from("/"),
        /// Container labels that become container_label_* on each series.
        pub labels: Vec<String> = vec![
            "com.docker.compose.project".to_owned(),
            "com.docker.compose.service".to_owned(),
        ],
        /// How long the engine may take to answer a call.
        pub deadline: Duration = Duration::from_secs(5),
        /// How often all containers are listed, beside the stream of events; and networks, volumes and the tags of images.
        pub relist: Duration = Duration::from_secs(60),
        /// How often the engine is asked whether it is there.
        pub ping: Duration = Duration::from_secs(15),
        /// How often the engine is asked what images, containers, volumes and its build cache take on the disk, which costs it much. 0s: never.
        pub disk: Duration = Duration::from_secs(30 * 60),
        /// How often the files of containers, and their logs, are added up. 0s: never.
        pub sizes: Duration = Duration::from_secs(5 * 60),
        /// What compose files declare.
        pub compose: Compose = Compose::default(),
    }
}

settings::section! {
    /// Compose files. Those of running projects are found by the labels of their containers.
    pub struct Compose {
        /// Whether they are read.
        pub enabled: bool = true,
        /// How often they are looked at.
        pub interval: Duration = Duration::from_secs(60),
        /// Profiles that are active in each project, beside those that COMPOSE_PROFILES in its .env names.
        pub profiles: Vec<String> = vec![],
        /// Services that may be missing, as SERVICE or PROJECT.SERVICE.
        pub except: Vec<String> = vec![],
        /// Projects by name that are to be there even when no container of theirs is, or of which there is more to say.
        pub projects: BTreeMap<String, Project> = BTreeMap::new(),
    }
}

settings::section! {
    /// A compose project.
    pub struct Project {
        /// Its folder. Empty: what its containers say.
        pub folder: PathBuf = PathBuf::new(),
        /// Its files, each over the one before. Empty: what its containers say, else the usual ones of its folder.
        pub files: Vec<PathBuf> = vec![],
        /// Files with variables instead of the folder's .env.
        pub variables: Vec<PathBuf> = vec![],
        /// Profiles that are active.
        pub profiles: Vec<String> = vec![],
    }
}
