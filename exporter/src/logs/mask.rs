//! Masking secrets in lines of logs, before anything is kept of them.
//!
//! What follows a name such as `password`, what stands in a URL in front of the
//! `@`, headers that log in, and tokens that are known by their form. A name is
//! masked rather once too often than once too seldom.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "<secret>";

/// Headers whose whole value is secret, names with their values, passwords in
/// URLs, and tokens by their form.
static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r#"[0-9A-Za-z_.-]*(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|credential|session[_-]?id|sessionid|csrf|otp|dsn)[0-9A-Za-z_.-]*"#;
    let value =
        r#"(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\"[^"\\]*(?:\\")?|[^\s,;&"'<>{}\[\]()]+)"#;
    let all = [
        // Authorization: Bearer abc; "cookie": "a=b"
        r#"(?P<header>(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token|x-amz-security-token)(?P<to>\\?["']?\s*[:=]\s*\\?["'\[]*)(?P<rest>[^"'\r\n\]]+)"#.to_owned(),
        format!(r#"(?P<name>{name})(?P<is>\\?["']?\s*(?:=>|[:=])\s*)(?P<value>{value})"#),
        // --password abc
        format!(r#"(?P<option>--?{name})(?P<space>\s+)(?P<argument>[^\s-][^\s]*)"#),
        r#"(?P<url>[a-z][a-z0-9+.-]*://[^\s/@:"']*:)(?P<password>[^\s@"']+)(?P<at>@)"#.to_owned(),
        r#"(?P<scheme>(?-u:\b)(?:bearer|basic|digest|negotiate)\s+)(?P<login>[a-z0-9._~+/=-]{8,})"#.to_owned(),
        // Of Amazon, GitHub, GitLab, Slack, Stripe, Google, of others that begin so, and signed ones.
        r"(?P<token>(?-u:\b)(?:A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[0-9A-Za-z_]{20,}|glpat-[0-9A-Za-z_-]{20,}|xox[a-z]-[0-9A-Za-z_-]{10,}|[sr]k_(?:live|test)_[0-9A-Za-z_]{10,}|sk-[0-9A-Za-z_-]{20,}|AIza[0-9A-Za-z_-]{30,}|AGE-SECRET-KEY-1[0-9A-Z]{20,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*))".to_owned(),
    ];
    // A test compiles it; none would mask nothing, and then nothing is kept.
    Regex::new(&format!("(?i){}", all.join("|"))).ok()
});

/// Masks lines of one log, one after the other: a key may span several.
#[derive(Debug, Default)]
pub(super) struct Mask {
    inside_key: bool,
}

impl Mask {
    /// The line without its secrets.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        let begins = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        if begins || self.inside_key {
            let ends = line.contains("-----END ");
            // A key has no spaces; what has is told again.
            let is_key = begins || ends || !line.trim().contains(' ');
            self.inside_key = is_key && !ends;
            if is_key {
                return Cow::Borrowed(MASK);
            }
        }
        text(line)
    }
}

/// A text of one line without its secrets.
pub(super) fn text(line: &str) -> Cow<'_, str> {
    match &*SECRETS {
        Some(secrets) => secrets.replace_all(line, masked),
        None => Cow::Borrowed(MASK),
    }
}

