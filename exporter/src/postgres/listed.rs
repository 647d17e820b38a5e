//! The databases of a server, for who asks once: nothing of it is kept.

use std::time::Duration;

use tokio::time::timeout;

use super::Server;
use super::access::Access;
use super::link::{Failure, Link, Patience};
use super::tls::Connector;
use crate::crew::Crew;

const NAMES: &str = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate
    ORDER BY datname";
const TABLES: &str = "SELECT count(*) AS tables FROM pg_stat_user_tables";

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(30);

impl Server {
    /// What its series call it: its name, its service, or its place.
    #[must_use]
    pub fn called(&self) -> String {
        self.label()
    }

    /// The databases that somebody uses: every server has one called postgres, and most
    /// never use it.
    ///
    /// # Errors
    /// When the server does not tell; a password is never in it.
    pub async fn databases(&self) -> Result<Vec<String>, String> {
        let listed = timeout(DEADLINE, self.listed()).await;
        listed.unwrap_or_else(|_| Err(Failure::Late.to_string()))
    }

    async fn listed(&self) -> Result<Vec<String>, String> {
        let files = Crew::default();
        let access = self.access(&files, DEADLINE).await?;
        let tls = self.connector(&files, DEADLINE).await?;
        let told = |err: Failure| err.to_string();
        let mut names = Vec::new();
        for name in column(&access, tls.as_ref(), None, NAMES, "datname")
            .await
            .map_err(told)?
        {
            // One that lets nobody in is somebody's.
            let tables = match name.as_str() {
                "postgres" => column(&access, tls.as_ref(), Some(&name), TABLES, "tables").await,
                _ => Ok(Vec::new()),
            };
            if tables.is_ok_and(|tables| tables == ["0"]) {
                continue;
            }
            names.push(name);
        }
        Ok(names)
    }
}

async fn column(
    access: &Access,
    tls: Option<&Connector>,
    database: Option<&str>,
    sql: &str,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let patience = Patience {
        statement: DEADLINE / 4,
        lock: DEADLINE / 10,
    };
    let link = Link::connect(access, tls, database, patience).await?;
    let rows = link.rows(sql).await?;
    let cells = rows.iter().filter_map(|row| row.get(name));
    let cells = cells.map(str::to_owned).collect();
    link.close().await;
    Ok(cells)
}
