//! Prometheus exposition text: the border between collecting and storing.
//!
//! Exporters write pages with [`Writer`]; whoever stores them reads pages with
//! [`parse`], or with [`Format`] for OpenMetrics too. What only goes from one part of the
//! process to another need not become text: those are [`Rows`]. Everything that crosses that border is a [`Sample`]: a label set,
//! a value, and sometimes a time.

mod format;
mod hash;
mod labels;
mod number;
mod open;
pub mod openmetrics;
mod parse;
mod rows;
mod series;
mod text;
mod write;

pub use format::Format;
pub use hash::mix;
pub use labels::{Label, Labels, LabelsBuilder, NAME};
pub use number::{format_bound, format_value, parse_value};
pub use open::open_metrics;
pub use parse::{Entry, ParseError, parse};
pub use rows::Rows;
pub use series::spells_empty;
pub use write::{Kind, LONGEST_VALUE, Spelled, Writer};

/// One value of one series, as a page states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The series, `__name__` included.
    pub labels: Labels,
    /// The value; a staleness marker keeps its bits.
    pub value: f64,
    /// The page's own time for it in milliseconds since 1970, where it names one.
    pub time_ms: Option<i64>,
}

/// The bits of the NaN that says "this series has ended".
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker.
#[must_use]
pub fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether `value` is the staleness marker; an ordinary NaN is not.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}
