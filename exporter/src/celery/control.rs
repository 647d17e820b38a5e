//! Questions to all workers at once, over kombu's mailboxes: each worker hears
//! them on a channel and puts its answers into a list of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::event;
use super::names::Names;
use super::workers::Told;
use crate::redis::client::{Failure, Link};

/// What is asked; the place is the ticket.
pub(super) const QUESTIONS: [&str; 4] = ["stats", "active_queues", "reserved", "scheduled"];
/// Workers that are busy answer late, or not at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Questions that were not heard by then are void, in seconds.
const EXPIRES: f64 = 10.0;
/// The exchange for answers.
const REPLIES: &str = "reply.celery.pidbox";

/// Tells all workers to send events of their tasks. Needs no answer.
pub(super) async fn enable_events(link: &mut Link, names: &Names, now: f64) -> Result<(), Failure> {
    let message = question("enable_events", None, now);
    let channel = names.questions();
    link.call(&[vec!["PUBLISH", &channel, &message]]).await?;
    Ok(())
}

/// Asks all workers, and returns what those say who answer in time. Does not
/// wait any longer when as many as `expected` have answered everything.
pub(super) async fn ask(
    link: &mut Link,
    names: &Names,
    expected: usize,
    now: f64,
) -> Result<BTreeMap<String, Told>, Failure> {
    let (asker, entry) = names.asker();
    let (bindings, answers) = (names.bindings(REPLIES), names.answers());
    let channel = names.questions();
    let messages: Vec<String> = QUESTIONS
        .iter()
        .enumerate()
        .map(|(at, method)| question(method, Some((asker, at)), now))
        .collect();
    let mut calls = vec![vec!["SADD", bindings.as_str(), entry.as_str()]];
    let publish = |message| vec!["PUBLISH", channel.as_str(), message];
    calls.extend(messages.iter().map(|message| publish(message.as_str())));
    link.call(&calls).await?;

    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let mut heard = 0;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && (expected == 0 || heard < expected * QUESTIONS.len()) {
        let pop = vec!["BRPOP", answers.as_str(), "1"];
        // The server waits for a second at most; we a little longer.
        let late = until + PATIENCE;
        let answer = match timeout_at(late, link.call(&[pop])).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Failure::Late),
        };
        let Some([_, message]) = answer.first().map(|answer| answer.list()) else {
            continue;
        };
        let Some((at, answers)) = message.text().and_then(|text| reply(&text)) else {
            continue;
        };
        for (node, answer) in answers {
            heard += 1;
            told.entry(node).or_default().learn(QUESTIONS[at], &answer);
        }
    }
    // Nothing of ours stays behind.
    let calls = [
        vec!["SREM", bindings.as_str(), entry.as_str()],
        vec!["DEL", answers.as_str()],
    ];
    link.call(&calls).await?;
    Ok(told)
}

/// A question to all workers, without an envelope.
pub(super) fn bare(method: &str) -> Value {
    json!({
        "method": method, "arguments": {}, "destination": null, "pattern": null, "matcher": null,
    })
}

fn question(method: &str, reply_to: Option<(&str, usize)>, now: f64) -> String {
    let mut body = bare(method);
    if let Some((asker, ticket)) = reply_to {
        body["ticket"] = json!(format!("{asker}-{ticket}"));
        body["reply_to"] = json!({ "exchange": REPLIES, "routing_key": asker });
    }
    json!({
        "body": BASE64.encode(body.to_string().as_bytes()),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": { "clock": 1, "expires": now + EXPIRES },
        "properties": {
            "body_encoding": "base64", "delivery_mode": 1, "priority": 0,
            "delivery_info": { "exchange": "celery.pidbox", "routing_key": "" },
            "delivery_tag": format!("{method}-{now}"),
        },
    })
    .to_string()
}

/// Which question is answered, and what each node says.
fn reply(message: &str) -> Option<(usize, Vec<(String, Value)>)> {
    let envelope: Value = serde_json::from_str(message).ok()?;
    let ticket = envelope.pointer("/headers/ticket")?.as_str()?;
    let (_, at) = ticket.rsplit_once('-')?;
    let at = at.parse().ok().filter(|at| *at < QUESTIONS.len())?;
    let Value::Object(answers) = event::open(message)? else {
        return None;
    };
    Some((at, answers.into_iter().collect()))
}

/// Reads a text as what workers answer, for those who throw any at it.
pub(super) fn any(text: &str) -> Vec<(String, Told)> {
    let (at, said) = reply(text).unwrap_or_default();
    let learn = |(node, said): (String, Value)| {
        let mut told = Told::default();
        told.learn(QUESTIONS[at], &said);
        (node, told)
    };
    said.into_iter().map(learn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_an_envelope_and_an_answer_finds_its_question() {
        let asked = question("stats", Some(("me", 0)), 5.0);
        let body = event::open(&asked).unwrap();
        assert_eq!(body["method"], "stats");
        assert_eq!(body["reply_to"]["routing_key"], "me");
        let answer = |ticket: &str, body: &str| {
            let body = BASE64.encode(body.as_bytes());
            format!(
                "{{\"headers\":{{\"ticket\":\"{ticket}\"}},\"body\":\"{body}\",\"properties\":{{\"body_encoding\":\"base64\"}}}}"
            )
        };
        let (at, said) = reply(&answer("me-2", "{\"celery@a\":[]}")).unwrap();
        assert_eq!((at, said[0].0.as_str()), (2, "celery@a"));
        assert!(reply(&answer("me-9", "{}")).is_none());
        assert!(reply(&answer("me-1", "[]")).is_none());
        assert!(reply("nonsense").is_none());
    }
}
