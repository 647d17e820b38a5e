//! Targets that stand in somebody else's configuration already: the sites that
//! Caddy and nginx serve, and what collected series name.
//!
//! Reading only: who fetches a file, asks Caddy or evaluates an expression is the
//! wiring. What cannot be understood is left out, never guessed.

mod caddy;
mod caddyfile;
mod nginx;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

pub use nginx::sites as nginx;

use super::Target;

settings::section! {
    /// Targets that are found where sites are configured already; they end when
    /// they do not stand there any more.
    pub struct Discover {
        /// How often it is looked.
        pub interval: Duration = Duration::from_secs(60),
        /// The module by which sites are looked at.
        pub module: String = "http_2xx".to_owned(),
        /// Caddy's sites: the address of its admin API, such as http://127.0.0.1:2019, or files: a Caddyfile, or its configuration in JSON.
        pub caddy: Vec<String> = vec![],
        /// nginx's sites: its main file, such as /etc/nginx/nginx.conf, or files of servers; patterns may be used.
        pub nginx: Vec<String> = vec![],
        /// Whether ports that compose files publish are looked at by tcp_connect, whether their services run or not. A service with the label belfry.probe is looked at as that says, with or without this.
        pub compose: bool = false,
        /// Expressions of PromQL; of each series that one gives, the label `target` or `url` is looked at, under the label `name`, by the label `module`. With a question of `exporter.postgres.queries` the targets come from a table.
        pub series: Vec<String> = vec![],
    }
}

/// So many targets are taken of one source.
const MOST: usize = 1000;

/// The sites of a Caddy, from its JSON or from a Caddyfile.
pub fn caddy(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('{') {
        // A Caddyfile with global options begins so too.
        match serde_json::from_str(text) {
            Ok(config) => return Ok(caddy::sites(&config)),
            Err(err) if err.line() > 1 || !text.contains('\n') && text.contains('"') => {
                return match caddyfile::sites(text) {
                    sites if sites.is_empty() => {
                        Err(format!("neither JSON nor a Caddyfile: {err}"))
                    }
                    sites => Ok(sites),
                };
            }
            Err(_) => {}
        }
    }
    Ok(caddyfile::sites(text))
}

impl Discover {
    /// Whether anything is looked for.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !(self.caddy.is_empty() && self.nginx.is_empty() && self.series.is_empty())
    }

    /// Sites as targets, each once.
    #[must_use]
    pub fn targets(&self, sites: Vec<String>) -> Vec<Target> {
        let sites: BTreeSet<String> = sites.into_iter().take(MOST).collect();
        let target = |url: String| Target {
            target: url,
            module: self.module.clone(),
            ..Target::default()
        };
        sites.into_iter().map(target).collect()
    }

    /// What the labels of series name.
    #[must_use]
    pub fn named<'a, L>(&self, series: impl Iterator<Item = L>) -> Vec<Target>
    where
        L: Fn(&str) -> &'a str,
    {
        let target = |label: L| {
            let target = [label("target"), label("url")]
                .into_iter()
                .find(|target| !target.is_empty())?;
            let module = Some(label("module")).filter(|module| !module.is_empty());
            Some(Target {
                name: label("name").to_owned(),
                target: target.to_owned(),
                module: module.unwrap_or(&self.module).to_owned(),
                ..Target::default()
            })
        };
        series.take(MOST).filter_map(target).collect()
    }
}

/// A site of this name as a URL; nothing where a name stands for many.
fn url(secure: bool, name: &str, port: Option<u16>) -> Option<String> {
    let name = name.trim_end_matches('.');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let name = match name.matches(':').count() > 1 && !name.starts_with('[') {
        true => format!("[{name}]"),
        false => name.to_owned(),
    };
    let (scheme, usual) = if secure { ("https", 443) } else { ("http", 80) };
    Some(match port.filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{name}:{port}/"),
        None => format!("{scheme}://{name}/"),
    })
}

/// Host and port of an address such as `host:port`, `:port`, `[::1]:443`, `host`.
fn host_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (host, port.parse().ok())
        }
        _ => (text, None),
    }
}

/// Whether a name leads to a server that listens at this host: nobody's name but those of
/// this host itself leads to its loopback interface, where another proxy reaches the server.
fn leads_to(name: &str, host: &str) -> bool {
    !is_loopback(host) || is_loopback(name)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an answer of this status is there to turn requests away.
fn turns_away(status: u16) -> bool {
    status >= 400
}

/// Where a server without a name is reached: at its address, or from this host.
fn nameless(host: &str) -> &str {
    match host {
        "" | "*" | "0.0.0.0" | "[::]" | "::" => "127.0.0.1",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_urls_and_what_stands_for_many_is_none() {
        for (secure, name, port, expected) in [
            (true, "a.example", Some(443), Some("https://a.example/")),
            (
                true,
                "a.example.",
                Some(8443),
                Some("https://a.example:8443/"),
            ),
            (false, "a.example", None, Some("http://a.example/")),
            (false, "::1", Some(8080), Some("http://[::1]:8080/")),
            (true, "*.a.example", None, None),
            (true, "{host}", None, None),
            (true, "a b", None, None),
            (true, "", None, None),
        ] {
            assert_eq!(url(secure, name, port).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn json_and_caddyfiles_are_told_apart() {
        let json = r#"{"apps":{"http":{"servers":{"a":{"listen":[":443"],"routes":[{"match":[{"host":["a.example"]}]}]}}}}}"#;
        assert_eq!(caddy(json).unwrap(), ["https://a.example/"]);
        assert_eq!(
            caddy("{\n\tadmin off\n}\nb.example {\n}\n").unwrap(),
            ["https://b.example/"]
        );
        assert_eq!(
            caddy("c.example\nrespond hi\n").unwrap(),
            ["https://c.example/"]
        );
        assert!(caddy("{\"apps\": ").is_err());
    }

    #[test]
    fn series_name_targets_by_their_labels() {
        let discover = Discover::default();
        let series = [
            vec![("url", "https://a.example/"), ("name", "a")],
            vec![("target", "b:22"), ("module", "ssh_banner")],
            vec![("name", "c")],
        ];
        let found = discover.named(series.iter().map(|labels| {
            |name: &str| {
                let found = labels.iter().find(|(have, _)| *have == name);
                found.map_or("", |(_, value)| *value)
            }
        }));
        let found: Vec<_> = found
            .iter()
            .map(|target| (target.called(), &*target.target, &*target.module))
            .collect();
        assert_eq!(
            found,
            [
                ("a", "https://a.example/", "http_2xx"),
                ("b:22", "b:22", "ssh_banner")
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~\n]{0,200}") {
            let _ = caddy(&text);
            let _ = nginx("/etc/nginx/nginx.conf".as_ref(), &mut |_| vec![text.clone()]);
        }
    }
}
