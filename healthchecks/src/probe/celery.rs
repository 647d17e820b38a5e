//! The prober `celery`: a canary task goes into a queue, and a worker must take
//! it and end it. Its result, or the event of its end, comes back through Redis.
//! What nobody took is taken back, and stale canaries expire by themselves.

mod answer;
mod task;
mod told;

use std::time::Duration;

use tokio::time::Instant;

use super::module::{Celery, Protocol};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::talk::Talk;
use super::tls;

const PHASES: &str = "belfry_probe_steps_seconds";
/// Time that is kept for tidying up.
const TIDY: Duration = Duration::from_secs(1);

/// Sends a canary through the broker `target`, host and port.
pub(super) async fn probe(
    target: &str,
    celery: &Celery,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    samples.set("belfry_probe_celery_ready", 0.0);
    let bare = target.split_once("://").map_or(target, |(_, rest)| rest);
    let (host, port) = host_and_port(bare, Some(6379))?;
    let began = Instant::now();
    let wanted = Wanted {
        first: Protocol::Ip4,
        fallback: true,
    };
    let found = addresses(&host, wanted, deadline, samples).await?;
    let left = deadline.saturating_duration_since(Instant::now());
    let until = deadline - TIDY.min(left / 4);
    let mut pair = Vec::new();
    // One to speak, and one that only listens.
    for until in [deadline, until] {
        let mut stream: Stream = connect(&found, port, None, until, samples).await?;
        if celery.tls {
            (stream, _) =
                tls::secure(stream, &host, &celery.tls_config, &[], until, samples).await?;
        }
        let mut talk = Talk::new(stream, until);
        log_in(&mut talk, celery).await?;
        pair.push(talk);
    }
    let (Some(mut listener), Some(mut speaker)) = (pair.pop(), pair.pop()) else {
        return Err(Failure::new(Reason::Internal, "there is no connection"));
    };
    samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());

    let id = task::id()?;
    let message = task::message(&id, celery);
    let events = format!("/{}.celeryev/task.*", celery.database);
    let result = format!("celery-task-meta-{id}");
    for (word, channel) in [("SUBSCRIBE", &result), ("PSUBSCRIBE", &events)] {
        listener.send(&task::words(&[word, channel])).await?;
        answer::message(&mut listener).await?;
    }
    let database = celery.database.to_string();
    ask(&mut speaker, &["SELECT", &database]).await?;
    let began = Instant::now();
    ask(&mut speaker, &["LPUSH", &celery.queue, &message]).await?;
    let ended = answer::wait(&mut listener, &id).await;
    samples.phase(PHASES, "round_trip", began.elapsed().as_secs_f64());
    let untaken = tidy(&mut speaker, celery, &message, &result).await;
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(Failure::new(Reason::TaskFailed, why)),
        Err(failure) if timed_out(failure.reason) => {
            let (reason, why) = match untaken {
                Some(true) => {
                    let why = format!("no worker takes tasks from {}", celery.queue);
                    (Reason::NoReply, why)
                }
                Some(false) => (
                    Reason::Timeout,
                    "a worker took the task, and did not end it in time".into(),
                ),
                None => (
                    Reason::Timeout,
                    "the task did not end in time, and the broker does not say whether a worker took it"
                        .into(),
                ),
            };
            return Err(Failure::new(reason, why));
        }
        Err(failure) => return Err(failure),
    }
    samples.set("belfry_probe_celery_ready", 1.0);
    Ok(())
}

/// Whether bytes tell of the end of the task `a`.
pub(super) fn ends(bytes: &[u8]) -> bool {
    told::end(bytes, "a").is_some()
}

fn timed_out(reason: Reason) -> bool {
    matches!(reason, Reason::FirstByteTimeout | Reason::BodyTimeout)
}

/// Says who we are.
async fn log_in(talk: &mut Talk, celery: &Celery) -> Step<()> {
    if celery.password.is_empty() {
        return Ok(());
    }
    let password = celery.password.expose();
    let mut words = vec!["AUTH"];
    words.extend((!celery.user.is_empty()).then_some(celery.user.as_str()));
    words.push(password);
    ask(talk, &words).await.map(drop)
}

/// Asks Redis for one thing; the answer is a line.
async fn ask(talk: &mut Talk, words: &[&str]) -> Step<String> {
    talk.send(&task::words(words)).await?;
    let line = String::from_utf8_lossy(&talk.line().await?).into_owned();
    match line.as_bytes().first() {
        Some(b'+' | b':') => Ok(line),
        _ => Err(super::server::redis_refusal(line.as_bytes())),
    }
}

/// Leaves nothing behind. Says whether the task still was in the queue, if the broker
/// does.
async fn tidy(talk: &mut Talk, celery: &Celery, message: &str, result: &str) -> Option<bool> {
    let removed = ask(talk, &["LREM", &celery.queue, "1", message]).await;
    // A result that stays is forgotten by Celery itself, a day later.
    let results = celery.result_database.unwrap_or(celery.database);
    if ask(talk, &["SELECT", &results.to_string()]).await.is_ok() {
        let _ = ask(talk, &["DEL", result]).await;
    }
    removed.ok().map(|removed| removed == ":1")
}
