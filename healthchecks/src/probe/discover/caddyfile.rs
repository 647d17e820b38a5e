//! The addresses of the sites in a Caddyfile. Snippets, named routes and imports
//! are Caddy's own business: ask its admin API where they matter.

use std::collections::BTreeSet;

use super::{host_port, is_loopback, nameless, turns_away, url};

/// All sites.
pub(super) fn sites(text: &str) -> Vec<String> {
    let lines = lines(text);
    let mut found: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    let mut addresses: Vec<String> = Vec::new();
    // Where the sites of the block begin that is read now.
    let mut block = 0;
    let mut doors = Doors::default();
    // Without any braces the first line has the addresses, and there is one site.
    let single = !lines.iter().flatten().any(|word| word == "{");
    for line in &lines {
        if depth == 1 {
            doors.see(line);
        }
        if depth == 1 && is_bound_here(line) {
            let here = found.split_off(block).into_iter();
            found.extend(here.filter(|url| is_loopback(host_of(url))));
        }
        for (at, word) in line.iter().enumerate() {
            let last = at + 1 == line.len();
            match word.as_str() {
                "{" if last => {
                    if depth == 0 {
                        block = found.len();
                        doors = Doors::default();
                        found.extend(addresses.drain(..).filter_map(|one| site(&one)));
                    }
                    depth += 1;
                }
                "}" if line.len() == 1 => {
                    if depth == 1 && doors.are_closed() {
                        found.truncate(block);
                    }
                    depth = depth.saturating_sub(1);
                }
                "import" if depth == 0 && at == 0 => break,
                word if depth == 0 => addresses.extend(
                    word.split(',')
                        .filter(|one| !one.is_empty())
                        .map(str::to_owned),
                ),
                _ => {}
            }
        }
        if single && !addresses.is_empty() {
            return addresses.iter().filter_map(|one| site(one)).collect();
        }
    }
    found
}

/// Whether a block lets anybody in.
#[derive(Default)]
struct Doors<'a> {
    closed: bool,
    /// The matchers of what goes before that, whatever the order of the lines; `*` is all.
    before: Vec<&'a str>,
    /// The matchers that are of other paths than `/`.
    elsewhere: BTreeSet<&'a str>,
}

impl<'a> Doors<'a> {
    fn see(&mut self, line: &'a [String]) {
        self.closed |= is_closed(line);
        let mut words = line.iter().map(String::as_str);
        let name = words.next().unwrap_or_default();
        match name {
            "redir" | "handle" | "handle_path" | "route" | "invoke" => {
                let matcher = words.next().filter(|word| word.starts_with(['/', '@']));
                self.before.push(matcher.unwrap_or("*"));
            }
            name if name.starts_with('@')
                && words.next() == Some("path")
                && words.all(|path| !is_root(path)) =>
            {
                self.elsewhere.insert(name);
            }
            _ => {}
        }
    }

    fn are_closed(&self) -> bool {
        let elsewhere = |matcher: &&str| match matcher.starts_with('/') {
            true => !is_root(matcher),
            false => self.elsewhere.contains(matcher),
        };
        self.closed && self.before.iter().all(elsewhere)
    }
}

fn is_root(path: &str) -> bool {
    matches!(path, "/" | "/*" | "*")
}

/// Whether a block listens on the loopback interface alone.
fn is_bound_here(line: &[String]) -> bool {
    match line {
        [name, hosts @ ..] if name == "bind" => hosts.iter().all(|host| is_loopback(host)),
        _ => false,
    }
}

fn host_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    host_port(rest.trim_end_matches('/')).0
}

/// Whether a directive turns everybody away: `abort`, `respond 404`, `respond "gone" 410`,
/// `error 503`; with a matcher it does not.
fn is_closed(line: &[String]) -> bool {
    let mut words = line.iter().map(String::as_str).peekable();
    let name = words.next();
    words.next_if_eq(&"*");
    if words
        .peek()
        .is_some_and(|word| word.starts_with(['/', '@']))
    {
        return false;
    }
    match name {
        Some("abort") => true,
        Some("respond" | "error") => words.any(|word| word.parse().is_ok_and(turns_away)),
        _ => false,
    }
}

