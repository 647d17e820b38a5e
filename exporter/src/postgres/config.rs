//! The configuration: which servers, how they are reached, how often.

use std::path::PathBuf;
use std::time::Duration;

use ::settings::Secret;

use super::access::{self, Access};
use super::queries::Query;
use super::tls::Connector;
use crate::crew::{Crew, Outcome};
use crate::tls::Papers;

/// Where a server is that nobody names.
const USUAL: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// What is wrong with one that would be spoken to in the clear against its own words.
const UNENCRYPTED: &str = "sslmode wants the connection encrypted, so `tls: verify` is wanted";

::settings::section! {
    /// PostgreSQL servers, under postgres_exporter's names. The user should be
    /// a member of pg_monitor.
    pub struct Config {
        /// The servers to read.
        pub servers: Vec<Server> = Vec::new(),
        /// Whether servers in containers are found by themselves.
        pub find: bool = true,
        /// Whether a container's environment may be looked at for how to log
        /// in to a server that was found: POSTGRES_USER, POSTGRES_PASSWORD and
        /// POSTGRES_DB.
        pub environment: bool = false,
        /// How often each server is read.
        pub interval: Duration = Duration::from_secs(15),
        /// How long reading a server may take, visits to its databases
        /// included. A quarter of it is the server's limit for a statement, a
        /// tenth for a lock, but a second at most.
        pub deadline: Duration = Duration::from_secs(10),
        /// How often the tables of databases are read that need a connection of
        /// their own.
        pub visit: Duration = Duration::from_secs(60),
        /// How often sizes and settings are read, and the tables chosen that
        /// are shown.
        pub seldom: Duration = Duration::from_secs(300),
        /// The most tables of a database that are shown: the largest and the
        /// busiest.
        pub tables_per_database: usize = 30,
        /// The most tables of a server that are shown, shared evenly among its
        /// databases. 0 shows none.
        pub tables: usize = 300,
        /// The most indexes of a database that are shown one by one, of the tables that
        /// are: the busiest. 0 shows none, but what the indexes of each table do together.
        pub indexes_per_database: usize = 0,
        /// The most statements that are shown where pg_stat_statements is
        /// installed. 0 shows none.
        pub statements: usize = 50,
        /// Questions of your own whose answers become metrics.
        pub queries: Vec<Query> = Vec::new(),
    }
}

::settings::section! {
    /// A PostgreSQL server.
    pub struct Server {
        /// Its address: postgres://user:password@host:port/database, with or without
        /// the password, or host=... user=... for a socket. Empty:
        /// postgres://postgres@127.0.0.1:5432/postgres.
        pub url: Secret = Secret::default(),
        /// A service of ~/.pg_service.conf that is used instead of `url`.
        pub service: String = String::new(),
        /// The label `instance` of its series. Empty: none with one server,
        /// host:port with several.
        pub name: String = String::new(),
        /// The password. Empty: the one of `url`, of the service, or of ~/.pgpass.
        pub password: Secret = Secret::default(),
        /// Whether the connection is encrypted.
        pub tls: Tls = Tls::Off,
        /// The authorities that may vouch for the server, as a PEM file.
        /// Empty: the system's.
        pub ca_file: Option<PathBuf> = None,
        /// Databases whose tables are not read.
        pub exclude: Vec<String> = Vec::new(),
    }
}

::settings::choice! {
    /// How a connection to PostgreSQL is encrypted.
    pub enum Tls {
        /// Not at all.
        Off = "off",
        /// With TLS, and the server's certificate and name are checked.
        Verify = "verify",
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (at, server) in self.servers.iter().enumerate() {
            let key = format!("postgres.servers[{at}]");
            if server.service.is_empty() {
                match server.at_url() {
                    Err(fault) => {
                        faults.push((format!("{key}.url"), fault.to_owned()));
                        continue;
                    }
                    Ok(access) if access.is_to_be_encrypted() && server.tls == Tls::Off => {
                        faults.push((format!("{key}.tls"), UNENCRYPTED.to_owned()));
                    }
                    Ok(_) => {}
                }
            }
            let label = server.label();
            if !names.insert(label.clone()) {
                faults.push((format!("{key}.name"), format!("{label:?} stands twice")));
            }
        }
        let mut queries = std::collections::BTreeSet::new();
        for (at, query) in self.queries.iter().enumerate() {
            let key = format!("postgres.queries[{at}]");
            let said = query.faults().into_iter();
            faults.extend(said.map(|(name, message)| (format!("{key}.{name}"), message)));
            if !queries.insert(&query.name) && !query.name.is_empty() {
                let message = format!("{:?} stands twice", query.name);
                faults.push((format!("{key}.name"), message));
            }
        }
        for (key, value) in [
            ("interval", self.interval),
            ("deadline", self.deadline),
            ("visit", self.visit),
            ("seldom", self.seldom),
        ] {
            if value < Duration::from_millis(100) {
                let message = "it must be 100ms at least".to_owned();
                faults.push((format!("postgres.{key}"), message));
            }
        }
        faults
    }
}

impl Server {
    /// What tells it from others: its name, its service, or its place.
    pub(super) fn label(&self) -> String {
        if !self.name.is_empty() {
            self.name.clone()
        } else if !self.service.is_empty() {
            self.service.clone()
        } else {
            let access = self.at_url();
            access.map_or_else(|_| "a malformed address".to_owned(), |access| access.place)
        }
    }

    /// Where it is, as host:port or the folder of a socket and the port;
    /// nothing for one that only a service file knows.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let access = self.at_url().ok()?;
        self.service.is_empty().then_some(access.place)
    }

    /// Who logs in, and to which database, where its address tells.
    #[must_use]
    pub fn login(&self) -> Option<(String, String)> {
        let config = self.at_url().ok()?.config;
        let user = config.get_user().filter(|_| self.service.is_empty())?;
        let database = config.get_dbname().unwrap_or(user);
        Some((user.to_owned(), database.to_owned()))
    }

    fn at_url(&self) -> Result<Access, &'static str> {
        match self.url.expose() {
            "" => Access::parse(USUAL),
            url => Access::parse(url),
        }
    }

    /// How to reach it. Files of the user are read where the configuration leaves
    /// something open: no longer than `deadline`, and on a thread of `files`.
    pub(super) async fn access(
        &self,
        files: &Crew,
        deadline: Duration,
    ) -> Result<Access, &'static str> {
        let server = self.clone();
        let find = move || server.find_access();
        match files.one("access", deadline, find).await {
            Outcome::Done(access, _) => access,
            Outcome::Late => Err("the files of the user were not read in time"),
            Outcome::Panicked => Err("the files of the user cannot be read"),
        }
    }

    fn find_access(&self) -> Result<Access, &'static str> {
        let mut access = if self.service.is_empty() {
            self.at_url()?
        } else {
            let file = access::service_file().ok_or("there is no service file")?;
            Access::service(&file, &self.service)?
        };
        if access.is_to_be_encrypted() && self.tls == Tls::Off {
            return Err(UNENCRYPTED);
        }
        if !self.password.is_empty() {
            access.config.password(self.password.expose());
        } else if let Some(passwords) = access::password_file() {
            access.look_up(&passwords);
        }
        Ok(access)
    }

    pub(super) async fn connector(
        &self,
        files: &Crew,
        deadline: Duration,
    ) -> Result<Option<Connector>, &'static str> {
        match self.tls {
            Tls::Off => Ok(None),
            Tls::Verify => {
                let read =
                    Connector::load(files, Papers::new(&self.ca_file, &None, &None), deadline);
                read.await.map(Some)
            }
        }
    }
}
