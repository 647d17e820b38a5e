//! The alert as it goes from rules to routing.
//!
//! The same type is what `POST /api/v2/alerts` parses, so that an alert raised
//! in this process and one sent by a Prometheus elsewhere are one thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Labels or annotations: names in order.
pub type Set = BTreeMap<String, String>;

/// One alert. Times are milliseconds since 1970; in JSON they are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What identifies the alert, `alertname` and `severity` among them.
    pub labels: Set,
    /// What is said about it: `summary`, `description`, `impact`, `runbook_url`,
    /// `value`.
    #[serde(default)]
    pub annotations: Set,
    /// When it began to fire; absent means now.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<i64>,
    /// When it ends, or ended; absent means "after the resolve time-out".
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<i64>,
    /// Where the rule can be looked at.
    #[serde(
        default,
        rename = "generatorURL",
        skip_serializing_if = "String::is_empty"
    )]
    pub generator_url: String,
}

impl Alert {
    /// The identity: 64-bit FNV-1a over the labels, as Alertmanager computes it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.labels)
    }

    /// Whether the alert has ended at `now_ms`.
    #[must_use]
    pub fn resolved(&self, now_ms: i64) -> bool {
        self.ends_at.is_some_and(|ends| ends <= now_ms)
    }
}

/// The 64-bit FNV-1a of a label set: name, 0xFF, value, 0xFF in order of names.
#[must_use]
pub fn fingerprint(labels: &Set) -> u64 {
    fingerprint_of(labels.iter().map(|(name, value)| (&**name, &**value)))
}

/// The same of names and values that are kept otherwise, in order of names.
#[must_use]
pub fn fingerprint_of<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (name, value) in labels {
        eat(name.as_bytes());
        eat(value.as_bytes());
    }
    hash
}

mod time {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    /// Clients send Go's zero time for "absent".
    const GO_ZERO_MS: i64 = -62_135_596_800_000;

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(time: &Option<i64>, out: S) -> Result<S::Ok, S::Error> {
        time.and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let time: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Some(time.as_millisecond()).filter(|ms| *ms > GO_ZERO_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Set {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn fingerprints_are_alertmanagers() {
        assert_eq!(
            format!("{:016x}", fingerprint(&set(&[]))),
            "cbf29ce484222325"
        );
        assert_eq!(
            format!(
                "{:016x}",
                fingerprint(&set(&[("alertname", "x"), ("job", "j")]))
            ),
            "1f22d4349600ca25"
        );
    }

    #[test]
    fn json_is_alertmanagers_shape() {
        let text = r#"{"labels":{"alertname":"x"},"startsAt":"2026-01-02T03:04:05.006Z",
            "endsAt":"0001-01-01T00:00:00.000Z","generatorURL":"http://p/graph"}"#;
        let alert: Alert = serde_json::from_str(text).unwrap();
        assert_eq!(alert.starts_at, Some(1_767_323_045_006));
        assert_eq!(alert.ends_at, None);
        let back = serde_json::to_value(&alert).unwrap();
        assert_eq!(back["startsAt"], "2026-01-02T03:04:05.006Z");
        assert_eq!(back["generatorURL"], "http://p/graph");
        assert!(back.get("endsAt").is_none());
    }
}