/// The words of each line that has any.
fn lines(text: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut comment = false;
    for sign in text.chars().chain(['\n']) {
        if let Some(open) = quote {
            match sign == open {
                true => quote = None,
                false => word.get_or_insert_default().push(sign),
            }
            continue;
        }
        match sign {
            '\n' => {
                comment = false;
                let line = all.last_mut();
                if let Some(line) = line {
                    line.extend(word.take());
                    if !line.is_empty() {
                        all.push(Vec::new());
                    }
                }
            }
            _ if comment => {}
            sign if sign.is_whitespace() => {
                if let Some(line) = all.last_mut() {
                    line.extend(word.take());
                }
            }
            '#' if word.is_none() => comment = true,
            '"' | '`' if word.is_none() => {
                quote = Some(sign);
                word = Some(String::new());
            }
            sign => word.get_or_insert_default().push(sign),
        }
    }
    all.pop();
    all
}

/// An address as a URL: Caddy speaks TLS unless told otherwise.
fn site(address: &str) -> Option<String> {
    // `(snippet)`, `&(route)`, `{$VARIABLE}`.
    if address.starts_with(['(', '&']) || address.contains(['{', '}', '*']) {
        return None;
    }
    let (scheme, rest) = address
        .split_once("://")
        .map_or((None, address), |(scheme, rest)| (Some(scheme), rest));
    let (host, port) = host_port(rest.split('/').next().unwrap_or_default());
    let secure = match (scheme, port) {
        (Some("https"), _) => true,
        (Some("http"), _) | (None, Some(80)) => false,
        // Without a name there is no certificate.
        (None, port) => !host.is_empty() || port == Some(443),
        (Some(_), _) => return None,
    };
    match (host, secure) {
        ("", true) => None,
        ("", false) => url(false, nameless(host), port),
        _ => url(secure, host, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_blocks_are_sites() {
        let text = "\
{
	email ops@example.org
	servers { timeouts { read_body 10s } }
}

(logging) {
	log { output stdout }
}
import sites/*
# shop
shop.example, www.shop.example {
	import logging
	reverse_proxy {
		to 127.0.0.1:8000 # {
	}
	respond \"{not a block\" 200
}
http://plain.example:8080 https://secure.example:8443/path/* {
}
:8081 {
	respond ok
}
*.wild.example, {$HOST} {
}
localhost {
}
";
        assert_eq!(
            sites(text),
            [
                "https://shop.example/",
                "https://www.shop.example/",
                "http://plain.example:8080/",
                "http://127.0.0.1:8081/",
                "https://localhost/",
            ]
        );
    }

    #[test]
    fn what_turns_everybody_away_is_no_site() {
        for (directive, open) in [
            ("abort", false),
            ("respond 404", false),
            ("respond \"gone\" 410", false),
            ("respond * 403", false),
            ("error \"later\" 503", false),
            ("respond /x 404", true),
            ("abort @bad", true),
            ("respond fine", true),
            ("respond 204", true),
            ("reverse_proxy localhost:8404", true),
            ("handle {\n\t\trespond 404\n\t}", true),
            ("respond 404\n\thandle {\n\t\tfile_server\n\t}", true),
            ("redir / /app\n\trespond 404", true),
            ("route @known {\n\t\tfile_server\n\t}\n\tabort", true),
            ("redir /old /new\n\trespond 404", false),
            (
                "@open path /health/* /ping/*\n\thandle @open {\n\t\tfile_server\n\t}\n\trespond 404",
                false,
            ),
            (
                "handle @open {\n\t\tfile_server\n\t}\n\t@open path / /ping/*\n\trespond 404",
                true,
            ),
        ] {
            let text = format!("a.example {{\n}}\nb.example, :80 {{\n\t{directive}\n}}\n");
            let expected: &[&str] = match open {
                true => &[
                    "https://a.example/",
                    "https://b.example/",
                    "http://127.0.0.1/",
                ],
                false => &["https://a.example/"],
            };
            assert_eq!(sites(&text), expected, "{directive}");
        }
    }

    #[test]
    fn on_the_loopback_interface_a_name_leads_nowhere() {
        for (bind, expected) in [
            ("127.0.0.1 [::1]", &["https://localhost/"][..]),
            (
                "127.0.0.1 10.0.0.1",
                &["https://a.example/", "https://localhost/"],
            ),
        ] {
            let text = format!("a.example, localhost {{\n\tbind {bind}\n}}\n");
            assert_eq!(sites(&text), expected, "{bind}");
        }
    }

    #[test]
    fn one_site_needs_no_braces_and_nonsense_has_none() {
        assert_eq!(
            sites("a.example\nroot * /srv\nfile_server\n"),
            ["https://a.example/"]
        );
        for text in ["", "}\n}\n", "{\n", "\"", "# only\n"] {
            assert_eq!(sites(text), [""; 0], "{text:?}");
        }
    }
}
