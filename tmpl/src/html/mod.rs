//! Follows a page while it is written and escapes each value by its place.
//!
//! The text of the template is trusted and passes as it is, less its comments;
//! a value never changes the place that the next one is in. Go's html/template
//! gives the same pages, but for two things: scripts have no place in a mail, so
//! a value inside one is an error; and in a quoted part of a style a value is
//! held to the same rules as outside of quotes.

mod place;
mod safe;

use place::Attribute;

use crate::{Trust, Value};

/// Where in the page the next byte goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Comment,
    /// Inside an element whose content is no markup.
    Raw(Raw),
    ElementName,
    /// Between the attributes of a tag.
    Tag,
    Name,
    AfterName,
    BeforeValue,
    /// In a value, up to the quote or, without one, up to a space.
    Value(Option<char>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raw {
    Script,
    Style,
    Title,
    Textarea,
}

impl Raw {
    fn of(element: &str) -> Option<Self> {
        match element {
            "script" => Some(Self::Script),
            "style" => Some(Self::Style),
            "title" => Some(Self::Title),
            "textarea" => Some(Self::Textarea),
            _ => None,
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Script => "</script",
            Self::Style => "</style",
            Self::Title => "</title",
            Self::Textarea => "</textarea",
        }
    }
}

/// A page that is being written.
pub(crate) struct Page {
    state: State,
    /// The element of the tag in hand; empty for an end tag.
    element: String,
    ends: bool,
    /// The name of the attribute in hand.
    name: String,
    attribute: Attribute,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            state: State::Text,
            element: String::new(),
            ends: false,
            name: String::new(),
            attribute: Attribute::Plain,
        }
    }
}

