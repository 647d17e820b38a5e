//! `belfry bounce`: takes a mail that came back from the mail server that hands it over,
//! and lays it to the page that it was.
//!
//! The exit code is for that mail server: what may succeed later is tried again, and
//! nothing else.

use std::io::{self, Read as _};

use alerter::{Bounce, NoBounce};
use clap::Args;
use serde_json::Value;

use super::{Place, client, offline};
use crate::app;
use crate::exit::{self, Exit};
use crate::out;

/// What is no bounce of a mail of ours (`EX_DATAERR`).
const DATA: Exit = Exit::of(65);

/// Belfry cannot be reached, or could not store it (`EX_TEMPFAIL`).
const LATER: Exit = Exit::of(75);

/// Wrong arguments (`EX_USAGE`).
pub(super) const USAGE: Exit = Exit::of(64);

/// Of a longer mail the rest is passed over, and beyond this not even that, in bytes.
const LONGEST: u64 = 256 << 20;

/// Where it is told.
#[derive(Debug, Args)]
#[command(after_help = "\
In /etc/aliases of the host whose mail server gets what comes back:
  belfry-bounces: \"|/usr/local/bin/belfry bounce\"

Exit codes, as mail servers know them: 0 taken, 64 wrong arguments, 65 no bounce
of a mail that was sent from here, 75 Belfry cannot be reached: try again.")]
pub(super) struct Command {
    #[command(flatten)]
    there: client::There,
}

/// Reads it from standard input, and tells Belfry.
pub(super) fn run(place: &Place, command: &Command) -> Exit {
    let mail = match read() {
        Ok(mail) => mail,
        Err(err) => return refuse(LATER, &format!("cannot read the mail: {err}")),
    };
    let bounce = match Bounce::read(&mail) {
        Ok(bounce) => bounce,
        Err(NoBounce::Delivered) => {
            out::line(NoBounce::Delivered);
            return exit::OK;
        }
        Err(err) => return refuse(DATA, &err.to_string()),
    };
    let body = match serde_json::to_value(&bounce) {
        Ok(body) => body,
        Err(err) => return refuse(DATA, &err.to_string()),
    };
    let told = server(place, command).map(|server| {
        offline::wait(async move { server.post_for("/api/belfry/v1/bounce", &body).await })
    });
    match told {
        Ok(Ok(Ok((status, answer)))) => said(status, &answer),
        Ok(Ok(Err(err))) | Err(Some(err)) => {
            refuse(LATER, &format!("{:#}", anyhow::Error::from(err)))
        }
        // It has been told.
        Ok(Err(_)) | Err(None) => LATER,
    }
}

/// The Belfry that was named, or that of the data folder. Mail servers run this as a user
/// who may not look into that folder, so then it is where the configuration has it.
fn server(place: &Place, command: &Command) -> Result<client::Server, Option<client::Error>> {
    let there = &command.there;
    if let Some(url) = &there.url {
        return Ok(client::Server::at(url, there.ca_file.as_deref())?);
    }
    let config = offline::glance(place).map_err(|_| None)?;
    match client::Server::of(&app::data_folder(&config)) {
        Err(client::Error::NoAddress(_)) => Ok(client::Server::here(config.listen)?),
        found => Ok(found?),
    }
}

/// What was answered. Somebody else may answer in Belfry's place, who takes nothing.
fn said(status: u16, answer: &Value) -> Exit {
    if let Some(problem) = answer["error"].as_str() {
        let code = match (status, answer["stranger"].as_bool()) {
            (404, Some(true)) => DATA,
            _ => LATER,
        };
        return refuse(code, problem);
    }
    let Some(recipients) = answer["recipients"].as_array().filter(|_| status == 200) else {
        return refuse(LATER, &format!("the answer ({status}) is not Belfry's"));
    };
    for it in recipients {
        let word = |key: &str| it[key].as_str().unwrap_or_default();
        let known = match it["known"].as_bool() {
            Some(true) => ", as is known",
            _ => "",
        };
        out::line(format_args!(
            "{}: {}{known}: {}",
            word("to"),
            word("fate"),
            word("said")
        ));
    }
    exit::OK
}

fn refuse(code: Exit, why: &str) -> Exit {
    out::error(format_args!("belfry: {why}"));
    code
}

/// As much of the mail as is looked at. All of it is read, as some mail servers take a
/// closed pipe for a failure.
fn read() -> io::Result<Vec<u8>> {
    let mut input = io::stdin().lock();
    let mut mail = Vec::new();
    let most = u64::try_from(alerter::LONGEST_BOUNCE).unwrap_or(u64::MAX);
    input.by_ref().take(most).read_to_end(&mut mail)?;
    io::copy(&mut input.take(LONGEST), &mut io::sink())?;
    Ok(mail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_belfrys_own_answer_makes_a_mail_server_content() {
        let taken = r#"{"recipients": [{"to": "a@b", "fate": "failed", "said": ""}]}"#;
        let stranger = r#"{"error": "none of ours", "stranger": true}"#;
        for (status, answer, code) in [
            (200, taken, exit::OK),
            (404, stranger, DATA),
            (503, r#"{"error": "not stored", "stranger": false}"#, LATER),
            // Whoever stands in front of it.
            (200, r#"{"message": "welcome"}"#, LATER),
            (200, "[]", LATER),
            (401, r#"{"message": "who are you?"}"#, LATER),
            (404, r#"{"error": "no such page"}"#, LATER),
            (502, taken, LATER),
            (502, stranger, LATER),
        ] {
            let read = serde_json::from_str(answer).unwrap();
            assert_eq!(said(status, &read), code, "{status} {answer}");
        }
    }
}
