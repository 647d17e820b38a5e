//! `GET` and `POST /alerts`.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::Failure;
use super::body::{self, Time, required};
use super::pieces::{self, BYTES, LOOKS, List};
use super::query::Query;
use crate::Handle;
use crate::json;
use crate::matcher::{self, Matcher, Op};
use crate::pairs::{Pairs, Text};
use crate::state::{Incoming, OfReceiver, Seen, Wanted};

/// Bytes of alerts that are taken at a time.
const BODY: usize = 32 << 20;

/// An alert as it is posted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    starts_at: Option<Time>,
    ends_at: Option<Time>,
    #[serde(borrow, rename = "generatorURL")]
    generator_url: Option<Text<'a>>,
}

pub(super) async fn post(handle: &Handle, request: Request) -> Result<Response, Failure> {
    let alerts = {
        let bytes = body::bytes(request, "alerts", BODY).await?;
        let posted: Vec<Posted<'_>> = body::parse(&bytes, "alerts")?;
        let checked = posted.into_iter().enumerate();
        let checked = checked.map(|(at, posted)| posted.check(at));
        checked.collect::<Result<_, _>>()?
    };
    let refusals = handle.take(alerts).await?;
    if refusals.is_empty() {
        return Ok(StatusCode::OK.into_response());
    }
    let texts: Vec<String> = refusals.into_iter().map(|it| it.message).collect();
    Err(Failure::Bad(texts.join("\n")))
}

impl Posted<'_> {
    fn check(self, at: usize) -> Result<Incoming, Failure> {
        let generator_url = self.generator_url.map_or(Cow::Borrowed(""), |it| it.0);
        if !(generator_url.is_empty() || is_uri(&generator_url)) {
            return Err(Failure::Invalid {
                code: 601,
                message: format!(
                    "{at}.generatorURL in body must be of type uri: {generator_url:?}"
                ),
            });
        }
        let time = |time: Option<Time>| time.and_then(|Time(time)| time);
        Ok(Incoming {
            labels: self
                .labels
                .ok_or_else(|| required(&format!("{at}.labels")))?,
            annotations: self.annotations.unwrap_or_default(),
            starts_ms: time(self.starts_at),
            ends_ms: time(self.ends_at),
            generator_url: generator_url.into(),
        })
    }
}

/// Whether it is a path or begins with a scheme.
fn is_uri(text: &str) -> bool {
    if text
        .chars()
        .any(|letter| letter.is_control() || letter == ' ')
    {
        return false;
    }
    let scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || b"+-.".contains(&letter))
    };
    text.starts_with('/') || text.split_once(':').is_some_and(|(start, _)| scheme(start))
}

pub(super) async fn list(
    handle: &Handle,
    query: &Query,
    turn: OwnedSemaphorePermit,
) -> Result<Response, Failure> {
    let list = Alerts {
        handle: handle.clone(),
        wanted: Some(wanted(query)?),
        after: None,
        begun: false,
    };
    pieces::send(list, turn).await
}

/// What the parameters ask for.
pub(super) fn wanted(query: &Query) -> Result<Wanted, Failure> {
    let filter = query.matchers("filter")?;
    let pattern = query
        .text("receiver")
        .map(matcher::anchored)
        .transpose()
        .map_err(|err| Failure::Bad(format!("failed to parse receiver param: {err}")))?;
    let owners = query.matchers("receiver_matchers")?;
    let any_receiver = pattern.is_none() && owners.is_empty();
    Ok(Wanted {
        labels: Box::new(move |labels| filter.iter().all(|it| passes(it, labels))),
        receiver: (!any_receiver).then(|| {
            let receiver = move |receiver: &crate::plan::Receiver| {
                let named = pattern
                    .as_ref()
                    .is_none_or(|it| it.is_match(&receiver.name));
                named && matcher::all_match(&owners, &receiver.labels)
            };
            Box::new(receiver) as OfReceiver
        }),
        active: query.on("active"),
        silenced: query.on("silenced"),
        inhibited: query.on("inhibited"),
    })
}

/// A filter is a matcher, but that an empty value asks whether the label is
/// there.
fn passes(filter: &Matcher, labels: &Pairs) -> bool {
    let positive = matches!(filter.op, Op::Equal | Op::Regex);
    let there = labels.get(&filter.name).is_some();
    filter.value.is_empty() && positive != there || filter.matches(labels)
}

struct Alerts {
    handle: Handle,
    /// Lent to the alerter while it looks.
    wanted: Option<Wanted>,
    after: Option<u64>,
    begun: bool,
}

impl List for Alerts {
    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let Some(wanted) = self.wanted.take() else {
            return Ok(false);
        };
        let (after, mut begun) = (self.after, self.begun);
        let mut piece = std::mem::take(out);
        let (piece, after, wanted, begun) = self
            .handle
            .ask(move |glance| {
                if piece.is_empty() && after.is_none() {
                    piece.push(b'[');
                }
                let alerter = glance.alerter;
                let after = alerter.list(after, LOOKS, &wanted, glance.now_ms, |seen| {
                    if begun {
                        piece.push(b',');
                    }
                    begun = true;
                    write(&mut piece, seen, &[]);
                    piece.len() < BYTES
                });
                (piece, after, wanted, begun)
            })
            .await?;
        *out = piece;
        (self.after, self.begun) = (after, begun);
        if after.is_none() {
            out.push(b']');
            return Ok(false);
        }
        self.wanted = Some(wanted);
        Ok(true)
    }
}

/// Writes an alert. `muted_by` names the time intervals that mute its group.
pub(super) fn write(out: &mut Vec<u8>, seen: &Seen<'_>, muted_by: &[&str]) {
    out.push(b'{');
    json::key(out, "annotations");
    json::pairs(out, seen.annotations);
    json::key(out, "endsAt");
    json::time(out, seen.ends_ms);
    json::key(out, "fingerprint");
    json::text(out, &format!("{:016x}", seen.fingerprint));
    json::key(out, "receivers");
    json::list(out, seen.receivers(), |out, receiver| {
        name(out, &receiver.name);
    });
    json::key(out, "startsAt");
    json::time(out, seen.starts_ms);
    json::key(out, "status");
    status(out, seen, muted_by);
    json::key(out, "updatedAt");
    json::time(out, seen.updated_ms);
    if !seen.generator_url.is_empty() {
        json::key(out, "generatorURL");
        json::text(out, seen.generator_url);
    }
    json::key(out, "labels");
    json::pairs(out, seen.labels);
    out.push(b'}');
}

/// Writes a receiver that has only its name.
pub(super) fn name(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    json::key(out, "name");
    json::text(out, name);
    out.push(b'}');
}

fn status(out: &mut Vec<u8>, seen: &Seen<'_>, muted_by: &[&str]) {
    let muted = seen.inhibited_by.is_some() || !seen.silenced_by.is_empty() || !muted_by.is_empty();
    out.push(b'{');
    json::key(out, "inhibitedBy");
    json::list(out, seen.inhibited_by, |out, by| {
        json::text(out, &format!("{by:016x}"));
    });
    json::key(out, "mutedBy");
    json::list(out, muted_by, |out, name| json::text(out, name));
    json::key(out, "silencedBy");
    json::list(out, &seen.silenced_by, |out, id| {
        json::text(out, &id.to_string());
    });
    json::key(out, "state");
    json::text(out, if muted { "suppressed" } else { "active" });
    out.push(b'}');
}
