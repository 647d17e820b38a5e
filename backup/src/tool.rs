//! Running PostgreSQL's own programs: as processes of this host, or inside a
//! container through the engine. Both stream their output, both end when the
//! caller lets go, and for both the exit code decides, not what they print.
//!
//! No argument holds a secret: passwords are in the program's environment.

mod exec;
mod process;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use settings::Secret;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// Where programs run.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this host, from this folder; without one, from `PATH`.
    Host {
        /// The folder of the programs.
        bin: Option<PathBuf>,
    },
    /// In a running container of this name.
    Container {
        /// The engine.
        engine: bollard::Docker,
        /// The container's name or id.
        name: String,
    },
}

/// A program that could not do its work.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It is not there.
    #[error("cannot run {program}: {reason}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        reason: String,
    },
    /// It ended with another code than 0.
    #[error("{program} {}: {said}", ended(*.code))]
    Exit {
        /// The program.
        program: String,
        /// Its exit code; nothing when a signal ended it.
        code: Option<i64>,
        /// What it said of the reason.
        said: String,
    },
    /// What connects us to it broke.
    #[error("{program}: {reason}")]
    Broken {
        /// The program.
        program: String,
        /// What happened.
        reason: String,
    },
}

/// Whether what a program said of its end is about what is around it: a server or a
/// disk, and not what it was given to read.
pub(crate) fn is_of_surroundings(told: &str) -> bool {
    const WORDS: [&str; 14] = [
        "was killed",
        "cannot run",
        "No space left on device",
        "could not extend file",
        "server closed the connection",
        "terminating connection",
        "connection to server",
        "the database system is",
        "out of memory",
        "out of shared memory",
        "canceling statement",
        // An extension that works only in a server that was begun with it.
        "must be loaded via shared_preload_libraries",
        "must be preloaded",
        // One that works in a single database of its server, which a scratch one is not.
        "can only create extension in database",
    ];
    WORDS.iter().any(|word| told.contains(word))
}

fn ended(code: Option<i64>) -> String {
    match code {
        Some(code) => format!("ended with code {code}"),
        None => "was killed".to_owned(),
    }
}

/// What to run, and with what.
#[derive(Debug, Clone)]
pub struct Call {
    /// The program's name.
    pub program: String,
    /// Its arguments, without secrets.
    pub arguments: Vec<String>,
    /// Its environment beside the usual one.
    pub environment: Vec<(String, String)>,
    /// The password, which goes into the environment as `PGPASSWORD` and is
    /// never repeated in what is told of it.
    pub password: Secret,
    /// Whether something will be written to it.
    pub input: bool,
}

/// A program at work. Letting go of it ends it.
pub struct Running {
    program: String,
    /// What it reads; closed by [`Running::close`].
    pub input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    output: mpsc::Receiver<std::io::Result<Bytes>>,
    said: Said,
    end: oneshot::Receiver<Result<Option<i64>, String>>,
    _keeper: AbortOnDropHandle<()>,
    /// Of a program in a container: it does not end with our connection.
    _killing: Option<exec::Killing>,
}

impl Place {
    /// Starts a program.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn start(&self, call: Call) -> Result<Running, Error> {
        match self {
            Self::Host { bin } => process::start(bin.as_deref(), call),
            Self::Container { engine, name } => exec::start(engine, name, call).await,
        }
    }
}

