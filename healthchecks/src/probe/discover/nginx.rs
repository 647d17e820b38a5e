//! The sites in nginx' configuration: names and ports of the servers in `http`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{host_port, leads_to, nameless, turns_away, url};

/// Includes lie in includes, and no deeper than this.
const DEPTH: usize = 8;
/// So many files are read.
const FILES: usize = 500;

/// All sites, beginning with one file. `read` gives the texts of the files that a
/// pattern names, and none where there are none.
pub fn sites(file: &Path, read: &mut dyn FnMut(&Path) -> Vec<String>) -> Vec<String> {
    let mut all = Reader {
        folder: file.parent().unwrap_or(Path::new("/")).to_owned(),
        read,
        files: 0,
        servers: Vec::new(),
    };
    // A file of servers alone is as good as one inside `http`.
    all.file(file, Context::Http, DEPTH);
    named(&all.servers)
}

/// What a piece of configuration stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Http,
    Server,
    /// `location /` of a server.
    Root,
    /// `location = /` of a server, which goes before.
    Exact,
    Other,
}

#[derive(Default)]
struct Server {
    listens: Vec<Vec<String>>,
    names: Vec<String>,
    ssl: bool,
    /// It turns everybody away, as a server for unknown names does.
    closed: bool,
    /// The same in its `location /`.
    root_closed: bool,
    /// And in its `location = /`, if it has one.
    exact_closed: Option<bool>,
}

impl Server {
    /// Whether everybody is turned away who asks for `/`.
    fn is_closed(&self) -> bool {
        self.closed || self.exact_closed.unwrap_or(self.root_closed)
    }
}

struct Reader<'a> {
    folder: PathBuf,
    read: &'a mut dyn FnMut(&Path) -> Vec<String>,
    files: usize,
    servers: Vec<Server>,
}

impl Reader<'_> {
    fn file(&mut self, pattern: &Path, context: Context, depth: usize) {
        if depth == 0 || self.files >= FILES {
            return;
        }
        for text in (self.read)(&self.folder.join(pattern)) {
            self.files += 1;
            self.text(&text, context, depth);
        }
    }

    fn text(&mut self, text: &str, context: Context, depth: usize) {
        let mut open = vec![context];
        let mut words = Vec::new();
        for token in tokens(text) {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => {
                    let within = open.last().copied().unwrap_or(Context::Other);
                    open.push(match (within, words.first().map(String::as_str)) {
                        (Context::Http, Some("http")) => Context::Http,
                        (Context::Http, Some("server")) => {
                            self.servers.push(Server::default());
                            Context::Server
                        }
                        (Context::Server, Some("location")) if words[1..] == ["/"] => Context::Root,
                        (Context::Server, Some("location"))
                            if words[1..] == ["=", "/"] || words[1..] == ["=/"] =>
                        {
                            if let Some(server) = self.servers.last_mut() {
                                server.exact_closed = Some(false);
                            }
                            Context::Exact
                        }
                        _ => Context::Other,
                    });
                    words.clear();
                }
                Token::Close => {
                    words.clear();
                    if open.len() > 1 {
                        open.pop();
                    }
                }
                Token::End => {
                    let within = open.last().copied().unwrap_or(Context::Other);
                    self.directive(within, std::mem::take(&mut words), depth);
                }
            }
        }
    }

    fn directive(&mut self, within: Context, words: Vec<String>, depth: usize) {
        let mut words = words.into_iter();
        let name = words.next().unwrap_or_default();
        if name == "include" && within != Context::Other {
            if let Some(pattern) = words.next() {
                self.file(Path::new(&pattern), within, depth - 1);
            }
            return;
        }
        let Some(server) = self
            .servers
            .last_mut()
            .filter(|_| matches!(within, Context::Server | Context::Root | Context::Exact))
        else {
            return;
        };
        if name == "return" {
            let status = words.next().and_then(|word| word.parse().ok());
            if status.is_some_and(turns_away) {
                match within {
                    Context::Root => server.root_closed = true,
                    Context::Exact => server.exact_closed = Some(true),
                    _ => server.closed = true,
                }
            }
            return;
        }
        if within != Context::Server {
            return;
        }
        match name.as_str() {
            "listen" => server.listens.push(words.collect()),
            "server_name" => server.names.extend(words),
            "ssl" => server.ssl = words.next().as_deref() == Some("on"),
            _ => {}
        }
    }
}

