//! `GET /alerts/groups`.

use std::sync::Arc;

use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;

use super::alerts;
use super::answer::Failure;
use super::pieces::{self, BYTES, LOOKS, List};
use super::query::Query;
use crate::Handle;
use crate::config::Text;
use crate::json;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::state::{Alerter, GroupId, Wanted};

pub(super) async fn list(
    handle: &Handle,
    query: &Query,
    turn: OwnedSemaphorePermit,
) -> Result<Response, Failure> {
    let wanted = alerts::wanted(query)?;
    let (wanted, ids, plan) = handle
        .ask(move |glance| {
            let (ids, plan) = glance.alerter.group_order(&wanted);
            (wanted, ids, plan)
        })
        .await?;
    let cursor = Cursor {
        wanted,
        muted: query.on("muted"),
        groups: ids.into_iter(),
        plan,
        open: None,
        first: true,
        begun: false,
    };
    let list = Groups {
        handle: handle.clone(),
        cursor: Some(cursor),
    };
    pieces::send(list, turn).await
}

struct Groups {
    handle: Handle,
    /// Lent to the alerter while it looks; none after the end.
    cursor: Option<Cursor>,
}

impl List for Groups {
    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let Some(mut cursor) = self.cursor.take() else {
            return Ok(false);
        };
        let mut piece = std::mem::take(out);
        let (piece, cursor, result) = self
            .handle
            .ask(move |glance| {
                let result = cursor.write(&mut piece, glance.alerter, glance.now_ms);
                (piece, cursor, result)
            })
            .await?;
        *out = piece;
        let more = result?;
        if more {
            self.cursor = Some(cursor);
        }
        Ok(more)
    }
}

/// How far the list has come.
struct Cursor {
    wanted: Wanted,
    /// Whether groups that a time interval mutes are shown.
    muted: bool,
    groups: std::vec::IntoIter<GroupId>,
    /// By which the groups are named.
    plan: Arc<Plan>,
    open: Option<Open>,
    /// Whether nothing was written yet.
    first: bool,
    /// Whether a group was.
    begun: bool,
}

/// The group that is being written.
struct Open {
    id: GroupId,
    alerts: std::vec::IntoIter<u64>,
    /// Time intervals that mute it.
    muted_by: Vec<Arc<str>>,
    /// Whether its head and an alert are written.
    begun: bool,
}

impl Cursor {
    /// Writes the next piece; false after the last.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        alerter: &Alerter,
        now_ms: i64,
    ) -> Result<bool, Failure> {
        if std::mem::take(&mut self.first) {
            out.push(b'[');
        }
        for _ in 0..LOOKS {
            if out.len() >= BYTES {
                return Ok(true);
            }
            let Some(open) = &mut self.open else {
                if !self.open_next(alerter, now_ms)? {
                    out.push(b']');
                    return Ok(false);
                }
                continue;
            };
            let Some(fingerprint) = open.alerts.next() else {
                if open.begun {
                    close(out, alerter, open.id, &self.plan);
                }
                self.open = None;
                continue;
            };
            let Some(seen) = alerter.look_at(fingerprint, &self.wanted, now_ms) else {
                continue;
            };
            match (open.begun, self.begun) {
                (true, _) => out.push(b','),
                (false, true) => out.extend_from_slice(b",{\"alerts\":["),
                (false, false) => out.extend_from_slice(b"{\"alerts\":["),
            }
            (open.begun, self.begun) = (true, true);
            let muted_by: Vec<&str> = open.muted_by.iter().map(|name| &**name).collect();
            alerts::write(out, &seen, &muted_by);
        }
        Ok(true)
    }

    /// Goes to the next group that is still there; false after the last.
    fn open_next(&mut self, alerter: &Alerter, now_ms: i64) -> Result<bool, Failure> {
        if !alerter.goes_by(&self.plan) {
            let text = "the configuration changed while groups were listed";
            return Err(Failure::Internal(text.into()));
        }
        for id in self.groups.by_ref() {
            let muted_by = alerter.group_muted_by(id, now_ms);
            if !self.muted && !muted_by.is_empty() {
                continue;
            }
            if let Some(alerts) = alerter.members(id) {
                self.open = Some(Open {
                    id,
                    alerts: alerts.into_iter(),
                    muted_by,
                    begun: false,
                });
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Writes what stands behind a group's alerts. A group that vanished meanwhile,
/// or stands for another after a reload, is closed without its labels.
fn close(out: &mut Vec<u8>, alerter: &Alerter, id: GroupId, plan: &Arc<Plan>) {
    let labels = match alerter.goes_by(plan) {
        true => alerter.group_head(id),
        false => None,
    };
    out.extend_from_slice(b"],\"labels\":");
    json::pairs(out, labels.unwrap_or(&Pairs::default()));
    json::key(out, "receiver");
    alerts::name(out, &plan.receiver_of(id.route()).name);
    json::key(out, "routeLabels");
    // Templates say something only of a message.
    let labels = plan.routes[id.route()].labels.iter();
    let labels = labels.filter_map(|(name, text)| match text {
        Text::Plain(text) => Some((name.to_string(), text.to_string())),
        Text::Template(_) => None,
    });
    json::set(out, &labels.collect());
    out.push(b'}');
}