impl Running {
    /// The next piece of its output; nothing at the end of it, which is not yet
    /// a good end: see [`Running::finish`].
    ///
    /// # Errors
    /// When the connection to it broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self.output.recv().await {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(err)) => Err(self.broken(&err.to_string())),
        }
    }

    /// Writes to it.
    ///
    /// # Errors
    /// When it reads no more, with what it said of the reason.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(input) = &mut self.input else {
            return Err(self.broken("it takes no input"));
        };
        let written = async {
            input.write_all(bytes).await?;
            input.flush().await
        };
        match written.await {
            Ok(()) => Ok(()),
            Err(err) => match self.ended().await {
                Err(reason) => Err(reason),
                Ok(()) => Err(self.broken(&err.to_string())),
            },
        }
    }

    /// Ends its input.
    pub async fn close(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.shutdown().await;
        }
    }

    /// Waits for its end, whatever more it prints; well only when its exit code is 0.
    ///
    /// # Errors
    /// With what it said of the reason.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.close().await;
        while self.next().await?.is_some() {}
        self.ended().await
    }

    /// All that it prints, as text, up to 64 MiB.
    ///
    /// # Errors
    /// With what it said of the reason.
    pub async fn text(mut self) -> Result<String, Error> {
        self.close().await;
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
            if all.len() > 64 << 20 {
                return Err(self.broken("it prints without end"));
            }
        }
        self.ended().await?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    /// What it said on standard error so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.tell()
    }

    /// How it ended, when its output has.
    pub(crate) async fn fate(&mut self) -> Result<(), Error> {
        self.ended().await
    }

    async fn ended(&mut self) -> Result<(), Error> {
        match (&mut self.end).await {
            Ok(Ok(Some(0))) => Ok(()),
            Ok(Ok(code)) => Err(Error::Exit {
                program: self.program.clone(),
                code,
                said: self.said.tell(),
            }),
            Ok(Err(reason)) => Err(self.broken(&reason)),
            Err(_) => Err(self.broken("its end was not seen")),
        }
    }

    fn broken(&self, reason: &str) -> Error {
        Error::Broken {
            program: self.program.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Running").field(&self.program).finish()
    }
}

/// What a program says on standard error: the first part of it, without secrets.
#[derive(Clone)]
struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    password: Secret,
}

impl Said {
    fn new(password: Secret) -> Self {
        Self {
            text: Arc::default(),
            password,
        }
    }

    fn note(&self, bytes: &[u8]) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (16_usize << 10).saturating_sub(text.len());
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The line that names the reason: the first that calls itself an error,
    /// else the first.
    fn tell(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let wrong = |line: &&str| {
            ["error:", "ERROR:", "FATAL:"]
                .iter()
                .any(|word| line.contains(word))
        };
        let line = lines().find(wrong).or_else(|| lines().next());
        let mut line: String = line
            .unwrap_or("it said nothing")
            .chars()
            .take(300)
            .collect();
        // The time that pg_dump waits for locks is the server's for a statement.
        if line.contains("statement timeout") && text.contains("LOCK TABLE") {
            line.push_str(", while it waited for a lock");
        }
        match self.password.expose() {
            "" => line,
            password => line.replace(password, "<secret>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_killed_or_lacks_a_preloaded_library_says_nothing_of_what_it_read() {
        let told = |code, said: &str| {
            let (program, said) = ("pg_restore".to_owned(), said.to_owned());
            Error::Exit {
                program,
                code,
                said,
            }
            .to_string()
        };
        for (code, said, around) in [
            (exec::code(Some(137)), "it said nothing", true),
            (exec::code(Some(1)), "error: could not uncompress", false),
            (
                exec::code(Some(1)),
                "ERROR:  pgaudit must be loaded via shared_preload_libraries",
                true,
            ),
            (
                exec::code(Some(1)),
                "ERROR:  can only create extension in database postgres",
                true,
            ),
            (
                exec::code(Some(1)),
                "error: COPY failed for table \"preload_queue\"",
                false,
            ),
            (
                exec::code(Some(1)),
                "FATAL:  extension \"timescaledb\" must be preloaded",
                true,
            ),
        ] {
            let told = told(code, said);
            assert_eq!(is_of_surroundings(&told), around, "{told}");
        }
    }

    #[test]
    fn the_line_that_names_the_reason_is_told_without_the_password() {
        let said = Said::new(Secret::new("hunter2"));
        assert_eq!(said.tell(), "it said nothing");
        said.note(b"pg_dump: last built-in OID is 16383\npg_dump: error: hunter2 is wrong\nmore\n");
        assert_eq!(said.tell(), "pg_dump: error: <secret> is wrong");
        let said = Said::new(Secret::default());
        said.note(
            b"pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
              pg_dump: detail: Query was: LOCK TABLE public.users IN ACCESS SHARE MODE\n",
        );
        assert!(
            said.tell()
                .ends_with("statement timeout, while it waited for a lock"),
        );
    }
}
