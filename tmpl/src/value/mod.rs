//! What a template computes with: Go's basic types, lists, maps, times, and objects with fields.
//!
//! Values are cheap to clone and never change once made.

mod compound;

use std::sync::Arc;

use jiff::ZonedDateTime;

pub use compound::{Field, Kind, List, Map, Method, Object};

/// A value in a template.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing; prints as `<no value>`.
    Nil,
    /// True or false.
    Bool(bool),
    /// Go's int.
    Int(i64),
    /// Go's float64.
    Float(f64),
    /// Plain text.
    String(Arc<str>),
    /// Text that is not escaped again where its kind of trust suffices.
    Trusted(Trust, Arc<str>),
    /// A number with a name, such as a month.
    Named(i64, &'static str),
    /// A moment in a time zone.
    Time(Arc<ZonedDateTime>),
    /// A span of time in nanoseconds.
    Duration(i64),
    /// A list.
    List(Arc<List>),
    /// A map, in order of its keys.
    Map(Arc<Map>),
    /// Something with named fields.
    Object(Arc<Object>),
}

/// In which place of a page a text is right as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// As HTML.
    Html,
    /// As HTML that is text escaped by `html`.
    Escaped,
    /// As a whole URL.
    Url,
    /// As a part of a query, already escaped.
    Query,
}

impl Value {
    /// A list of texts.
    pub fn strings<T: Into<Arc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        let items = items.into_iter().map(|item| Self::String(item.into()));
        List::of(&compound::STRINGS, items.collect()).into()
    }

    /// A list of values of any type.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        List::of(&compound::ANYTHING, items.into_iter().collect()).into()
    }

    /// A map of texts. A key it lacks reads as the empty text.
    pub fn texts<'a, T>(pairs: T) -> Self
    where
        T: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let entries = pairs.into_iter().map(|(key, value)| (key, value.into()));
        Map::of(&compound::TEXTS, entries).into()
    }

    /// A map of values of any type. A key it lacks reads as nothing.
    pub fn map<'a, T>(pairs: T) -> Self
    where
        T: IntoIterator<Item = (&'a str, Self)>,
    {
        Map::of(&compound::ENTRIES, pairs).into()
    }

    /// The moment `ms` milliseconds after 1970 in UTC; nothing if it is out of
    /// the calendar.
    #[must_use]
    pub fn time_ms(ms: i64) -> Self {
        jiff::Timestamp::from_millisecond(ms).map_or(Self::Nil, |at| {
            Self::Time(Arc::new(at.to_zoned_datetime(jiff::tz::TimeZone::UTC)))
        })
    }

    /// Whether `if` takes the value for true: not zero, not empty, not nothing.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(number) | Self::Named(number, _) | Self::Duration(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::String(text) | Self::Trusted(_, text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Time(_) | Self::Object(_) => true,
        }
    }

    /// What Go calls the type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Trusted(Trust::Html | Trust::Escaped, _) => "template.HTML",
            Self::Trusted(Trust::Url | Trust::Query, _) => "template.URL",
            Self::Named(..) => "time.Month",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::List(list) => list.kind.name,
            Self::Map(map) => map.kind.name,
            Self::Object(object) => object.kind.name,
        }
    }

    /// The text of a string value.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Trusted(_, text) => Some(text),
            _ => None,
        }
    }

    /// How deeply lists and maps are nested in it. Bounded when made, so that
    /// neither printing nor dropping a value can exhaust the stack.
    pub(crate) fn depth(&self) -> u8 {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<List> for Value {
    fn from(value: List) -> Self {
        Self::List(Arc::new(value))
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(Arc::new(value))
    }
}

impl From<Object> for Value {
    fn from(value: Object) -> Self {
        Self::Object(Arc::new(value))
    }
}
