//! Which alerts are told to the alerter after an evaluation, and as what.

use exposition::Labels;

use super::{Active, Alerts, State};
use crate::template::generator_url;

/// How alerts are handed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending<'a> {
    /// An alert that has not changed is told again after so long.
    pub(crate) resend_ms: i64,
    /// A firing alert that is not told again ends after so long by itself.
    pub(crate) valid_ms: i64,
    /// Set where an alert has no such label.
    pub(crate) external_labels: &'a alert::Set,
    /// Where people reach this program, and what they can ask it there.
    pub(crate) external_url: &'a str,
    pub(crate) query: &'a str,
    /// Whether the value goes along as an annotation.
    pub(crate) tell_value: bool,
}

impl Alerts {
    /// The alerts to tell now; they count as told.
    pub(crate) fn due(&mut self, now_ms: i64, how: Sending<'_>) -> Vec<alert::Alert> {
        self.0
            .iter_mut()
            .filter_map(|(labels, alert)| alert.due(labels, now_ms, how))
            .collect()
    }
}

impl Active {
    /// The alert, if it is to be told now; it counts as told.
    pub(crate) fn due(
        &mut self,
        labels: &Labels,
        now_ms: i64,
        how: Sending<'_>,
    ) -> Option<alert::Alert> {
        if !self.is_due(now_ms, how.resend_ms) {
            return None;
        }
        self.last_sent_ms = Some(now_ms);
        Some(self.told(labels, now_ms, how))
    }

    fn is_due(&self, now_ms: i64, resend_ms: i64) -> bool {
        if self.state == State::Pending {
            return false;
        }
        match (self.last_sent_ms, self.resolved_at_ms) {
            (None, _) => true,
            (Some(sent), Some(ended)) if ended > sent => true,
            (Some(sent), _) => sent + resend_ms < now_ms,
        }
    }

    fn told(&self, labels: &Labels, now_ms: i64, how: Sending<'_>) -> alert::Alert {
        let mut set = how.external_labels.clone();
        set.extend(
            labels
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        let mut annotations = self.annotations.clone();
        if how.tell_value {
            annotations
                .entry("value".into())
                .or_insert_with(|| short(self.value));
        }
        alert::Alert {
            labels: set,
            annotations,
            starts_at: self.fired_at_ms,
            ends_at: Some(self.resolved_at_ms.unwrap_or(now_ms + how.valid_ms)),
            generator_url: generator_url(how.external_url, how.query),
        }
    }
}

/// A value for people: four digits behind the leading one are enough.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value.fract() == 0.0 || size >= 1e6 {
        return exposition::format_value(if value.is_finite() {
            value.round()
        } else {
            value
        });
    }
    let decimals = match size {
        _ if size >= 1000.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 10.0 => 2,
        _ if size >= 1.0 => 3,
        _ if size >= 0.001 => 5,
        _ => return exposition::format_value(value),
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
