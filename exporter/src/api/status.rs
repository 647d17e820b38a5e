//! What nginx and Caddy say of themselves: stub_status under the names of
//! nginx's own exporter, and Caddy's metrics as they are.

use std::collections::BTreeMap;

use exposition::{Entry, Format, Kind, NAME};
use reqwest::Client;

use super::config::Proxy;
use crate::pieces::Sheet;
use crate::served::Trouble;

/// A page that is longer is refused, in bytes.
const LONGEST: usize = 8 << 20;
/// So many samples are taken of a page.
const MOST_SAMPLES: usize = 20_000;

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Nginx,
    Caddy,
}

/// Fetches a page.
pub(super) async fn fetch(client: &Client, proxy: &Proxy) -> Result<String, Trouble> {
    let told = |err: reqwest::Error| -> Trouble {
        match err {
            err if err.is_timeout() => "no answer in time".into(),
            err if err.is_connect() => "cannot connect".into(),
            _ => "the answer is malformed".into(),
        }
    };
    let mut response = client.get(&proxy.url).send().await.map_err(told)?;
    if !response.status().is_success() {
        return Err(Trouble {
            text: format!("the answer is {}", response.status().as_u16()),
            wants_password: false,
        });
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(told)? {
        if body.len() + piece.len() > LONGEST {
            return Err("the answer is too large".into());
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| "the answer is no text".into())
}

/// Writes what a page says.
pub(super) fn encode(server: Server, page: &str, sheet: &mut Sheet) -> Result<(), Trouble> {
    match server {
        Server::Nginx => {
            let status = stub_status(page).ok_or("this is no stub_status page")?;
            nginx(&status, sheet);
            Ok(())
        }
        Server::Caddy => caddy(page, sheet),
    }
}

/// The numbers of a stub_status page, in its order.
fn stub_status(page: &str) -> Option<[f64; 7]> {
    let mut lines = page.lines();
    let active = lines.next()?.strip_prefix("Active connections:")?.trim();
    lines.next()?.starts_with("server accepts").then_some(())?;
    let numbers: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let states: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let [accepted, handled, requests] = numbers[..] else {
        return None;
    };
    let [
        "Reading:",
        reading,
        "Writing:",
        writing,
        "Waiting:",
        waiting,
    ] = states[..]
    else {
        return None;
    };
    let all = [
        active, accepted, handled, requests, reading, writing, waiting,
    ];
    let mut out = [0.0; 7];
    for (out, text) in out.iter_mut().zip(all) {
        *out = text.parse::<u64>().ok()? as f64;
    }
    Some(out)
}

fn nginx(status: &[f64; 7], sheet: &mut Sheet) {
    let families = [
        (
            "nginx_connections_active",
            "Connections of clients.",
            Kind::Gauge,
        ),
        (
            "nginx_connections_accepted",
            "Connections that were accepted.",
            Kind::Counter,
        ),
        (
            "nginx_connections_handled",
            "Connections that were handled.",
            Kind::Counter,
        ),
        ("nginx_http_requests_total", "Requests.", Kind::Counter),
        (
            "nginx_connections_reading",
            "Connections whose request is being read.",
            Kind::Gauge,
        ),
        (
            "nginx_connections_writing",
            "Connections whose answer is being written.",
            Kind::Gauge,
        ),
        (
            "nginx_connections_waiting",
            "Idle connections.",
            Kind::Gauge,
        ),
    ];
    for ((name, help, kind), value) in families.into_iter().zip(status) {
        sheet.single(name, help, kind, *value);
    }
}

/// Caddy's own families; those of the language's runtime are left out.
fn caddy(page: &str, sheet: &mut Sheet) -> Result<(), Trouble> {
    let mut kinds: BTreeMap<String, (Kind, String)> = BTreeMap::new();
    let mut samples = 0;
    for entry in Format::Text.parse(page) {
        match entry.map_err(|_| "this is no page of metrics")? {
            Entry::Help(name, help) if name.starts_with("caddy_") => {
                let kind = kinds.entry(name.to_owned());
                kind.or_insert((Kind::Untyped, String::new())).1 = help;
            }
            Entry::Type(name, kind) if name.starts_with("caddy_") => {
                let known = kinds.entry(name.to_owned());
                known.or_insert((Kind::Untyped, String::new())).0 = kind;
            }
            Entry::Sample(sample) if sample.labels.name().starts_with("caddy_") => {
                samples += 1;
                if samples > MOST_SAMPLES {
                    return Err("the page has too many samples".into());
                }
                let name = sample.labels.name();
                let parts = ["_bucket", "_sum", "_count"].into_iter();
                let of = |part: &&str| {
                    let family = name.strip_suffix(*part);
                    family.is_some_and(|family| kinds.contains_key(family))
                };
                let suffix = match kinds.contains_key(name) {
                    true => "",
                    false => parts.clone().find(of).unwrap_or_default(),
                };
                let family = name.strip_suffix(suffix).unwrap_or(name);
                let untyped = (Kind::Untyped, String::new());
                let (kind, help) = kinds.get(family).unwrap_or(&untyped);
                let labels: Vec<_> = sample
                    .labels
                    .iter()
                    .filter(|(name, _)| *name != NAME)
                    .collect();
                sheet
                    .family(family, help, *kind)
                    .suffixed(suffix, &labels, sample.value);
            }
            _ => {}
        }
    }
    match samples {
        0 => Err("no metrics of Caddy are on this page".into()),
        _ => Ok(()),
    }
}

/// Reads the bytes as the page of a proxy, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for server in [Server::Nginx, Server::Caddy] {
        let mut sheet = Sheet::new(&"".into());
        if encode(server, &text, &mut sheet).is_ok() {
            sheet.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn page(server: Server, text: &str) -> Result<String, Trouble> {
        let mut sheet = Sheet::new(&"web".into());
        encode(server, text, &mut sheet)?;
        Ok(crate::pieces::page(&[Arc::new(sheet.finish())]))
    }

    #[test]
    fn stub_status_comes_under_the_usual_names() {
        let text = "Active connections: 3 \nserver accepts handled requests\n 10 9 30 \nReading: 0 Writing: 1 Waiting: 2 \n";
        let page = page(Server::Nginx, text).unwrap();
        for line in [
            "nginx_connections_active{instance=\"web\"} 3\n",
            "# TYPE nginx_connections_accepted counter\n",
            "nginx_connections_accepted{instance=\"web\"} 10\n",
            "nginx_connections_handled{instance=\"web\"} 9\n",
            "nginx_http_requests_total{instance=\"web\"} 30\n",
            "nginx_connections_reading{instance=\"web\"} 0\n",
            "nginx_connections_writing{instance=\"web\"} 1\n",
            "nginx_connections_waiting{instance=\"web\"} 2\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }

    #[test]
    fn what_is_another_page_is_refused() {
        for text in [
            "",
            "<html>404</html>",
            "Active connections: x\nserver accepts handled requests\n1 1 1\nReading: 0 Writing: 1 Waiting: 2\n",
            "Active connections: 3\nserver accepts handled requests\n1 1\nReading: 0 Writing: 1 Waiting: 2\n",
            "Active connections: 3\nserver accepts handled requests\n1 1 -1\nReading: 0 Writing: 1 Waiting: 2\n",
        ] {
            assert!(page(Server::Nginx, text).is_err(), "{text}");
        }
        for text in ["", "go_goroutines 1\n", "<html>", "caddy_x{\n"] {
            assert!(page(Server::Caddy, text).is_err(), "{text}");
        }
    }

    #[test]
    fn caddys_families_keep_their_types_and_get_our_label() {
        let text = "\
# HELP caddy_http_request_duration_seconds Times.
# TYPE caddy_http_request_duration_seconds histogram
caddy_http_request_duration_seconds_bucket{handler=\"reverse_proxy\",le=\"0.1\"} 2
caddy_http_request_duration_seconds_bucket{handler=\"reverse_proxy\",le=\"+Inf\"} 3
caddy_http_request_duration_seconds_sum{handler=\"reverse_proxy\"} 1.5
caddy_http_request_duration_seconds_count{handler=\"reverse_proxy\"} 3
# TYPE caddy_http_requests_total counter
caddy_http_requests_total{server=\"a\\\"b\"} 3
# TYPE go_goroutines gauge
go_goroutines 12
";
        let page = page(Server::Caddy, text).unwrap();
        for line in [
            "# TYPE caddy_http_request_duration_seconds histogram\n",
            "caddy_http_request_duration_seconds_bucket{instance=\"web\",handler=\"reverse_proxy\",le=\"+Inf\"} 3\n",
            "caddy_http_request_duration_seconds_sum{instance=\"web\",handler=\"reverse_proxy\"} 1.5\n",
            "caddy_http_requests_total{instance=\"web\",server=\"a\\\"b\"} 3\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("go_"));
    }
}
