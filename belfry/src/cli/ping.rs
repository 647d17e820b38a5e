//! `belfry ping`: tells a heartbeat that its job ran; runs the job, if asked to,
//! and passes on its output and its exit code, whatever becomes of the ping.

mod command;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::StatusCode;

use super::{Place, client, offline};
use crate::app;
use crate::exit::{self, Exit};
use crate::out;
use crate::state;

/// One ping is tried within this.
const PATIENCE: Duration = Duration::from_secs(5);
/// The end of a job is worth more tries: a Belfry that is being restarted is back soon.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(20),
];

/// What to tell, to whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  belfry ping nightly-backup                      it ran
  belfry ping nightly-backup --fail               it failed
  belfry ping nightly-backup -- pg_dumpall -f x   run it, time it, tell its end

With a command the exit code is that of the command.")]
pub(super) struct Ping {
    /// The heartbeat; also KEY/NAME or a UUID, as Healthchecks has them
    name: String,
    /// Tell that the job begins
    #[arg(long, conflicts_with_all = ["fail", "log", "exit_code", "command"])]
    start: bool,
    /// Tell that the job failed
    #[arg(long, conflicts_with_all = ["log", "exit_code", "command"])]
    fail: bool,
    /// Tell something without saying how the job is
    #[arg(long, conflicts_with_all = ["exit_code", "command"])]
    log: bool,
    /// Tell with which code the job ended
    #[arg(long, value_name = "CODE", conflicts_with = "command")]
    exit_code: Option<u8>,
    /// A text to keep with it
    #[arg(long, short, value_name = "TEXT", conflicts_with = "command")]
    message: Option<String>,
    /// Where Belfry is reached [default: the one of the data folder]
    #[arg(long, value_name = "URL", env = "BELFRY_URL")]
    url: Option<String>,
    /// The file that holds the token; BELFRY_PING_TOKEN may hold it instead
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The job to run
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Does it.
pub(super) fn run(place: &Place, ping: &Ping) -> Result<Exit, Exit> {
    offline::wait(tell(place, ping))?
}

async fn tell(place: &Place, ping: &Ping) -> Result<Exit, Exit> {
    let to = Recipient::find(place, ping);
    let Some((program, arguments)) = ping.command.split_first() else {
        let action = match (ping.start, ping.fail, ping.log, ping.exit_code) {
            (true, ..) => "/start".to_owned(),
            (_, true, ..) => "/fail".to_owned(),
            (_, _, true, _) => "/log".to_owned(),
            (.., Some(code)) => format!("/{code}"),
            _ => String::new(),
        };
        let body = ping.message.clone().unwrap_or_default().into_bytes();
        let told = match &to {
            Ok(to) => to.tell(&action, body, &[]).await,
            Err(err) => Err(err.clone()),
        };
        return match told {
            Ok(()) => Ok(exit::OK),
            Err(err) => {
                out::error(format_args!("belfry: {err}"));
                Err(exit::CRITICAL)
            }
        };
    };
    // A job that nobody can be told of runs all the same.
    let run = format!("rid={:x}-{:x}", std::process::id(), now_nanos());
    let said = |told: Result<(), String>| {
        if let Err(err) = told {
            out::error(format_args!("belfry: the heartbeat was not told: {err}"));
        }
    };
    match &to {
        Ok(to) => said(to.tell(&format!("/start?{run}"), Vec::new(), &[]).await),
        Err(err) => said(Err(err.clone())),
    }
    let ended = command::run(program, arguments).await;
    if let Ok(to) = &to {
        let action = format!("/{}?{run}", ended.code);
        said(to.tell(&action, ended.output, &PAUSES).await);
    }
    Ok(Exit::of(ended.code))
}

fn now_nanos() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_nanos()
}

/// Where pings go.
struct Recipient {
    base: String,
    name: String,
    token: settings::Secret,
    client: reqwest::Client,
}

impl Recipient {
    fn find(place: &Place, ping: &Ping) -> Result<Self, String> {
        let (base, client) = match &ping.url {
            Some(url) => (
                url.trim_end_matches('/').to_owned(),
                client::anywhere(PATIENCE),
            ),
            None => (local(place)?, client::here(PATIENCE)),
        };
        Ok(Self {
            base,
            name: ping.name.clone(),
            token: token(ping.token_file.as_deref())?,
            client: client.map_err(|err| err.to_string())?,
        })
    }

    /// Tells; what is not refused but does not get through is tried again after each pause.
    async fn tell(&self, action: &str, body: Vec<u8>, pauses: &[Duration]) -> Result<(), String> {
        let url = format!("{}/ping/{}{action}", self.base, self.name);
        let mut pauses = pauses.iter();
        loop {
            let mut request = self.client.post(&url).body(body.clone());
            if !self.token.is_empty() {
                request = request.bearer_auth(self.token.expose());
            }
            let failure = match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let status = answer.status();
                    let said = answer.text().await.unwrap_or_default();
                    let line: String = said.chars().take(200).collect();
                    let failure = format!("refused with {status}: {}", line.trim());
                    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        return Err(failure);
                    }
                    failure
                }
                // The address may hold a secret: it stays out.
                Err(err) => format!(
                    "belfry does not answer: {:#}",
                    anyhow::Error::from(err.without_url())
                ),
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(failure),
            }
        }
    }
}

/// The Belfry of the data folder.
pub(super) fn local(place: &Place) -> Result<String, String> {
    let config = offline::glance(place).map_err(|_| "name Belfry with --url".to_owned())?;
    let data = app::data_folder(&config);
    let address = Some(&data)
        .filter(|data| state::in_use(data))
        .and_then(|data| state::read_address(data));
    match address {
        Some(address) => Ok(format!("http://{address}")),
        None => Err(format!(
            "no belfry runs on the data folder {}; name one elsewhere with --url",
            data.display()
        )),
    }
}

fn token(file: Option<&Path>) -> Result<settings::Secret, String> {
    let text = match file {
        Some(file) => settings::read_file(file, 64 << 10)
            .map_err(|err| format!("cannot read the token's file: {err}"))?,
        None => std::env::var("BELFRY_PING_TOKEN").unwrap_or_default(),
    };
    Ok(settings::Secret::new(text.trim_end()))
}
