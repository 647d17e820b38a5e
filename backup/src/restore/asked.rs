//! The user's own questions to a restored database.

use serde::Serialize;

use crate::Job;
use crate::postgres::{Error, Server, Session};
use crate::run::Say;

/// One of the user's questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The question: in SQL, or what else was asked about.
    pub sql: String,
    /// The answer, in one line.
    pub answer: String,
    /// Whether it was `t`.
    pub passed: bool,
}

/// Asks the questions of a job. None of them can change anything.
///
/// # Errors
/// When the server does not answer at all.
pub(crate) async fn ask(server: &Server, name: &str, job: &Job) -> Result<Vec<Check>, Error> {
    let restored = Server {
        database: name.to_owned(),
        ..server.clone()
    };
    let mut checks = Vec::new();
    for sql in &job.checks {
        // One that breaks its session must not break the others.
        let mut session = Session::open(&restored).await?;
        session.lines("SET default_transaction_read_only = on; SET search_path = public; SET statement_timeout = '5min'").await?;
        let answer = match session.lines(sql.trim().trim_end_matches(';')).await {
            Ok(lines) => lines.join(" "),
            Err(err) => err.to_string(),
        };
        checks.push(Check {
            sql: sql.clone(),
            passed: answer == "t",
            answer,
        });
    }
    Ok(checks)
}

/// Asks them before a database takes the place of the live one.
pub(super) async fn right(
    server: &Server,
    name: &str,
    job: &Job,
    say: Say<'_>,
) -> Result<(), String> {
    let checks = ask(server, name, job)
        .await
        .map_err(|err| err.to_string())?;
    for check in &checks {
        let word = if check.passed { "right" } else { "WRONG" };
        say(format!("{word:<7} {} is {}", check.sql, check.answer));
    }
    match checks.iter().find(|check| !check.passed) {
        Some(check) => Err(format!("{} is {}", check.sql, check.answer)),
        None => Ok(()),
    }
}
