//! Finding and reading the file, and telling everything that is wrong with it.

use std::path::{Path, PathBuf};

use settings::Fault;

use super::Config;
use crate::cli::Place;

/// Where a configuration is looked for, in this order.
const PLACES: [&str; 2] = ["belfry.yml", "/etc/belfry/belfry.yml"];

/// A configuration with where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The values.
    pub config: Config,
    /// The file; nothing when there is none and defaults serve.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file that was named cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{}", told(faults, text))]
    Faults { faults: Vec<Fault>, text: String },
}

/// The file that would be read: the named one, or the first that exists.
fn locate(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(file) => Some(file.to_owned()),
        None => PLACES.iter().map(PathBuf::from).find(|file| file.exists()),
    }
}

/// Reads the configuration; what the command line says wins over the file.
pub(crate) fn load(place: &Place) -> Result<Loaded, Error> {
    let file = locate(place.config.as_deref());
    let text = match &file {
        Some(file) => std::fs::read_to_string(file).map_err(|source| Error::Read {
            file: file.clone(),
            source,
        })?,
        None => String::new(),
    };
    let mut config = parse(file.as_deref().unwrap_or(Path::new("belfry.yml")), &text)?;
    if let Some(listen) = place.listen {
        config.listen = listen;
    }
    if let Some(data) = &place.data {
        config.data = data.clone();
    }
    Ok(Loaded { config, file })
}

fn parse(file: &Path, text: &str) -> Result<Config, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let refuse = |faults| Error::Faults {
        faults,
        text: text.to_owned(),
    };
    let config: Config = settings::read(file, text, &environment).map_err(refuse)?;
    let faults: Vec<_> = config
        .faults()
        .into_iter()
        .map(|(key, message)| settings::place(file, text, &key, message))
        .collect();
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(refuse(faults))
    }
}

fn told(faults: &[Fault], text: &str) -> String {
    let faults: Vec<_> = faults.iter().map(|fault| fault.show(text)).collect();
    faults.join("\n")
}
