//! Finding the file and reading its text.

use std::io;
use std::path::{Path, PathBuf};

/// Where a configuration is looked for, in this order.
const PLACES: [&str; 2] = ["belfry.yml", "/etc/belfry/belfry.yml"];
/// A configuration is no longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

/// The text of the configuration.
#[derive(Debug)]
pub(super) struct Source {
    /// The file; nothing when there is none and defaults serve.
    pub file: Option<PathBuf>,
    /// What it says.
    pub text: String,
}

impl Source {
    /// The name by which faults call the file.
    pub(super) fn name(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(PLACES[0]))
    }
}

/// Reads the named file, or the first that exists; one that exists and cannot be
/// read is an error and not absent.
pub(super) fn read(named: Option<&Path>) -> Result<Source, (PathBuf, io::Error)> {
    match named {
        Some(file) => read_one(file),
        None => first(&PLACES.map(Path::new)),
    }
}

fn first(places: &[&Path]) -> Result<Source, (PathBuf, io::Error)> {
    for place in places {
        match read_one(place) {
            Err((_, err)) if err.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Ok(Source {
        file: None,
        text: String::new(),
    })
}

fn read_one(file: &Path) -> Result<Source, (PathBuf, io::Error)> {
    match settings::read_soon(file, LONGEST) {
        Ok(text) => Ok(Source {
            file: Some(file.to_owned()),
            text,
        }),
        Err(err) => Err((file.to_owned(), err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_not_there_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&two, "host: a").unwrap();
        let places = [&*one, &*two];
        assert_eq!(first(&places).unwrap().file.as_ref(), Some(&two));
        assert_eq!(first(&places[..1]).unwrap().file, None);
        std::fs::create_dir(&one).unwrap();
        let (file, err) = first(&places).unwrap_err();
        assert_eq!(file, one);
        assert_eq!(err.to_string(), "it is a folder, not a regular file");
        std::fs::remove_dir(&one).unwrap();
        std::fs::write(&one, vec![b' '; (1 << 20) + 1]).unwrap();
        assert_eq!(
            first(&places).unwrap_err().1.to_string(),
            "it is larger than 1MiB"
        );
    }
}