impl Page {
    /// Writes text of the template itself.
    pub(crate) fn literal(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.lone_bracket(rest) {
                out.push_str("&lt;");
                rest = &rest[1..];
                continue;
            }
            let (taken, shown) = self.step(rest);
            if shown {
                out.push_str(&rest[..taken]);
            }
            rest = &rest[taken..];
        }
    }

    /// Writes a value; `text` is how it prints.
    pub(crate) fn value(
        &mut self,
        text: &str,
        value: &Value,
        out: &mut String,
    ) -> Result<(), String> {
        // What is missing leaves a gap in a page, where a text says `<no value>`.
        let text = if matches!(value, Value::Nil) {
            ""
        } else {
            text
        };
        let trust = match value {
            Value::Trusted(trust, _) => Some(*trust),
            _ => None,
        };
        let html = matches!(trust, Some(Trust::Html | Trust::Escaped));
        match self.state {
            State::Text if html => out.push_str(text),
            State::Text => out.push_str(&safe::text(text)),
            State::Comment => {}
            State::Raw(Raw::Script) => return Err(SCRIPT.into()),
            State::Raw(Raw::Style) => out.push_str(&safe::css(text)),
            State::Raw(Raw::Title | Raw::Textarea) => out.push_str(&match html {
                true => safe::markup(text),
                false => safe::text(text),
            }),
            State::ElementName => out.push_str(&safe::name(text)),
            State::Tag | State::Name | State::AfterName => {
                let name = safe::name(text);
                out.push_str(&name);
                if self.state != State::Name {
                    self.name.clear();
                }
                self.name.push_str(&name);
                self.state = State::Name;
            }
            State::BeforeValue => {
                self.begin_value(None);
                self.attribute_value(text, trust, None, out)?;
            }
            State::Value(quote) => self.attribute_value(text, trust, quote, out)?,
        }
        Ok(())
    }

    fn attribute_value(
        &self,
        text: &str,
        trust: Option<Trust>,
        quote: Option<char>,
        out: &mut String,
    ) -> Result<(), String> {
        let url = matches!(self.attribute, Attribute::Url { .. });
        let plain = (url && trust == Some(Trust::Escaped)).then(|| safe::unescaped(text));
        let text = plain.as_deref().unwrap_or(text);
        let text = match self.attribute {
            Attribute::Script => return Err(SCRIPT.into()),
            Attribute::Style => safe::css(text),
            Attribute::Url { begun, query } => match (trust, query) {
                (Some(Trust::Query), true) => text.to_owned(),
                (_, true) => safe::url_part(text),
                (Some(Trust::Url), false) => safe::url(text),
                (_, false) if begun => safe::url(text),
                (_, false) => safe::url(safe::known_scheme(text)),
            },
            Attribute::Plain if matches!(trust, Some(Trust::Html | Trust::Escaped)) => {
                let bare = safe::without_tags(text);
                out.push_str(&safe::attribute(&bare, quote.is_none(), true));
                return Ok(());
            }
            Attribute::Plain => text.to_owned(),
        };
        out.push_str(&safe::attribute(&text, quote.is_none(), false));
        Ok(())
    }

    /// Takes a part of the text that is in one place: how much, and whether it
    /// is written.
    fn step(&mut self, rest: &str) -> (usize, bool) {
        let first = rest.chars().next().unwrap_or_default();
        let space = first.is_ascii_whitespace();
        match self.state {
            State::Text => self.text(rest),
            State::Comment => match rest.find("-->") {
                Some(end) => self.go(State::Text, end + 3, false),
                None => (rest.len(), false),
            },
            State::Raw(raw) if starts_ignoring_case(rest, raw.end()) => self.text(rest),
            // One bracket at a time, as each may begin the end.
            State::Raw(_) => match rest[first.len_utf8()..].find('<') {
                Some(next) => (next + first.len_utf8(), true),
                None => (rest.len(), true),
            },
            State::ElementName => {
                let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':');
                let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
                self.element.push_str(&rest[..end].to_ascii_lowercase());
                match end == rest.len() {
                    true => (end, true),
                    false => self.go(State::Tag, end, true),
                }
            }
            State::Tag if first == '>' => {
                let raw = Raw::of(&self.element).filter(|_| !self.ends);
                self.go(raw.map_or(State::Text, State::Raw), 1, true)
            }
            State::Tag if space || first == '/' => (1, true),
            State::Tag => {
                self.name.clear();
                self.name.push(first.to_ascii_lowercase());
                self.go(State::Name, first.len_utf8(), true)
            }
            State::Name => {
                let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
                let end = rest.find(ends).unwrap_or(rest.len());
                self.name.push_str(&rest[..end].to_ascii_lowercase());
                match end == rest.len() {
                    true => (end, true),
                    false => self.go(State::AfterName, end, true),
                }
            }
            State::AfterName if first == '=' => self.go(State::BeforeValue, 1, true),
            State::AfterName | State::BeforeValue if space => (1, true),
            State::AfterName => self.go(State::Tag, 0, true),
            State::BeforeValue if first == '>' => self.go(State::Tag, 0, true),
            State::BeforeValue => {
                let quote = Some(first).filter(|c| matches!(c, '"' | '\''));
                self.begin_value(quote);
                (usize::from(quote.is_some()), true)
            }
            State::Value(quote) => {
                let ends = |c: char| match quote {
                    Some(quote) => c == quote,
                    None => c.is_ascii_whitespace() || c == '>',
                };
                let end = rest.find(ends).unwrap_or(rest.len());
                self.attribute.follow(&rest[..end]);
                match end == rest.len() {
                    true => (end, true),
                    false => self.go(State::Tag, end + usize::from(quote.is_some()), true),
                }
            }
        }
    }

    fn text(&mut self, rest: &str) -> (usize, bool) {
        let Some(tag) = rest.find('<') else {
            return (rest.len(), true);
        };
        if tag > 0 {
            return (tag, true);
        }
        if rest.starts_with("<!--") {
            return self.go(State::Comment, 4, false);
        }
        self.ends = rest.starts_with("</");
        let name = 1 + usize::from(self.ends);
        if rest[name..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.element.clear();
            return self.go(State::ElementName, name, true);
        }
        // A doctype: the other lone brackets were dealt with.
        (1, true)
    }

    /// Whether the text begins with a bracket that opens nothing.
    fn lone_bracket(&self, rest: &str) -> bool {
        let Some(after) = rest.strip_prefix('<') else {
            return false;
        };
        match self.state {
            State::Text => {
                let doctype = starts_ignoring_case(after, "!doctype");
                let name = after.strip_prefix('/').unwrap_or(after);
                let tag = name.starts_with(|c: char| c.is_ascii_alphabetic());
                !(doctype || tag || after.starts_with("!--"))
            }
            State::Raw(raw @ (Raw::Title | Raw::Textarea)) => {
                !starts_ignoring_case(rest, raw.end())
            }
            _ => false,
        }
    }

    fn go(&mut self, state: State, taken: usize, shown: bool) -> (usize, bool) {
        self.state = state;
        (taken, shown)
    }

    fn begin_value(&mut self, quote: Option<char>) {
        self.attribute = Attribute::named(&self.name);
        self.state = State::Value(quote);
    }
}

const SCRIPT: &str = "a value inside a script is refused";

fn starts_ignoring_case(text: &str, what: &str) -> bool {
    let start = text.get(..what.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(what))
}
