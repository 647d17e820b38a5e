//! The parameters behind the question mark.

use axum::extract::Query as Pairs;
use axum::http::Uri;

use super::answer::Failure;
use crate::matcher::{self, Matcher};

/// Parameters in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn read(uri: &Uri) -> Self {
        Self(
            Pairs::try_from_uri(uri)
                .map(|Pairs(pairs)| pairs)
                .unwrap_or_default(),
        )
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| &**value)
    }

    /// The last value of that name, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    /// Whether a switch is on. Without a word it is; any word that is no yes is a
    /// no.
    pub(super) fn on(&self, name: &str) -> bool {
        const YES: [&str; 9] = [
            "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t",
        ];
        self.text(name).is_none_or(|value| {
            let mut yes = YES.iter().chain(&["enabled"]);
            yes.any(|word| word.eq_ignore_ascii_case(value))
        })
    }

    /// The matchers of that name, one in each value.
    pub(super) fn matchers(&self, name: &str) -> Result<Vec<Matcher>, Failure> {
        let texts = self.all(name).filter(|text| !text.is_empty());
        let found: Result<_, String> = texts.map(matcher::parse_one).collect();
        found.map_err(Failure::Bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::read(&format!("http://x/alerts?{text}").parse().unwrap())
    }

    #[test]
    fn switches_are_on_unless_they_say_something_else() {
        for (text, on) in [
            ("", true),
            ("active=", true),
            ("active=true", true),
            ("active=Yes", true),
            ("active=enabled", true),
            ("active=false", false),
            ("active=maybe", false),
            ("active=0", false),
            ("active=false&active=1", true),
        ] {
            assert_eq!(query(text).on("active"), on, "{text}");
        }
    }

    #[test]
    fn each_filter_is_one_matcher() {
        let found = query("filter=a%3Db&filter=c%3D~%22d,e%22&filter=")
            .matchers("filter")
            .unwrap();
        let printed: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["a=\"b\"", "c=~\"d,e\""]);
        for (text, wanted) in [
            ("filter=a", "bad matcher format: a"),
            (
                "filter=%7Ba%3Db%7D",
                "unexpected open or close brace: {a=b}",
            ),
            (
                "filter=a%3D~(",
                "error parsing regexp: missing closing ): `^(?:()$`",
            ),
        ] {
            let refused = query(text).matchers("filter").unwrap_err();
            assert_eq!(refused, Failure::Bad(wanted.into()), "{text}");
        }
    }
}
