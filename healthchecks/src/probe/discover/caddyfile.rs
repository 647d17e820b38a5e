//! The addresses of the sites in a Caddyfile. Snippets, named routes and imports
//! are Caddy's own business: ask its admin API where they matter.

use super::{host_port, nameless, url};

/// All sites.
pub(super) fn sites(text: &str) -> Vec<String> {
    let lines = lines(text);
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut addresses: Vec<String> = Vec::new();
    // Without any braces the first line has the addresses, and there is one site.
    let single = !lines.iter().flatten().any(|word| word == "{");
    for line in &lines {
        for (at, word) in line.iter().enumerate() {
            let last = at + 1 == line.len();
            match word.as_str() {
                "{" if last => {
                    if depth == 0 {
                        found.extend(addresses.drain(..).filter_map(|one| site(&one)));
                    }
                    depth += 1;
                }
                "}" if line.len() == 1 => depth = depth.saturating_sub(1),
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
