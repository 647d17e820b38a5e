//! The `probe` section of belfry.yml.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use exposition::LONGEST_VALUE;
use settings::Fault;

use super::discover::Discover;
use super::module::{File, Module, held, shipped};
use super::pattern::Pattern;
use crate::labels::{self, too_long};

settings::section! {
    /// Looking at services from outside.
    pub struct Config {
        /// What is looked at.
        pub targets: Vec<Target> = vec![],
        /// How it is looked at: modules as in blackbox.yml, beside those that are there already (http_2xx, tcp_connect, tls_connect, ssh_banner, smtp, smtp_starttls, icmp, grpc, grpc_plain, websocket, postgres, redis, http_post_2xx, http_redirect, http_answers, domain, docker, systemd).
        pub modules: BTreeMap<String, Module> = BTreeMap::new(),
        /// A blackbox.yml whose modules are used too.
        pub blackbox: PathBuf = PathBuf::new(),
        /// Which targets /probe may be asked for beside the configured ones. Empty: none.
        pub allow: Vec<Allowed> = vec![],
        /// How often a target is looked at that says nothing of it. Absent: at each collection.
        pub interval: Option<Duration> = None,
        /// So many failures in a row make a target down.
        pub down_after: u32 = 1,
        /// So many good ones in a row make it up again.
        pub up_after: u32 = 2,
        /// So many changes between good and bad within an hour are flapping.
        pub flapping_after: u32 = 6,
        /// The addresses under which the world reaches this host, for the prober domain. Empty: those of its interfaces.
        pub addresses: Vec<String> = vec![],
        /// Targets that are found where sites are configured already.
        pub discover: Discover = Discover::default(),
        /// Sites that are looked at from inside and from outside, for one verdict on both.
        pub sites: Vec<Site> = vec![],
    }
}

settings::section! {
    /// One thing that is looked at.
    pub struct Target {
        /// Its name. Empty: the target itself.
        pub name: String = String::new(),
        /// A URL, or host and port, as the module wants it.
        pub target: String = String::new(),
        /// The module.
        pub module: String = "http_2xx".to_owned(),
        /// How often. Absent: as all others.
        pub interval: Option<Duration> = None,
        /// The longest time for one look. Absent: the module's.
        pub timeout: Option<Duration> = None,
        /// Where the certificate lies that should be served: a file or a folder, or container:NAME:PATH for one that a container has mounted. Empty: not compared.
        pub certificate: String = String::new(),
        /// Further labels of its series.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::section! {
    /// A site that is looked at twice.
    pub struct Site {
        /// Its name.
        pub name: String = String::new(),
        /// The name of the probe that goes straight to the application.
        pub inside: String = String::new(),
        /// The name of the probe that goes the way of visitors.
        pub outside: String = String::new(),
        /// The name of a probe by the prober domain, for the name that visitors ask for. Empty: none.
        pub dns: String = String::new(),
    }
}

settings::section! {
    /// Targets that /probe may be asked for.
    pub struct Allowed {
        /// What the whole target must match.
        pub target: Pattern = Pattern::default(),
        /// The module. Empty: any.
        pub module: String = String::new(),
    }
}

/// Labels that a probe has already.
const TAKEN: [&str; 6] = ["instance", "probe", "module", "job", "reason", "phase"];

/// A configuration with all its modules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The section.
    pub config: Config,
    /// All modules by name.
    pub modules: BTreeMap<String, Arc<Module>>,
}

impl Config {
    /// Reads the file of modules; every fault in it has its line.
    pub fn load(&self) -> Result<Loaded, Vec<Fault>> {
        let mut modules = shipped();
        if !self.blackbox.as_os_str().is_empty() {
            let text = match settings::read_soon(&self.blackbox, 1 << 20) {
                Ok(text) => text,
                Err(err) => {
                    return Err(vec![Fault {
                        place: settings::Place::Line {
                            file: self.blackbox.display().to_string().into(),
                            line: 1,
                            column: 1,
                        },
                        key: String::new(),
                        message: format!("cannot be read: {err}"),
                    }]);
                }
            };
            let file: File = settings::read(&self.blackbox, &text, &|_| None)?;
            modules.extend(held(file.modules));
        }
        modules.extend(held(self.modules.clone()));
        for module in modules.values_mut() {
            if module.domain.addresses.is_empty() {
                let module = Arc::make_mut(module);
                module.domain.addresses.clone_from(&self.addresses);
            }
        }
        Ok(Loaded {
            config: self.clone(),
            modules,
        })
    }

