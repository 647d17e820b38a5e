//! From the file to a configuration, or to everything that is wrong with it: in
//! the file, between its keys, and in the rule files that it names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rules::{RuleSet, Runbooks};
use settings::{Fault, Place as At, Reading};
use tokio::sync::Mutex;
use tokio::{task, time};

use super::file::{self, Source};
use super::{Config, Elsewhere, prometheus, rule_files};
use crate::cli::Place;
use crate::silence;

/// A configuration with where it came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub config: Config,
    /// The file; nothing when there is none and defaults serve.
    pub file: Option<PathBuf>,
    /// The rules that it names.
    pub rules: RuleSet,
    /// The runbooks that it names.
    pub runbooks: Runbooks,
    /// Who else is told of alerts.
    pub elsewhere: Elsewhere,
    /// What it asks for that changes nothing here.
    pub remarks: Vec<Fault>,
    /// Rule files that are left out, because their disk does not answer.
    pub silent: Vec<PathBuf>,
}

impl Loaded {
    /// Why it is not all that was asked for.
    pub(crate) fn lack(&self) -> Option<String> {
        silence::told(&self.silent)
    }
}

/// Why there is no configuration. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is a file that cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    /// What must be read does not answer.
    #[error("the configuration and its rule files could not be read within {}", settings::format_duration(*patience))]
    Silent { patience: Duration },
    /// It says something that cannot be.
    #[error("{0}")]
    Faults(Faults),
}

/// Everything that is wrong.
pub(crate) struct Faults {
    /// In the configuration itself.
    pub config: Vec<Fault>,
    /// In the files that it names: rule files, and a `prometheus.yml`.
    pub rules: Vec<Fault>,
    /// The file's text: it is for a terminal, and only by [`Faults::explain`].
    text: String,
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.config.iter().chain(&self.rules);
        let lines: Vec<_> = all.map(Fault::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Faults {
    /// The faults of the configuration as a person at a terminal is told them:
    /// with lines of the file, but none that may hold a secret.
    pub(crate) fn explain(&self) -> Vec<String> {
        let all = self.config.iter();
        all.map(|fault| fault.explain(&self.text)).collect()
    }
}

/// Reads the configuration; what the command line says wins over the file.
pub(crate) fn load(place: &Place) -> Result<Loaded, Error> {
    let source = read(place)?;
    let mut reading = reading(&source);
    for (key, message) in reading.value.faults() {
        reading.contradict(&key, &message);
    }
    let own = reading.value.rules.scrape.len();
    let prometheus = prometheus::join(&mut reading.value.rules);
    for (key, message) in prometheus::other_engines(&reading.value, own, prometheus.as_ref().ok()) {
        reading.contradict(&key, &message);
    }
    let rules = rule_files::load(
        &reading.value,
        prometheus.as_ref().ok(),
        source.file.as_deref(),
    );
    if !reading.is_broken("rules.files") && !reading.is_broken("rules.pack") {
        for (at, name) in rules.unknown {
            let message = format!("no rule is named {name:?}");
            reading.contradict(&format!("rules.disable[{at}]"), &message);
        }
    }
    let rules_silent = rules.silent;
    let remarks = reading.value.backup.remarks().into_iter();
    let remarks = remarks.map(|(key, message)| reading.remark(&key, &message));
    let remarks: Vec<Fault> = remarks.collect();
    let (mut config, faults) = reading.end();
    overrule(&mut config, place, source.file.as_deref());
    config.exporter.leave_out();
    match (rules.set, runbooks(&config), prometheus) {
        (Ok(rules), Ok(runbooks), Ok(joined)) if faults.is_empty() => Ok(Loaded {
            config,
            file: source.file,
            rules,
            runbooks,
            elsewhere: joined.elsewhere,
            silent: rules_silent,
            remarks: joined.remarks.into_iter().chain(remarks).collect(),
        }),
        (rules, runbooks, prometheus) => {
            let unread = prometheus.err().into_iter();
            let unread = unread.chain(rules.err()).chain(runbooks.err());
            Err(Error::Faults(Faults {
                config: faults,
                rules: unread.flatten().collect(),
                text: source.text,
            }))
        }
    }
}

/// Like [`load`], for a program that has other things to do: a file that hangs
/// costs one thread, however often it is asked for.
pub(crate) async fn load_within(place: &Place, patience: Duration) -> Result<Loaded, Error> {
    let place = place.clone();
    within(patience, move || load(&place)).await
}

async fn within<T: Send + 'static>(
    patience: Duration,
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    static READING: Mutex<()> = Mutex::const_new(());
    let silent = Error::Silent { patience };
    let Ok(Ok(guard)) = time::timeout(patience, async { Ok::<_, ()>(READING.lock().await) }).await
    else {
        return Err(silent);
    };
    let reading = task::spawn_blocking(move || {
        let _guard = guard;
        read()
    });
    match time::timeout(patience, reading).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(silent),
    }
}

