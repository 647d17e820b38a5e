//! A conversation with `psql`: one connection, one transaction, several questions.
//!
//! Answers come as lines; a mark after each tells its end. Every question that
//! can hold line ends in its answer asks for JSON.

use serde::de::DeserializeOwned;

use super::{Error, Server};
use crate::tool::Running;

/// Said after each answer. No answer has it: they are numbers, JSON, or names
/// that the server makes.
const MARK: &str = "=belfry= that was all =belfry=";

/// A connection to a database.
#[derive(Debug)]
pub struct Session {
    psql: Running,
    /// What came and was not read yet.
    rest: Vec<u8>,
}

impl Session {
    /// Connects to the server's database.
    ///
    /// # Errors
    /// When it cannot, with the reason that `psql` gives.
    pub async fn open(server: &Server) -> Result<Self, Error> {
        let arguments = [
            "-X",
            "-q",
            "-A",
            "-t",
            "-w",
            "-v",
            "ON_ERROR_STOP=1",
            "-v",
            "VERBOSITY=terse",
        ];
        let mut call = server.call("psql", &arguments);
        call.input = true;
        let psql = server.place.start(call).await?;
        let mut session = Self {
            psql,
            rest: Vec::new(),
        };
        let wait = server.lock_wait.as_millis().max(1);
        session
            .lines(&format!(
                "SET search_path = pg_catalog; SET row_security = off; SET statement_timeout = 0; \
                 SET idle_in_transaction_session_timeout = 0; SET lock_timeout = {wait}; \
                 SET client_encoding = 'UTF8'; SET jit = off"
            ))
            .await?;
        Ok(session)
    }

    /// Asks, and gives the lines of the answer.
    ///
    /// # Errors
    /// When the server refuses or goes away.
    pub async fn lines(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        self.psql
            .write(format!("{sql};\n\\echo '{MARK}'\n").as_bytes())
            .await?;
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                if line == MARK {
                    return Ok(lines);
                }
                lines.push(line);
            }
            match self.psql.next().await? {
                Some(bytes) => self.rest.extend_from_slice(&bytes),
                None => return Err(self.ended().await),
            }
        }
    }

    /// Asks for lines of JSON.
    ///
    /// # Errors
    /// See [`Session::lines`]; or when a line is something else.
    pub async fn json<T: DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, Error> {
        let lines = self.lines(sql).await?;
        let read = |line: &String| {
            serde_json::from_str(line).map_err(|err| Error::Answer(err.to_string()))
        };
        lines.iter().map(read).collect()
    }

    /// Asks for one line.
    ///
    /// # Errors
    /// See [`Session::lines`]; or when there is none.
    pub async fn line(&mut self, sql: &str) -> Result<String, Error> {
        let lines = self.lines(sql).await?;
        lines
            .into_iter()
            .next()
            .ok_or_else(|| Error::Answer("it is empty".into()))
    }

    /// The server's version, such as 150018.
    ///
    /// # Errors
    /// See [`Session::lines`].
    pub async fn version(&mut self) -> Result<u32, Error> {
        let line = self.line("SHOW server_version_num").await?;
        line.parse().map_err(|_| Error::Answer(line))
    }

    /// Ends it.
    ///
    /// # Errors
    /// When `psql` ends otherwise than well.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.psql.finish().await?)
    }

    /// Why it ended in the middle of an answer.
    async fn ended(&mut self) -> Error {
        self.psql.close().await;
        match self.psql.fate().await {
            Err(err) => err.into(),
            Ok(()) => Error::Answer("psql ended in the middle of it".into()),
        }
    }
}

/// A name as SQL takes it, whatever letters it has.
#[must_use]
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever letters it has.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
