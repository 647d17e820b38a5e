//! How a line of the log looks.

use std::fmt::{self, Debug};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[value(skip)]
    Text,
    /// `ts=... level=info msg="..." name=value`
    Logfmt,
    /// `{"time":"...","level":"INFO","msg":"...","name":"value"}`
    Json,
}

impl Form {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }

    fn line(self, time: Timestamp, level: &str, fields: &Fields) -> String {
        if self == Self::Json {
            // By hand, so that what a person looks for first comes first.
            let message = Value::from(fields.message.as_str());
            let mut line = format!(r#"{{"time":"{time:.3}","level":"{level}","msg":{message}"#);
            for (name, value) in &fields.others {
                line.push_str(&format!(",{}:{value}", Value::from(*name)));
            }
            line.push('}');
            return line;
        }
        let level = level.to_lowercase();
        let mut line = format!("ts={time:.3} level={level} msg={:?}", fields.message);
        for (name, value) in &fields.others {
            let text = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
            if !text.is_empty() && text.chars().all(plain) {
                line.push_str(&format!(" {name}={text}"));
            } else {
                line.push_str(&format!(" {name}={text:?}"));
            }
        }
        line
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str();
        writeln!(out, "{}", self.line(Timestamp::now(), level, &fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_read_by_programs() {
        let fields = Fields {
            message: "it \"failed\"\nonce".to_owned(),
            others: vec![
                ("url", "http://a".into()),
                ("count", 3.into()),
                ("why", "a b".into()),
            ],
        };
        let time = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        assert_eq!(
            Form::Logfmt.line(time, "WARN", &fields),
            r#"ts=2023-11-14T22:13:20.123Z level=warn msg="it \"failed\"\nonce" url=http://a count=3 why="a b""#
        );
        let line: Value = serde_json::from_str(&Form::Json.line(time, "WARN", &fields)).unwrap();
        assert_eq!(line["msg"], "it \"failed\"\nonce");
        assert_eq!(line["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(
            (&line["level"], &line["count"]),
            (&"WARN".into(), &3.into())
        );
    }
}
