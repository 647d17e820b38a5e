//! Talks to the engine: one stream of events, a listing now and then, and an
//! inspection of what an event touched.
//!
//! Every call has a deadline. When one is missed, or the stream ends, the
//! connection is given up and made anew after a pause that grows; the
//! inventory stays as it was last good.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::{Duration, Instant};

use bollard::errors::Error as EngineError;
use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::EventsOptions;
use bollard::{ClientVersion, Docker};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use settings::Secret;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::inventory::Question;
use super::raw::{self, Fault};
use super::{Shared, TIME_OUT, answers, at_socket, now_ms, translate};
use crate::tallies::lock;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that held for so long was good; the next pause is short again.
const GOOD: Duration = Duration::from_secs(60);
const INSPECTIONS_AT_ONCE: usize = 4;
/// What the stream is asked for, of containers and of networks; health checks alone make
/// many events more.
const ACTIONS: [&str; 12] = [
    "create",
    "start",
    "die",
    "oom",
    "pause",
    "unpause",
    "rename",
    "destroy",
    "update",
    "health_status",
    "connect",
    "disconnect",
];

/// Why a connection to the engine was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// There is no socket, or nobody behind it.
    #[error("there is no engine: {0}")]
    Missing(#[source] EngineError),
    #[error("the engine did not answer {0} in time")]
    Hung(&'static str),
    #[error("the engine failed to answer {0}: {1}")]
    Failed(&'static str, #[source] EngineError),
    #[error("the engine failed to answer {0}: {1}")]
    Refused(&'static str, #[source] Fault),
    #[error("the engine ended the stream of events")]
    Ended,
}

/// What came back of a call.
enum Answer {
    Listing(u64, Result<Vec<ContainerSummary>, Trouble>),
    Inspection(Question, Box<Result<ContainerInspectResponse, Trouble>>),
    Image(String, Result<Option<Vec<String>>, Trouble>),
    Ping(Result<Duration, Trouble>),
}

/// Connects and listens until told to stop.
pub(super) async fn run(shared: &Shared, stop: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let trouble = tokio::select! {
            () = stop.cancelled() => return,
            trouble = session(shared) => trouble,
        };
        shared.lost(&trouble, now_ms());
        if begun.elapsed() >= GOOD {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(jittered(pause)) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half of a pause and all of it, so that the watchers of one engine
/// do not come back together.
fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0) as u32;
    pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// One connection, for as long as it is good.
async fn session(shared: &Shared) -> Trouble {
    match connect(shared).await {
        Ok(docker) => match listen(shared, &docker).await {
            Ok(never) => match never {},
            Err(trouble) => trouble,
        },
        Err(trouble) => trouble,
    }
}

async fn connect(shared: &Shared) -> Result<Docker, Trouble> {
    let docker = at_socket(&shared.socket)().map_err(Trouble::Missing)?;
    let begun = Instant::now();
    let version = within(shared, "its version", docker.version()).await?;
    let latency = begun.elapsed();
    // Asked once: Podman starts programs to answer it.
    let docker = at_version(shared, version.api_version.as_deref().unwrap_or_default())?;
    shared.reached(
        version.version.unwrap_or_default(),
        docker.client_version().to_string(),
        latency,
        now_ms(),
    );
    Ok(docker)
}

/// The newest version of the interface that both sides speak, of the engine's newest.
fn spoken(newest: &str) -> Option<ClientVersion> {
    let (major, minor) = newest.split_once('.')?;
    let theirs = (major.parse().ok()?, minor.parse().ok()?);
    let ours = bollard::API_DEFAULT_VERSION;
    let (major_version, minor_version) = theirs.min((ours.major_version, ours.minor_version));
    Some(ClientVersion {
        major_version,
        minor_version,
    })
}

/// A client in the version that both sides speak, of the engine's newest.
fn at_version(shared: &Shared, newest: &str) -> Result<Docker, Trouble> {
    let senseless = || Trouble::Failed("its version", EngineError::APIVersionParseError {});
    let version = spoken(newest).ok_or_else(senseless)?;
    let socket = shared.socket.display().to_string();
    Docker::connect_with_unix(&socket, TIME_OUT, &version).map_err(Trouble::Missing)
}

/// Gives up a call at its deadline.
async fn within<T>(
    shared: &Shared,
    what: &'static str,
    call: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(shared.deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(EngineError::RequestTimeoutError)) | Err(_) => Err(Trouble::Hung(what)),
        Ok(Err(err)) if is_missing(&err) => Err(Trouble::Missing(err)),
        Ok(Err(err)) => Err(Trouble::Failed(what, err)),
    }
}

fn is_missing(err: &EngineError) -> bool {
    match err {
        EngineError::SocketNotFoundError(_) => true,
        EngineError::HyperLegacyError { err } => err.is_connect(),
        _ => false,
    }
}

async fn listen(shared: &Shared, docker: &Docker) -> Result<std::convert::Infallible, Trouble> {
    // What happens between this moment and the stream's begin is repeated to
    // us; hearing of it twice does no harm.
    let since = now_ms() / 1000;
    shared.inventory().doubt();
    let filters = HashMap::from([
        (
            "type".to_owned(),
            ["container", "network"].map(str::to_owned).to_vec(),
        ),
        ("event".to_owned(), ACTIONS.map(str::to_owned).to_vec()),
    ]);
    let options = EventsOptions {
        since: Some(since.to_string()),
        until: None,
        filters: Some(filters),
    };
    let mut events = pin!(docker.events(Some(options)));
    let mut calls: FuturesUnordered<BoxFuture<'_, Answer>> = FuturesUnordered::new();
    let mut inspections = 0;
    let mut image_asked = None;
    let mut digests = BTreeMap::new();
    let mut listings = ticks(shared.relist);
    let mut pings = ticks(shared.ping);
    loop {
        while inspections < INSPECTIONS_AT_ONCE
            && let Some(question) = shared.inventory().next_question()
        {
            inspections += 1;
            calls.push(Box::pin(inspect(shared, docker, question)));
        }
        if image_asked.is_none()
            && let Some(image) = shared.inventory().image_without_digest(&digests)
        {
            image_asked = Some(image.clone());
            calls.push(Box::pin(inspect_image(shared, docker, image)));
        }
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    let changed = shared.inventory().heard(event);
                    shared.told(changed);
                }
                Some(Err(err)) => return Err(Trouble::Failed("with events", err)),
                None => return Err(Trouble::Ended),
            },
            Some(answer) = calls.next(), if !calls.is_empty() => match answer {
                Answer::Listing(asked, rows) => {
                    let changed = shared.inventory().listed(rows?, asked);
                    shared.listed(now_ms());
                    shared.told(changed);
                }
                Answer::Inspection(question, answer) => {
                    inspections -= 1;
                    let changed = inspected(shared, &question, *answer)?;
                    let named = shared.inventory().digests(&digests);
                    shared.told(changed || named);
                }
                Answer::Image(image, names) => {
                    image_asked = None;
                    digests.insert(image, translate::digest(&names?.unwrap_or_default()));
                    let changed = shared.inventory().digests(&digests);
                    shared.told(changed);
                }
                Answer::Ping(took) => shared.answered(took?),
            },
            _ = listings.tick() => calls.push(Box::pin(list(shared, docker))),
            _ = pings.tick() => calls.push(Box::pin(ping(shared, docker))),
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn list(shared: &Shared, docker: &Docker) -> Answer {
    let asked = shared.inventory().listing();
    let read = |body: Vec<u8>| answers::listing(&body);
    let rows = plainly(
        shared,
        docker,
        "the listing",
        "/containers/json?all=1",
        read,
    )
    .await;
    Answer::Listing(asked, rows)
}

/// Asks over a connection of its own, and reads what can be understood.
async fn plainly<T>(
    shared: &Shared,
    docker: &Docker,
    what: &'static str,
    path: &str,
    read: impl FnOnce(Vec<u8>) -> Result<T, serde_json::Error>,
) -> Result<T, Trouble> {
    let version = docker.client_version().to_string();
    let call = raw::get(&shared.socket, &version, path);
    match tokio::time::timeout(shared.deadline, call).await {
        Err(_) => Err(Trouble::Hung(what)),
        Ok(answer) => answer
            .and_then(|body| Ok(read(body)?))
            .map_err(|fault| Trouble::Refused(what, fault)),
    }
}

async fn inspect(shared: &Shared, docker: &Docker, question: Question) -> Answer {
    let path = format!("/containers/{}/json", question.id);
    let read = |body: Vec<u8>| answers::inspection(&body);
    let answer = plainly(shared, docker, "an inspection", &path, read).await;
    Answer::Inspection(question, Box::new(answer))
}

/// A client of its own, for a call that lasts, to an engine that was reached before.
pub(super) fn client(shared: &Shared) -> Result<Docker, Trouble> {
    let newest = lock(&shared.engine).api_version.clone();
    at_version(shared, &newest)
}

/// Some variables of a container's environment, over a connection of its own.
pub(super) async fn environment(
    shared: &Shared,
    id: &str,
    names: &[&str],
) -> Result<BTreeMap<String, Secret>, Trouble> {
    let docker = client(shared)?;
    let call = docker.inspect_container(id, None);
    let answer = within(shared, "an inspection", call).await?;
    let lines = answer.config.and_then(|config| config.env);
    let lines = lines.unwrap_or_default().into_iter();
    let pairs = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let wanted = names.contains(&name) && !value.is_empty();
        wanted.then(|| (name.to_owned(), Secret::new(value)))
    });
    Ok(pairs.collect())
}

/// Takes over an inspection. Only a hanging engine is a reason to give up the
/// connection; a container may have gone, or may be one that it cannot show.
fn inspected(
    shared: &Shared,
    question: &Question,
    answer: Result<ContainerInspectResponse, Trouble>,
) -> Result<bool, Trouble> {
    match answer {
        Ok(answer) => Ok(shared.inventory().inspected(question, answer)),
        Err(Trouble::Refused(_, Fault::Status(404))) => Ok(shared.inventory().vanished(question)),
        Err(Trouble::Refused(_, err @ (Fault::Status(_) | Fault::Senseless(_)))) => {
            tracing::debug!(container = question.id, "cannot inspect a container: {err}");
            Ok(false)
        }
        Err(trouble) => Err(trouble),
    }
}

async fn inspect_image(shared: &Shared, docker: &Docker, image: String) -> Answer {
    let names = match within(shared, "an image", docker.inspect_image(&image)).await {
        Ok(answer) => Ok(answer.repo_digests),
        // An image may have been removed under its container.
        Err(Trouble::Failed(..)) => Ok(None),
        Err(trouble) => Err(trouble),
    };
    Answer::Image(image, names)
}

async fn ping(shared: &Shared, docker: &Docker) -> Answer {
    let begun = Instant::now();
    let answer = within(shared, "a ping", docker.ping()).await;
    Answer::Ping(answer.map(|_| begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_sides_speak_is_spoken() {
        let ours = bollard::API_DEFAULT_VERSION.to_string();
        for (theirs, want) in [
            ("1.41", Some("1.41")),
            ("1.9", Some("1.9")),
            ("1.999", Some(&*ours)),
            ("2.0", Some(&*ours)),
            ("", None),
            ("1", None),
            ("1.x", None),
        ] {
            let spoken = spoken(theirs).map(|version| version.to_string());
            assert_eq!(spoken.as_deref(), want, "{theirs}");
        }
    }
}
