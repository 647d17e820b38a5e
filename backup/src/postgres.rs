//! A PostgreSQL database as a source of backups and a target of restores.
//!
//! Everything goes through PostgreSQL's own programs, of the server's own major
//! version: `psql` for questions, `pg_dump` and `pg_restore` for the data. A
//! newer `pg_dump` would write what the server cannot read back.

mod contents;
mod dump;
mod facts;
mod noted;
mod revision;
mod session;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use settings::Secret;

pub use contents::{Checker, Contents, Offset};
pub use dump::{Dumped, dump, globals};
pub use facts::{count as rows, written_since};
pub use noted::{noted_rows, writes};
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
        // It goes to a database of its own choice, and whoever backs that one up would take
        // it for left over.
        let name = match program {
            "pg_dumpall" => "belfry_globals",
            _ => "belfry_backup",
        };
        let mut environment = vec![
            ("PGAPPNAME".to_owned(), name.to_owned()),
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
        let newest = places.iter().map(|(_, found)| *found).max();
        if let Some((place, _)) = places.iter().find(|(_, found)| Some(*found) == newest) {
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
        let found = candidates.into_iter().map(async |place| {
            let call = self.call("pg_dump", &["--version"]);
            let text = place.start(call).await.ok()?.text().await.ok()?;
            Some((place, major(&text)?))
        });
        let found = join_all(found).await;
        let mut places: Vec<_> = found.into_iter().flatten().collect();
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

/// Where packages put the programs, and `PATH`, which comes last: what Debian puts there is
/// a script that looks for one of these, and takes longer than the program does.
fn installed() -> Vec<Place> {
    let mut folders = Vec::new();
    for (base, inner) in [("/usr/lib/postgresql", "bin"), ("/usr/local/pgsql", "")] {
        for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
            folders.push(entry.path().join(inner));
        }
    }
    for entry in std::fs::read_dir("/usr").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("pgsql-") {
            folders.push(entry.path().join("bin"));
        }
    }
    folders.retain(|bin| bin.join("pg_dump").exists());
    let on_path = folders.is_empty() || !is_script(std::env::var_os("PATH"));
    let mut places: Vec<_> = folders
        .into_iter()
        .map(|bin| Place::Host { bin: Some(bin) })
        .collect();
    if on_path {
        places.push(Place::Host { bin: None });
    }
    places
}

/// Whether the first `pg_dump` of a search path is Debian's script.
fn is_script(path: Option<OsString>) -> bool {
    let path = path.unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("pg_dump"));
    let first = found.find_map(|file| file.canonicalize().ok());
    first.is_some_and(|file| file.ends_with("pg_wrapper"))
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
    fn debians_script_is_not_started_where_the_programs_are_there_that_it_looks_for() {
        let folder = tempfile::tempdir().unwrap();
        let (script, own) = (folder.path().join("script"), folder.path().join("own"));
        for (at, name) in [(&script, "pg_wrapper"), (&own, "pg_dump")] {
            std::fs::create_dir(at).unwrap();
            std::fs::write(at.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("pg_wrapper", script.join("pg_dump")).unwrap();
        let path = |folders: &[&PathBuf]| std::env::join_paths(folders).ok();
        assert!(is_script(path(&[&script, &own])));
        assert!(!is_script(path(&[&own, &script])));
        assert!(!is_script(path(&[&folder.path().to_owned()])));
        assert!(!is_script(None));
    }

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
