//! One connection to one database of a server: short time-outs set before
//! anything is asked, and answers bounded in size.
//!
//! A server's own words never get into a message: it may repeat what it was
//! sent. Its code for the fault does, with ours.

use std::io;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::rows::Rows;
use super::tls::Connector;
use crate::served::Trouble;

/// The most that is read of one answer.
const MOST_ROWS: usize = 20_000;
const MOST_BYTES: usize = 8 << 20;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Failure {
    #[error("its settings: {0}")]
    Settings(&'static str),
    #[error("cannot connect: {0}")]
    Unreachable(io::ErrorKind),
    #[error("the server wants a password, and none is set")]
    NoPassword,
    #[error("no answer in time")]
    Late,
    #[error("the connection has ended")]
    Closed,
    #[error("what it says is not PostgreSQL's protocol, or TLS failed")]
    Malformed,
    #[error("the answer is too large")]
    TooLarge,
    #[error("the server refused with {code}: {}", meaning(.code))]
    Refused { code: String },
}

impl Failure {
    /// The same for those who do not know PostgreSQL.
    pub(super) fn trouble(self) -> Trouble {
        Trouble {
            text: self.to_string(),
            wants_password: self == Self::NoPassword,
        }
    }

    /// Whether a lock or the length of the work kept the server from answering.
    pub(super) fn is_hold_up(&self) -> bool {
        matches!(self, Self::Refused { code } if matches!(code.as_str(), "55P03" | "57014"))
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    client: tokio_postgres::Client,
    /// Moves the bytes; ends with the client, or when this value goes.
    carrier: AbortOnDropHandle<()>,
    /// The server's major version.
    pub(super) version: u32,
    /// The version as a number of three parts.
    pub(super) short_version: String,
    /// What the server says of its version at length; not asked in visits.
    pub(super) full_version: String,
}

/// How long the server may work for us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) statement: Duration,
    pub(super) lock: Duration,
}

impl Link {
    /// Connects to a database, or to the one of the address. The caller bounds
    /// the time.
    pub(super) async fn connect(
        access: &Access,
        tls: Option<&Connector>,
        database: Option<&str>,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let mut config = access.config.clone();
        if let Some(database) = database {
            config.dbname(database);
        }
        config.application_name("belfry");
        // A server whose machine died says nothing; a proxy may forget us.
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(60));
        let version;
        let (client, carrier) = match tls {
            Some(tls) => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let (client, connection) = config.connect(tls.clone()).await.map_err(why)?;
                version = connection
                    .parameter("server_version")
                    .unwrap_or_default()
                    .to_owned();
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            None => {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                let (client, connection) = config.connect(NoTls).await.map_err(why)?;
                version = connection
                    .parameter("server_version")
                    .unwrap_or_default()
                    .to_owned();
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        let (major, minor) = parse_version(&version).ok_or(Failure::Malformed)?;
        // Set now and not with the connection's options, so that the server's
        // own settings can be told from ours. The path keeps names that a
        // database's owner defined from being taken for the system's.
        let limits = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; \
             SET default_transaction_read_only = on; SET search_path = pg_catalog; \
             SET timezone = 'UTC'; SET datestyle = 'ISO'; SET jit = off",
            patience.statement.as_millis().max(1),
            patience.lock.as_millis().max(1),
        );
        client.batch_execute(&limits).await.map_err(why)?;
        let mut link = Self {
            client,
            carrier: AbortOnDropHandle::new(carrier),
            version: major,
            short_version: format!("{major}.{minor}.0"),
            full_version: String::new(),
        };
        if database.is_none() {
            let answer = link.rows("SELECT version()").await?;
            let full = answer.iter().next().and_then(|row| row.get("version"));
            link.full_version = full.unwrap_or_default().to_owned();
        }
        Ok(link)
    }

    /// Asks one question. The caller bounds the time, and a connection that was
    /// left in the middle of an answer is not used again.
    pub(super) async fn rows(&self, sql: &str) -> Result<Rows, Failure> {
        let answer = self.client.simple_query_raw(sql).await.map_err(why)?;
        pin_mut!(answer);
        let mut rows = Rows::default();
        let mut bytes = 0;
        while let Some(message) = answer.next().await {
            match message.map_err(why)? {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows.names = columns
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect();
                }
                SimpleQueryMessage::Row(row) => {
                    for at in 0..rows.names.len() {
                        let cell = row.try_get(at).map_err(|_| Failure::Malformed)?;
                        bytes += cell.map_or(0, str::len);
                        rows.cells.push(cell.map(str::to_owned));
                    }
                    if bytes > MOST_BYTES || rows.cells.len() > MOST_ROWS * rows.names.len() {
                        return Err(Failure::TooLarge);
                    }
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// Says good-bye, so that the server does not note a lost client, and waits
    /// a moment for the server's end.
    pub(super) async fn close(self) {
        drop(self.client);
        let _ = tokio::time::timeout(Duration::from_millis(500), self.carrier).await;
    }
}

/// `15.18 (Debian 15.18-0+deb12u1)`, `18beta1`.
pub(super) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse().ok()
    };
    let minor = text.split_once('.').and_then(|(_, rest)| number(rest));
    Some((number(text)?, minor.unwrap_or(0)))
}

fn why(err: tokio_postgres::Error) -> Failure {
    if let Some(code) = err.code() {
        // Five letters and digits, if it is one.
        let code = code.code();
        let sound = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let code = if sound { code } else { "an error" };
        return Failure::Refused {
            code: code.to_owned(),
        };
    }
    if err.is_closed() {
        return Failure::Closed;
    }
    let mut cause = std::error::Error::source(&err);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Failure::Closed,
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                    Failure::Malformed
                }
                kind => Failure::Unreachable(kind),
            };
        }
        cause = inner.source();
    }
    if err.to_string().contains("invalid configuration") {
        return Failure::NoPassword;
    }
    Failure::Malformed
}

/// What the codes mean that an administrator is likely to meet.
fn meaning(code: &str) -> &'static str {
    match code {
        "28P01" => "the password is wrong",
        "28000" => "pg_hba.conf does not let this user in, or wants TLS",
        "3D000" => "there is no such database",
        "42501" => "not allowed; the user should be a member of pg_monitor",
        "53300" => "all connections are taken",
        "55P03" => "a lock was not to be had in time",
        "57014" => "it took too long",
        "57P01" | "57P02" => "the server is stopping",
        "57P03" => "the server is starting or stopping",
        _ => "see PostgreSQL's list of error codes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_form() {
        for (text, version) in [
            ("15.18 (Debian 15.18-0+deb12u1)", Some((15, 18))),
            ("18.4", Some((18, 4))),
            ("19beta1", Some((19, 0))),
            ("13", Some((13, 0))),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse_version(text), version, "{text:?}");
        }
    }
}
