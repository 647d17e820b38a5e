//! A PostgreSQL database as a source of backups and a target of restores.
//!
//! Everything goes through PostgreSQL's own programs, of the server's own major
//! version: `psql` for questions, `pg_dump` and `pg_restore` for the data. A
//! newer `pg_dump` would write what the server cannot read back.

mod contents;
mod dump;
mod facts;
mod revision;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use settings::Secret;

pub use contents::{Checker, Contents, Offset};
pub use dump::{Dumped, dump, globals};
pub use facts::{count as rows, written_since};
pub(crate) use revision::revisions;
pub use session::{Session, ident, literal};

use crate::tool::{self, Call, Place, Running};

/// Where a database is, and as whom it is reached.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the programs run.
    pub place: Place,
    /// Host or socket folder; empty for the socket that programs know.
    pub host: String,
    /// Port; 0 for the usual one.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; empty where none is asked for.
    pub password: Secret,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted and the server's name checked.
    pub tls: bool,
    /// Who may vouch for the server; empty for the system's authorities.
    pub authorities: PathBuf,
    /// How long a lock may be waited for.
    pub lock_wait: Duration,
}

/// Why a database cannot be dumped or restored. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the programs failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// There is no program of the server's version.
    #[error(
        "the server is PostgreSQL {server}, and pg_dump of that version is wanted; found: {found}"
    )]
    Version {
        /// The server's major version.
        server: u32,
        /// The versions of pg_dump that were found.
        found: String,
    },
    /// The server said something that cannot be.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
    /// The dump is no whole dump, although `pg_dump` ended well.
    #[error("the dump is not whole: {0}")]
    Cut(String),
    /// It took too long.
    #[error("{0}")]
    Late(String),
    /// Nobody takes the dump any more.
    #[error("every target has failed")]
    Stopped,
}

impl Server {
    /// What a program is started with.
    #[must_use]
    pub fn call(&self, program: &str, arguments: &[&str]) -> Call {
        let mut environment = vec![
            ("PGAPPNAME".to_owned(), "belfry_backup".to_owned()),
            ("PGCONNECT_TIMEOUT".to_owned(), "15".to_owned()),
            ("PGDATABASE".to_owned(), self.database.clone()),
            ("PGUSER".to_owned(), self.user.clone()),
        ];
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        if !self.host.is_empty() {
            set("PGHOST", self.host.clone());
        }
        if self.port != 0 {
            set("PGPORT", self.port.to_string());
        }
        if self.tls {
            set("PGSSLMODE", "verify-full".to_owned());
            let system = self.authorities.as_os_str().is_empty();
            let from = if system {
                SYSTEM_AUTHORITIES.to_owned()
            } else {
                self.authorities.display().to_string()
            };
            set("PGSSLROOTCERT", from);
        }
        Call {
            program: program.to_owned(),
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            environment,
            password: self.password.clone(),
            input: false,
        }
    }

    /// Starts one of PostgreSQL's programs.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn start(&self, program: &str, arguments: &[&str]) -> Result<Running, tool::Error> {
        self.place.start(self.call(program, arguments)).await
    }

    /// The same server with the programs of its own version, and its version
    /// such as 150018.
    ///
    /// # Errors
    /// When it does not answer, or no such programs are there.
    pub async fn prepared(&self) -> Result<(Self, u32), Error> {
        let places = self.places().await;
        // Any psql can ask any server for its version.
        let mut asking = self.clone();
        if let Some((place, _)) = places.last() {
            asking.place = place.clone();
        }
        let mut session = Session::open(&asking).await?;
        let version = session.version().await?;
        session.close().await?;
        let major = version / 10_000;
        match places.iter().find(|(_, found)| *found == major) {
            Some((place, _)) => {
                asking.place = place.clone();
                Ok((asking, version))
            }
            None => Err(Error::Version {
                server: major,
                found: told(&places),
            }),
        }
    }

    /// The same with a `pg_restore` that reads dumps of this major version; the
    /// server is not asked.
    ///
    /// # Errors
    /// When there is none.
    pub async fn reader(&self, major: u32) -> Result<Self, Error> {
        let places = self.places().await;
        // The oldest that will do: it is the nearest to what made it.
        match places.iter().find(|(_, found)| *found >= major) {
            Some((place, _)) => Ok(Self {
                place: place.clone(),
                ..self.clone()
            }),
            None => Err(Error::Version {
                server: major,
                found: told(&places),
            }),
        }
    }

    /// Where programs are, with the major version of `pg_dump`; newest last.
    async fn places(&self) -> Vec<(Place, u32)> {
        let candidates = match &self.place {
            Place::Container { .. } | Place::Host { bin: Some(_) } => vec![self.place.clone()],
            Place::Host { bin: None } => installed(),
        };
        let mut places = Vec::new();
        for place in candidates {
            let call = self.call("pg_dump", &["--version"]);
            let Ok(running) = place.start(call).await else {
                continue;
            };
            let major = running.text().await.ok().and_then(|text| major(&text));
            if let Some(major) = major {
                places.push((place, major));
            }
        }
        places.sort_by_key(|(_, major)| *major);
        places
    }
}

fn told(places: &[(Place, u32)]) -> String {
    let mut found: Vec<_> = places.iter().map(|(_, found)| found.to_string()).collect();
    found.dedup();
    if found.is_empty() {
        return "none".to_owned();
    }
    found.join(", ")
}

/// Debian's file of authorities; libpq has no default of its own.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where packages put the programs, and `PATH`.
fn installed() -> Vec<Place> {
    let mut folders = vec![None];
    for (base, inner) in [("/usr/lib/postgresql", "bin"), ("/usr/local/pgsql", "")] {
        for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
            folders.push(Some(entry.path().join(inner)));
        }
    }
    for entry in std::fs::read_dir("/usr").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("pgsql-") {
            folders.push(Some(entry.path().join("bin")));
        }
    }
    let there = |bin: &Option<PathBuf>| bin.as_ref().is_none_or(|bin| bin.join("pg_dump").exists());
    folders.retain(there);
    folders.into_iter().map(|bin| Place::Host { bin }).collect()
}

/// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let end = version.find(|letter: char| !letter.is_ascii_digit());
    version[..end.unwrap_or(version.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_program_is_read_in_every_form() {
        for (text, version) in [
            (
                "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                Some(15),
            ),
            ("pg_dump (PostgreSQL) 18beta1\n", Some(18)),
            ("pg_dump: not found", None),
        ] {
            assert_eq!(major(text), version, "{text}");
        }
    }
}