    /// What is wrong with the section, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let loaded = match self.load() {
            Ok(loaded) => loaded,
            Err(file) => {
                let all: Vec<_> = file.iter().map(ToString::to_string).collect();
                return vec![("probe.blackbox".to_owned(), all.join("; "))];
            }
        };
        let mut names = std::collections::BTreeSet::new();
        for (at, target) in self.targets.iter().enumerate() {
            let mut fault = |key: &str, message: String| {
                faults.push((format!("probe.targets[{at}]{key}"), message));
            };
            if target.target.is_empty() {
                fault("", "target is missing: a URL, or host and port".to_owned());
            }
            if !loaded.modules.contains_key(&target.module) {
                let known: Vec<_> = loaded.modules.keys().map(String::as_str).collect();
                fault(
                    ".module",
                    format!(
                        "no module is named {:?}; there are {}",
                        target.module,
                        known.join(", ")
                    ),
                );
            }
            if !names.insert(target.called()) {
                fault(
                    ".name",
                    format!("another target is named {:?}", target.called()),
                );
            }
            if target.called().len() > LONGEST_VALUE {
                let key = if target.name.is_empty() {
                    ".target"
                } else {
                    ".name"
                };
                fault(key, too_long("a name"));
            } else if target.target.len() > LONGEST_VALUE {
                fault(".target", too_long("a target"));
            }
            if target.module.len() > LONGEST_VALUE {
                fault(".module", too_long("a module's name"));
            }
            for (key, message) in labels::faults(&target.labels, &TAKEN) {
                fault(&key, message);
            }
            let module = loaded.modules.get(&target.module);
            let of_module = |label: &&String| module.is_some_and(|module| module.labels(label));
            for label in target.labels.keys().filter(of_module) {
                fault(".labels", format!("its module has a label {label:?}"));
            }
            if target
                .interval
                .is_some_and(|interval| interval < Duration::from_secs(1))
            {
                fault(
                    ".interval",
                    "less than 1s would cost more than it shows".to_owned(),
                );
            }
        }
        for (at, site) in self.sites.iter().enumerate() {
            if site.name.len() > LONGEST_VALUE {
                faults.push((format!("probe.sites[{at}].name"), too_long("a name")));
            }
            for (key, name) in [
                ("inside", &site.inside),
                ("outside", &site.outside),
                ("dns", &site.dns),
            ] {
                let none = key == "dns" && name.is_empty();
                if !none && !names.contains(name.as_str()) {
                    faults.push((
                        format!("probe.sites[{at}].{key}"),
                        format!("no target is named {name:?}"),
                    ));
                }
            }
        }
        if self
            .addresses
            .iter()
            .any(|text| text.parse::<std::net::IpAddr>().is_err())
        {
            faults.push((
                "probe.addresses".to_owned(),
                "these are addresses of IP".to_owned(),
            ));
        }
        for (name, module) in &self.modules {
            faults.extend(
                module
                    .fault()
                    .map(|said| (format!("probe.modules.{name}"), said)),
            );
        }
        for (name, module) in &loaded.modules {
            let Some(said) = module.label_fault() else {
                continue;
            };
            faults.push(match self.modules.contains_key(name) {
                true => (format!("probe.modules.{name}"), said),
                false => ("probe.blackbox".to_owned(), format!("{name}: {said}")),
            });
        }
        if !loaded.modules.contains_key(&self.discover.module) {
            let message = format!("no module is named {:?}", self.discover.module);
            faults.push(("probe.discover.module".to_owned(), message));
        }
        for (key, count) in [("down_after", self.down_after), ("up_after", self.up_after)] {
            if count == 0 {
                faults.push((format!("probe.{key}"), "at least 1".to_owned()));
            }
        }
        faults
    }
}

impl Target {
    /// What it is called.
    #[must_use]
    pub fn called(&self) -> &str {
        if self.name.is_empty() {
            &self.target
        } else {
            &self.name
        }
    }
}

impl Loaded {
    /// Whether `/probe` may look at this target, and by which module; the error says why not.
    pub fn asked(&self, target: &str, module: &str) -> Result<&Module, String> {
        let module_name = if module.is_empty() {
            "http_2xx"
        } else {
            module
        };
        let known = self.modules.get(module_name);
        let known: &Module = known.ok_or_else(|| format!("unknown module {module_name:?}"))?;
        let configured = self
            .config
            .targets
            .iter()
            .any(|one| one.target == target && one.module == module_name);
        let allowed = self.config.allow.iter().any(|one| {
            one.target.is_whole(target.as_bytes())
                && (one.module.is_empty() || one.module == module_name)
        });
        if configured || allowed {
            Ok(known)
        } else {
            Err(format!(
                "{target:?} is not configured with the module {module_name}, and probe.allow does not name it"
            ))
        }
    }
}
