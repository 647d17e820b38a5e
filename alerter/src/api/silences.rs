//! `/silences` and `/silence/{id}`.

use alert::Set;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Failure};
use super::body::{self, Time, required};
use super::pieces::{self, BYTES, LOOKS, List};
use super::query::Query;
use crate::Handle;
use crate::json;
use crate::silence::{Id, Silence, SilenceDraft, SilenceError, SilenceMatcher, SilenceState};
use crate::state::Alerter;

/// Bytes of a silence that is posted.
const BODY: usize = 1 << 20;

impl From<SilenceError> for Failure {
    fn from(err: SilenceError) -> Self {
        let text = err.to_string();
        match err {
            SilenceError::NotFound => Self::Unknown(text),
            SilenceError::Refused(_) => Self::Bad(text),
            SilenceError::NotStored | SilenceError::Stopped => Self::Internal(text),
        }
    }
}

/// A silence as it is posted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    id: Option<String>,
    matchers: Option<Vec<PostedMatcher>>,
    starts_at: Option<Time>,
    ends_at: Option<Time>,
    created_by: Option<String>,
    comment: Option<String>,
    annotations: Option<Set>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedMatcher {
    name: Option<String>,
    value: Option<String>,
    is_regex: Option<bool>,
    is_equal: Option<bool>,
}

impl Posted {
    /// Whether everything is there; in the order in which Alertmanager looks.
    fn check(self) -> Result<SilenceDraft, Failure> {
        let comment = self.comment.ok_or_else(|| required("comment"))?;
        let created_by = self.created_by.ok_or_else(|| required("createdBy"))?;
        let Time(ends) = self.ends_at.ok_or_else(|| required("endsAt"))?;
        let posted = self.matchers.ok_or_else(|| required("matchers"))?;
        if posted.is_empty() {
            return Err(Failure::Invalid {
                code: 612,
                message: "matchers in body should have at least 1 items".into(),
            });
        }
        let mut matchers = Vec::with_capacity(posted.len());
        for (at, posted) in posted.into_iter().enumerate() {
            let absent = |name: &str| required(&format!("matchers.{at}.{name}"));
            matchers.push(SilenceMatcher {
                is_regex: posted.is_regex.ok_or_else(|| absent("isRegex"))?,
                name: posted.name.ok_or_else(|| absent("name"))?,
                value: posted.value.ok_or_else(|| absent("value"))?,
                is_equal: posted.is_equal.unwrap_or(true),
            });
        }
        let Time(starts) = self.starts_at.ok_or_else(|| required("startsAt"))?;
        Ok(SilenceDraft {
            id: self.id,
            matchers,
            starts_ms: starts.unwrap_or(i64::MIN),
            ends_ms: ends.unwrap_or(i64::MIN),
            created_by,
            comment,
            annotations: self.annotations.unwrap_or_default(),
        })
    }
}

pub(super) async fn set(handle: &Handle, request: Request) -> Result<Response, Failure> {
    let posted: Posted = body::read(request, "silence", BODY).await?;
    let draft = posted.check()?;
    let refused = |why: &str| Failure::Bad(format!("Failed to create silence: {why}"));
    if draft.starts_ms >= draft.ends_ms {
        return Err(refused("start time must be before end time"));
    }
    if draft.ends_ms < handle.now_ms() {
        return Err(refused("end time can't be in the past"));
    }
    let id = handle.silence(draft).await?;
    let mut out = b"{\"silenceID\":".to_vec();
    json::text(&mut out, &id);
    out.push(b'}');
    Ok(answer::done(out))
}

pub(super) async fn list(
    handle: &Handle,
    query: &Query,
    turn: OwnedSemaphorePermit,
) -> Result<Response, Failure> {
    let filter = query.matchers("filter")?;
    let wanted = Wanted {
        active: query.on("active"),
        pending: query.on("pending"),
        expired: query.on("expired"),
    };
    let (ids, at_ms) = handle
        .ask(move |glance| {
            let wanted = |state| wanted.has(state);
            let ids = glance.alerter.silence_order(&filter, wanted, glance.now_ms);
            (ids, glance.now_ms)
        })
        .await?;
    let cursor = Cursor {
        ids: ids.into_iter(),
        wanted,
        at_ms,
        first: true,
        begun: false,
    };
    let list = Silences {
        handle: handle.clone(),
        cursor: Some(cursor),
    };
    pieces::send(list, turn).await
}