/// The sites of servers. A name that is served over TLS is looked at there alone:
/// what answers in the clear mostly leads to it.
fn named(servers: &[Server]) -> Vec<String> {
    let mut secure_names = BTreeSet::new();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for server in servers.iter().filter(|server| !server.is_closed()) {
        let names = server
            .names
            .iter()
            .map(|name| match name.strip_prefix('.') {
                Some(name) => name,
                None => name.as_str(),
            });
        // `_` is no name, `~` begins a pattern, `$` a variable.
        let names: Vec<_> = names
            .filter(|name| !name.is_empty() && *name != "_" && !name.starts_with(['~', '$']))
            .collect();
        let usual = vec![vec!["80".to_owned()]];
        let listens = if server.listens.is_empty() {
            &usual
        } else {
            &server.listens
        };
        for listen in listens {
            let Some(address) = listen
                .first()
                .filter(|address| !address.starts_with("unix:"))
                // There it is another proxy that speaks, in words of its own.
                .filter(|_| !listen.iter().any(|word| word == "proxy_protocol"))
            else {
                continue;
            };
            let secure = server.ssl || listen.iter().any(|word| word == "ssl" || word == "quic");
            let (host, port) = match address.parse::<u16>() {
                Ok(port) => ("", Some(port)),
                Err(_) => host_port(address),
            };
            if names.is_empty() && !secure {
                let at = url(false, nameless(host), port);
                found.extend(at.map(|url| (url, String::new())));
            }
            for name in names.iter().filter(|name| leads_to(name, host)) {
                if let Some(url) = url(secure, name, port) {
                    found.insert(url, (*name).to_owned());
                    if secure {
                        secure_names.insert((*name).to_owned());
                    }
                }
            }
        }
    }
    let plain =
        |url: &str, name: &String| url.starts_with("http://") && secure_names.contains(name);
    found
        .into_iter()
        .filter(|(url, name)| !plain(url, name))
        .map(|(url, _)| url)
        .collect()
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            // Inside a word these belong to it: `${host}`, `a#b`.
            '{' if word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                for sign in
                    std::iter::once('{').chain(signs.by_ref().take_while(|sign| *sign != '}'))
                {
                    word.get_or_insert_default().push(sign);
                }
            }
            '#' if word.is_none() => {
                signs.by_ref().find(|sign| *sign == '\n');
            }
            '"' | '\'' if word.is_none() => {
                let mut text = String::new();
                while let Some(inner) = signs.next() {
                    match inner {
                        '\\' => text.extend(signs.next()),
                        inner if inner == sign => break,
                        inner => text.push(inner),
                    }
                }
                all.push(Token::Word(text));
            }
            '\\' => word.get_or_insert_default().extend(signs.next()),
            '{' | '}' | ';' => {
                all.extend(word.take().map(Token::Word));
                all.push(match sign {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                });
            }
            sign if sign.is_whitespace() => all.extend(word.take().map(Token::Word)),
            sign => word.get_or_insert_default().push(sign),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Vec<String> {
        let mut give = |path: &Path| {
            files
                .iter()
                .filter(|(name, _)| Path::new(name) == path)
                .map(|(_, text)| (*text).to_owned())
                .collect()
        };
        sites("/etc/nginx/nginx.conf".as_ref(), &mut give)
    }

    #[test]
    fn servers_are_sites_by_name_and_port_over_all_includes() {
        let main = "\
events { worker_connections 768; }
stream { server { listen 5432; } }
http {
    # server { server_name commented.example; }
    include sites/*;
    map $host $x { default \"a{b\"; }
    server {
        listen 8080 default_server;
        location / { return 200 'server { listen 1; }'; }
    }
}
";
        let shop = "\
server { listen 80; listen [::]:80; server_name shop.example www.shop.example; return 301 https://$host$request_uri; }
server {
    listen 443 ssl http2;
    server_name shop.example www.shop.example ~^x *.wild.example _;
    include /etc/nginx/more;
}
server { listen 8443 ssl; server_name .api.example; }
server { listen 81; server_name plain.example \"\"; }
server { listen unix:/run/x.sock; server_name unix.example; }
";
        let found = read(&[
            ("/etc/nginx/nginx.conf", main),
            ("/etc/nginx/sites/*", shop),
            ("/etc/nginx/more", "server_name more.example;"),
        ]);
        assert_eq!(
            found,
            [
                "http://127.0.0.1:8080/",
                "http://plain.example:81/",
                "https://api.example:8443/",
                "https://more.example/",
                "https://shop.example/",
                "https://www.shop.example/",
            ]
        );
    }

    #[test]
    fn what_turns_everybody_away_or_is_behind_another_proxy_is_no_site() {
        let here = |text: &str| read(&[("/etc/nginx/nginx.conf", text)]);
        for text in [
            "server { listen 80 default_server; server_name _; return 444; }",
            "server { listen 80 default_server; return 404 \"none\"; }",
            "server { listen 80; server_name a.example; location / { return 403; } }",
            "server { listen 80; server_name a.example; location = / { return 404; } location / { root /srv; } }",
            "server { listen 80; server_name a.example; return 404; location = / { proxy_pass http://x; } }",
            "server { listen 127.0.0.1:8080; server_name a.example; }",
            "server { listen [::1]:8080; server_name a.example; }",
            "server { listen 443 ssl proxy_protocol; server_name a.example; }",
        ] {
            assert_eq!(here(text), [""; 0], "{text}");
        }
        for (text, expected) in [
            (
                "server { listen 80; server_name _; location / { root /srv; } location = /x { return 404; } }",
                "http://127.0.0.1/",
            ),
            (
                "server { listen 80; server_name a.example; location = / { proxy_pass http://x; } location / { return 404; } }",
                "http://a.example/",
            ),
            (
                "server { listen 127.0.0.1:8080; server_name localhost; }",
                "http://localhost:8080/",
            ),
            (
                "server { listen 80; server_name a.example; return 301 https://b.example/; }",
                "http://a.example/",
            ),
            (
                "server { listen 80; server_name a.example; if ($bad) { return 403; } }",
                "http://a.example/",
            ),
            (
                "server { listen 80; listen 127.0.0.1:81; server_name a.example; }",
                "http://a.example/",
            ),
        ] {
            assert_eq!(here(text), [expected], "{text}");
        }
    }

    #[test]
    fn includes_that_never_end_and_broken_files_are_bounded() {
        let circle = "include nginx.conf; include nginx.conf; server { server_name a.example; }";
        let found = read(&[("/etc/nginx/nginx.conf", circle)]);
        assert_eq!(found, ["http://a.example/"]);
        for text in ["{{{{", "}}}}", "server", "\"", "\\", "include"] {
            assert_eq!(read(&[("/etc/nginx/nginx.conf", text)]), [""; 0], "{text}");
        }
    }
}