/// What can be known of the configuration, faulty or not, for commands that
/// look from outside; and why it is not all. Fails when the data folder is what
/// cannot be known.
pub(crate) fn glance(place: &Place) -> Result<(Config, Option<Error>), Error> {
    let (source, unread) = match read(place) {
        Ok(source) => (source, None),
        Err(err) => {
            let nothing = Source {
                file: None,
                text: String::new(),
            };
            (nothing, Some(err))
        }
    };
    let (mut config, faults) = reading(&source).end();
    let folder_unknown = faults.iter().any(|fault| fault.key == "data");
    overrule(&mut config, place, source.file.as_deref());
    config.exporter.leave_out();
    if faults.is_empty() {
        return Ok((config, unread));
    }
    let err = Error::Faults(Faults {
        config: faults,
        rules: Vec::new(),
        text: source.text,
    });
    if folder_unknown && place.data.is_none() {
        return Err(err);
    }
    Ok((config, unread.or(Some(err))))
}

fn read(place: &Place) -> Result<Source, Error> {
    file::read(place.config.as_deref()).map_err(|(file, source)| Error::Read { file, source })
}

fn reading(source: &Source) -> Reading<Config> {
    let environment = |name: &str| std::env::var(name).ok();
    settings::read_all(source.name(), &source.text, &environment)
}

/// The runbooks that a configuration names.
pub(crate) fn runbooks(config: &Config) -> Result<Runbooks, Vec<Fault>> {
    let folder = &config.rules.runbooks;
    if folder.as_os_str().is_empty() {
        return Ok(Runbooks::default());
    }
    let mut read = settings::looks(vec![folder.clone()], Runbooks::read);
    read.pop().flatten().unwrap_or_else(|| {
        Err(vec![Fault {
            place: At::Line {
                file: folder.display().to_string().into(),
                line: 1,
                column: 1,
            },
            key: String::new(),
            message: "cannot read the folder of runbooks: its disk does not answer".to_owned(),
        }])
    })
}

/// What the command line says wins; relative folders are meant from the file's.
fn overrule(config: &mut Config, place: &Place, file: Option<&Path>) {
    let runbooks = &mut config.rules.runbooks;
    if let Some(folder) = file.and_then(Path::parent)
        && !runbooks.as_os_str().is_empty()
    {
        *runbooks = folder.join(&*runbooks);
    }
    if let Some(listen) = place.listen {
        config.listen = listen;
    }
    if let Some(data) = &place.data {
        config.data.clone_from(data);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_is_given_up_and_not_begun_twice() {
        let (end, hang) = mpsc::channel::<()>();
        let patience = Duration::from_millis(1);
        let first = within(patience, move || {
            let _ = hang.recv();
            Ok(())
        });
        let told = first.await.unwrap_err().to_string();
        assert!(told.ends_with("could not be read within 1ms"), "{told}");
        let second = within(patience, || -> Result<(), Error> { panic!("begun") });
        assert!(matches!(second.await, Err(Error::Silent { .. })));
        drop(end);
        let third = within(Duration::from_secs(60), || Ok(3));
        assert_eq!(third.await.unwrap(), 3);
    }
}
