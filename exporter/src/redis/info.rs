//! The text that Redis' INFO answers with, taken apart.
//!
//! Any key may be missing, stand twice or hold nonsense: the first one counts,
//! and what is no number is no number.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::encode;
use crate::pieces::{self, Sheet};

/// The most entries of one kind that become series.
const MOST_COMMANDS: usize = 512;
const MOST_ERRORS: usize = 128;
const MOST_DATABASES: usize = 1024;
const MOST_REPLICAS: usize = 64;
/// The longest text that becomes a label, in characters.
const LONGEST: usize = 128;

/// What INFO said.
#[derive(Debug, Default)]
pub(super) struct Info<'a> {
    plain: HashMap<&'a str, &'a str>,
    /// `cmdstat_get` with its fields, by the name behind the prefix.
    pub(super) commands: BTreeMap<&'a str, Fields<'a>>,
    pub(super) latencies: BTreeMap<&'a str, Fields<'a>>,
    pub(super) errors: BTreeMap<&'a str, Fields<'a>>,
    /// By number.
    pub(super) databases: BTreeMap<u32, Fields<'a>>,
    /// By number.
    pub(super) replicas: BTreeMap<u32, Fields<'a>>,
}

/// `calls=2,usec=21`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a str);

impl<'a> Info<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut info = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            info.take(key, value.trim_end());
        }
        info
    }

    fn take(&mut self, key: &'a str, value: &'a str) {
        let fields = Fields(value);
        if let Some(name) = key.strip_prefix("cmdstat_") {
            put(&mut self.commands, cut(name), fields, MOST_COMMANDS);
        } else if let Some(name) = key.strip_prefix("latency_percentiles_usec_") {
            put(&mut self.latencies, cut(name), fields, MOST_COMMANDS);
        } else if let Some(name) = key.strip_prefix("errorstat_") {
            put(&mut self.errors, cut(name), fields, MOST_ERRORS);
        } else if let Some(number) = numbered(key, "db") {
            put(&mut self.databases, number, fields, MOST_DATABASES);
        } else if let Some(number) = numbered(key, "slave") {
            put(&mut self.replicas, number, fields, MOST_REPLICAS);
        } else {
            self.plain.entry(key).or_insert(value);
        }
    }

    /// The text of a key, cut to what may be a label.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.plain.get(key).map(|text| cut(text))
    }

    /// The number of a key; words for good and bad are 1 and 0.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        number(self.plain.get(key)?)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        let fields = self.0.split(',').filter_map(|field| field.split_once('='));
        let mut found = fields.filter(|(name, _)| *name == key);
        found.next().map(|(_, value)| cut(value))
    }

    pub(super) fn number(self, key: &str) -> Option<f64> {
        number(self.text(key)?)
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, most: usize) {
    if map.len() < most {
        map.entry(key).or_insert(value);
    }
}

fn numbered(key: &str, prefix: &str) -> Option<u32> {
    let digits = key.strip_prefix(prefix)?;
    // `db0` but not `db_something`, `db00` or `db+1`, which are other keys.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = digits.parse().ok()?;
    (plain && (digits == "0" || !digits.starts_with('0'))).then_some(number)
}

fn number(text: &str) -> Option<f64> {
    match text {
        "ok" | "up" | "yes" => return Some(1.0),
        "err" | "fail" | "down" | "no" => return Some(0.0),
        _ => {}
    }
    let number: f64 = text.trim_end_matches('%').parse().ok()?;
    number.is_finite().then_some(number)
}

/// A command's name becomes a label whole or cut, as any other text.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Reads the bytes as a server's answers and as its INFO, for those who throw any at it.
///
/// # Panics
/// If more is read than there is, or what is told of it is no page.
pub(super) fn any(bytes: &[u8]) {
    let mut answers = super::client::any(bytes);
    // Whose it is stands in front, so that the rest is looked at.
    let text = String::from_utf8_lossy(bytes);
    answers.info = format!("redis_version:7\n{text}\n{}", answers.info);
    let mut sheet = Sheet::new(&"any".into());
    let started = encode::started(&answers.info, None);
    let _ = encode::encode(&answers, started, &mut sheet);
    pieces::check(&pieces::page(&[Arc::new(sheet.finish())]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_equal_keys_counts_and_nonsense_does_not() {
        let info = Info::parse(
            "# Server\r\nused_memory:12\r\nused_memory:13\r\nno colon\r\nbad:NaN\r\nbig:inf\r\n\
             rdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\nx:\u{fffd}\r\n\
             db0:keys=2,expires=x\r\ndb0:keys=3\r\ndb_size:7\r\ndb01:keys=1\r\nslave0:ip=::1,port=1\r\n\
             slave_priority:100\r\ncmdstat_config|get:calls=2,usec=x,calls=3\r\n",
        );
        assert_eq!(info.number("used_memory"), Some(12.0));
        for key in ["bad", "big", "missing", "x"] {
            assert_eq!(info.number(key), None, "{key}");
        }
        assert_eq!(info.number("rdb_last_bgsave_status"), Some(1.0));
        assert_eq!(info.number("aof_last_write_status"), Some(0.0));
        assert_eq!(info.number("slave_priority"), Some(100.0));
        assert_eq!(info.number("db_size"), Some(7.0));
        assert_eq!(info.databases.len(), 1);
        assert_eq!(info.databases[&0].number("keys"), Some(2.0));
        assert_eq!(info.databases[&0].number("expires"), None);
        assert_eq!(info.replicas[&0].text("ip"), Some("::1"));
        assert_eq!(info.commands["config|get"].number("calls"), Some(2.0));
        assert_eq!(info.commands["config|get"].number("usec"), None);
    }

    #[test]
    fn a_server_that_invents_labels_gets_only_so_many_and_short_ones() {
        let mut text = String::new();
        for at in 0..5000 {
            text.push_str(&format!(
                "cmdstat_c{at}:calls=1\nerrorstat_E{at}:count=1\ndb{at}:keys=1\n"
            ));
        }
        text.push_str(&format!("os:{}\n", "ä".repeat(1000)));
        let info = Info::parse(&text);
        assert_eq!(info.commands.len(), MOST_COMMANDS);
        assert_eq!(info.errors.len(), MOST_ERRORS);
        assert_eq!(info.databases.len(), MOST_DATABASES);
        assert_eq!(info.text("os").unwrap().chars().count(), LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "(db|slave|cmdstat_|errorstat_|[a-z0-9ä:=,.%+-]|\\PC|\\n){0,200}") {
            let info = Info::parse(&text);
            for fields in info.databases.values().chain(info.commands.values()) {
                let number = fields.number("keys").or(fields.number("calls"));
                assert!(number.is_none_or(f64::is_finite));
            }
        }
    }
}
