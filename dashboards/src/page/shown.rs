//! The page in words: what the templates print, nothing left to compute.

use serde::Serialize;

use super::Now;
use crate::fact::Trend;
use crate::{amount, spark, time, untrusted};

/// A time, for machines, in words, and how long ago.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    machine: String,
    clock: String,
    ago: String,
}

impl Moment {
    pub(super) fn new(ms: i64, now: &Now) -> Self {
        Self {
            machine: time::machine(ms),
            clock: time::clock(ms, now.now_ms, &now.zone),
            ago: time::duration(now.now_ms - ms),
        }
    }
}

/// A small line, and a table for those who cannot see it.
#[derive(Debug, Serialize)]
pub(super) struct Spark {
    caption: String,
    path: String,
    limit: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    clock: String,
    value: String,
}

impl Spark {
    /// None without at least two values: there is nothing to draw.
    pub(super) fn new(trend: Option<&Trend>, now: &Now) -> Option<Self> {
        let trend = trend?;
        let path = spark::path(trend);
        if path.is_empty() {
            return None;
        }
        let span = spark::span(trend);
        let rows = spark::samples(trend, 4);
        Some(Self {
            caption: format!("{}, last {span}", untrusted::line(&trend.name, 60)),
            path,
            limit: spark::limit(trend),
            rows: rows
                .into_iter()
                .map(|(ms, value)| Row {
                    clock: time::hour(ms, now.now_ms, &now.zone),
                    value: amount::value(value, trend.unit),
                })
                .collect(),
        })
    }
}