/// The states of which silences are shown.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    active: bool,
    pending: bool,
    expired: bool,
}

impl Wanted {
    fn has(self, state: SilenceState) -> bool {
        match state {
            SilenceState::Active => self.active,
            SilenceState::Pending => self.pending,
            SilenceState::Expired => self.expired,
        }
    }
}

struct Silences {
    handle: Handle,
    /// Lent to the alerter while it looks; none after the end.
    cursor: Option<Cursor>,
}

impl List for Silences {
    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let Some(mut cursor) = self.cursor.take() else {
            return Ok(false);
        };
        let mut piece = std::mem::take(out);
        let (piece, cursor, more) = self
            .handle
            .ask(move |glance| {
                let more = cursor.write(&mut piece, glance.alerter);
                (piece, cursor, more)
            })
            .await?;
        *out = piece;
        if more {
            self.cursor = Some(cursor);
        }
        Ok(more)
    }
}

/// How far the list has come.
struct Cursor {
    ids: std::vec::IntoIter<Id>,
    wanted: Wanted,
    /// When the list began, in milliseconds since 1970: states are told as they were
    /// then, as they order it.
    at_ms: i64,
    /// Whether nothing was written yet.
    first: bool,
    /// Whether a silence was.
    begun: bool,
}

impl Cursor {
    /// Writes the next piece; false after the last. A silence that was forgotten
    /// meanwhile, or changed so that it is not wanted, is left out.
    fn write(&mut self, out: &mut Vec<u8>, alerter: &Alerter) -> bool {
        if std::mem::take(&mut self.first) {
            out.push(b'[');
        }
        for _ in 0..LOOKS {
            if out.len() >= BYTES {
                return true;
            }
            let Some(id) = self.ids.next() else {
                out.push(b']');
                return false;
            };
            let silence = alerter.silence_of(id, self.at_ms);
            let Some(silence) = silence.filter(|it| self.wanted.has(it.state)) else {
                continue;
            };
            if std::mem::replace(&mut self.begun, true) {
                out.push(b',');
            }
            write(out, &silence);
        }
        true
    }
}

pub(super) async fn one(handle: &Handle, id: &str) -> Result<Response, Failure> {
    let silence = handle.silence_of(read_id(id)?).await?;
    let mut out = Vec::new();
    write(&mut out, &silence.ok_or(Failure::Missing)?);
    Ok(answer::done(out))
}

pub(super) async fn end(handle: &Handle, id: &str) -> Result<Response, Failure> {
    let id = read_id(id)?.to_string();
    match handle.unsilence(&id).await {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(SilenceError::NotFound) => Err(Failure::Missing),
        Err(err) => Err(err.into()),
    }
}

fn read_id(text: &str) -> Result<Id, Failure> {
    Id::parse(text).ok_or_else(|| Failure::Invalid {
        code: 601,
        message: format!("silenceID in path must be of type uuid: {text:?}"),
    })
}

fn write(out: &mut Vec<u8>, silence: &Silence) {
    out.push(b'{');
    json::key(out, "id");
    json::text(out, &silence.id);
    json::key(out, "status");
    out.push(b'{');
    json::key(out, "state");
    json::text(out, silence.state.as_str());
    out.push(b'}');
    json::key(out, "updatedAt");
    json::time(out, silence.updated_ms);
    json::key(out, "annotations");
    json::set(out, &silence.annotations);
    json::key(out, "comment");
    json::text(out, &silence.comment);
    json::key(out, "createdBy");
    json::text(out, &silence.created_by);
    json::key(out, "endsAt");
    json::time(out, silence.ends_ms);
    json::key(out, "matchers");
    json::list(out, &silence.matchers, |out, matcher| {
        out.push(b'{');
        json::key(out, "isEqual");
        out.extend_from_slice(matcher.is_equal.to_string().as_bytes());
        json::key(out, "isRegex");
        out.extend_from_slice(matcher.is_regex.to_string().as_bytes());
        json::key(out, "name");
        json::text(out, &matcher.name);
        json::key(out, "value");
        json::text(out, &matcher.value);
        out.push(b'}');
    });
    json::key(out, "startsAt");
    json::time(out, silence.starts_ms);
    out.push(b'}');
}