fn masked(found: &Captures<'_>) -> String {
    let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
    for (before, between, secret, behind) in [
        ("header", "to", "rest", ""),
        ("name", "is", "value", ""),
        ("option", "space", "argument", ""),
        ("url", "", "password", "at"),
        ("scheme", "", "login", ""),
    ] {
        if found.name(secret).is_some() {
            let secret = part(secret);
            let quote = ["\\\"", "\"", "'"]
                .into_iter()
                .find(|quote| secret.starts_with(quote));
            let (open, close) = match quote {
                Some(quote) if secret.len() > quote.len() && secret.ends_with(quote) => {
                    (quote, quote)
                }
                Some(quote) => (quote, ""),
                None => ("", ""),
            };
            return format!(
                "{}{}{open}{MASK}{close}{}",
                part(before),
                part(between),
                part(behind)
            );
        }
    }
    MASK.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SECRET` must never be seen; the rest must stay as it is here.
    #[test]
    fn secrets_are_masked_and_what_is_around_them_stays() {
        for (line, expected) in [
            ("GET / 200 in 5 ms", "GET / 200 in 5 ms"),
            ("the password was wrong", "the password was wrong"),
            ("password=SECRET user=bob", "password=<secret> user=bob"),
            (
                "DB_PASSWORD: 'SECRET SECRET', x",
                "DB_PASSWORD: '<secret>', x",
            ),
            (
                r#"{"api_key": "SEC\"RET", "id": 5}"#,
                r#"{"api_key": "<secret>", "id": 5}"#,
            ),
            (
                r#"msg="{\"token\":\"SECRET\"}" n=1"#,
                r#"msg="{\"token\":\"<secret>\"}" n=1"#,
            ),
            (
                "{:client_secret=>\"SECRET\"}",
                "{:client_secret=>\"<secret>\"}",
            ),
            (
                "/login?token=SECRET&next=/a",
                "/login?token=<secret>&next=/a",
            ),
            (
                "mysql --password SECRET -u bob",
                "mysql --password <secret> -u bob",
            ),
            (
                "connecting to postgres://bob:SECRET@db:5432/x",
                "connecting to postgres://bob:<secret>@db:5432/x",
            ),
            (
                "redis://:SECRET@cache/0 is away",
                "redis://:<secret>@cache/0 is away",
            ),
            ("Authorization: Bearer SECRET", "Authorization: <secret>"),
            ("authorization=Basic SECRET", "authorization=<secret>"),
            (
                r#"{"Authorization":["Basic SECRET"],"Host":["a"]}"#,
                r#"{"Authorization":["<secret>"],"Host":["a"]}"#,
            ),
            ("Cookie: a=SECRET; b=SECRET", "Cookie: <secret>"),
            (
                r#"headers {"cookie":"sid=SECRET; x"} ok"#,
                r#"headers {"cookie":"<secret>"} ok"#,
            ),
            ("sent bearer SECRETSECRET to", "sent bearer <secret> to"),
            (
                "secret_access_key = SECRET/+x",
                "secret_access_key = <secret>",
            ),
            ("SECRET_KEY=SECRET", "SECRET_KEY=<secret>"),
        ] {
            let masked = Mask::default().line(line).into_owned();
            assert_eq!(masked, expected, "{line}");
        }
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        for token in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghij0123",
            "github_pat_0123456789abcdefghij0123",
            "glpat-0123456789abcdefghij",
            "xoxb-0123456789-abc",
            "sk_live_0123456789abc",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_1",
            "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQ",
        ] {
            let line = format!("said ({token}), and went on");
            assert_eq!(text(&line), "said (<secret>), and went on");
        }
    }

    #[test]
    fn a_key_of_several_lines_is_masked_to_its_end() {
        let mut mask = Mask::default();
        let lines = [
            "key:",
            "-----BEGIN RSA PRIVATE KEY-----",
            "MIIEowIBAAKCAQEA",
            "q2w==",
            "-----END RSA PRIVATE KEY-----",
            "done",
            "-----BEGIN PRIVATE KEY-----",
            "torn off, and told again",
        ];
        let masked: Vec<String> = lines
            .iter()
            .map(|line| mask.line(line).into_owned())
            .collect();
        assert_eq!(
            masked,
            [
                "key:",
                MASK,
                MASK,
                MASK,
                MASK,
                "done",
                MASK,
                "torn off, and told again"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn a_password_is_masked_wherever_it_stands(
            before in "[a-z ]{0,10}", value in "[A-Za-z0-9/+_.-]{12,30}", behind in "( [a-z]{0,10})?"
        ) {
            let value = format!("Q{value}");
            for form in [
                format!("{before} password={value}{behind}"),
                format!("{before} \"db_password\": \"{value}\"{behind}"),
                format!("{before} amqp://guest:{value}@mq{behind}"),
                format!("{before} Authorization: Bearer {value}{behind}"),
            ] {
                let masked = text(&form).into_owned();
                proptest::prop_assert!(!masked.contains(&value), "{} {}", form, masked);
            }
        }
    }
}
