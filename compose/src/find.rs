//! The files of a project in a folder, when nobody names them.

use std::path::{Path, PathBuf};

use crate::Read;
use crate::environment::Environment;

/// Names that are looked for, the first that is there; with those of their overrides.
const USUAL: [(&str, [&str; 2]); 4] = [
    (
        "compose.yaml",
        ["compose.override.yml", "compose.override.yaml"],
    ),
    (
        "compose.yml",
        ["compose.override.yml", "compose.override.yaml"],
    ),
    (
        "docker-compose.yml",
        [
            "docker-compose.override.yml",
            "docker-compose.override.yaml",
        ],
    ),
    (
        "docker-compose.yaml",
        [
            "docker-compose.override.yml",
            "docker-compose.override.yaml",
        ],
    ),
];

/// The compose files that a call of `docker compose` in this folder would read:
/// those that `COMPOSE_FILE` in its `.env` names, else the usual one with its
/// override. Empty when there is none.
#[must_use]
pub fn usual_files(folder: &Path, read: Read<'_>) -> Vec<PathBuf> {
    let mut environment = Environment::default();
    if let Ok(text) = read(&folder.join(".env")) {
        environment.add(&text);
    }
    if let Some(named) = environment
        .get("COMPOSE_FILE")
        .filter(|named| !named.is_empty())
    {
        let separator = environment.get("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
        let separator = if separator.is_empty() { ":" } else { separator };
        let named = named.split(separator).filter(|file| !file.is_empty());
        return named
            .map(|file| folder.join(file))
            .take(super::load::MOST_FILES)
            .collect();
    }
    for (name, overrides) in USUAL {
        let file = folder.join(name);
        if read(&file).is_err() {
            continue;
        }
        let mut files = vec![file];
        let mut overrides = overrides.iter().map(|name| folder.join(name));
        files.extend(overrides.find(|file| read(file).is_ok()));
        return files;
    }
    Vec::new()
}
