//! One request and the head of its answer, over a connection of its own.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::module::Http;
use super::super::reason::{Failure, Reason, Step};
use super::super::samples::Samples;
use super::super::stream::{Stream, Wanted, addresses, connect, connect_to_ask};
use super::super::tls;
use super::PHASES;
use super::once::{self, Head};
use super::proxy::Proxy;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) url: &'a Uri,
    pub(super) method: &'a str,
    /// Whether it goes where the configuration sends it, and not where a redirect does.
    pub(super) to_first: bool,
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: Body,
    pub(super) began: Instant,
}

/// What is to come of an answer.
pub(super) enum Body {
    One(once::Body),
    Two {
        body: Incoming,
        piece: Bytes,
        /// HTTP/2 goes on by itself, and ends with the answer.
        _connection: Moving,
    },
}

impl Body {
    /// The next piece; nothing at the end.
    pub(super) async fn piece(&mut self) -> Step<Option<&[u8]>> {
        match self {
            Self::One(body) => body.piece().await,
            Self::Two { body, piece, .. } => loop {
                let Some(frame) = body.frame().await else {
                    return Ok(None);
                };
                if let Ok(data) = frame.map_err(|err| broken(&err))?.into_data() {
                    *piece = data;
                    return Ok(Some(piece));
                }
            },
        }
    }
}

/// What moves the bytes of HTTP/2.
pub(super) struct Moving(JoinHandle<()>);

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is offered with TLS.
fn tls_config_protocols(http2: bool) -> &'static [&'static [u8]] {
    if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    }
}

/// Connects, asks, and waits for the head.
pub(super) async fn run(
    http: &Http,
    asked: &Asked<'_>,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<Answer> {
    let secure = asked.url.scheme() == Some(&Scheme::HTTPS);
    let host = asked.url.host().unwrap_or_default();
    let port = asked
        .url
        .port_u16()
        .unwrap_or(if secure { 443 } else { 80 });
    samples.flag("probe_http_ssl", secure);

    let proxy = Proxy::of(http)?;
    let mut found = Vec::new();
    if proxy.is_none() || !http.skip_resolve_phase_with_proxy {
        let began = Instant::now();
        let wanted = Wanted {
            first: http.preferred_ip_protocol,
            fallback: http.ip_protocol_fallback,
        };
        let resolved = addresses(host, wanted, deadline, samples).await;
        samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());
        found = resolved?;
    }
    let began = Instant::now();
    let connected: Step<Stream> = match &proxy {
        None if !secure && is_short(http, asked.url) => {
            let connecting = connect_to_ask(&found, port, None, deadline, samples).await;
            connecting.map(|stream| Box::new(stream) as Stream)
        }
        None => connect(&found, port, None, deadline, samples).await,
        Some(proxy) => {
            let tunnel = secure.then_some((host, port));
            Box::pin(proxy.connect(http, tunnel, deadline)).await
        }
    };
    samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());
    let mut stream = connected?;
    let mut protocol = None;
    if secure {
        let began = Instant::now();
        // Only where it is sent by us the certificate may be for another name.
        let mut config = http.tls_config.clone();
        if !asked.to_first {
            config.server_name.clear();
            config.certificate_on_disk.clear();
        } else if config.server_name.is_empty()
            && let Some(host) = http.host()
        {
            // It may be asked by its address.
            config.server_name = without_port(host).to_owned();
        }
        let protocols = tls_config_protocols(http.enable_http2);
        let securing = tls::secure(stream, host, &config, protocols, deadline, samples);
        let secured = Box::pin(securing).await;
        samples.phase(PHASES, "tls", began.elapsed().as_secs_f64());
        (stream, protocol) = secured?;
    }

    let two = protocol.as_deref() == Some(b"h2");
    let began = Instant::now();
    let plain = proxy.as_ref().filter(|_| !secure);
    let answer = match two {
        true => {
            let connecting = timeout_at(deadline, Box::pin(handshake(stream))).await;
            let (mut sender, moving) = connecting.map_err(|_| {
                Failure::new(Reason::SendTimeout, "the request could not be sent")
            })??;
            let request = request(http, asked, two, plain)?.map(Full::new);
            let answering = async { sender.send_request(request).await };
            let answer = timeout_at(deadline, answering).await;
            answer.map(|answer| match answer {
                Ok(answer) => Ok(second(answer, moving)),
                Err(err) => Err(broken(&err)),
            })
        }
        false => {
            let request = request(http, asked, two, plain)?;
            let answer = timeout_at(deadline, once::ask(stream, secure, &request)).await;
            answer.map(|answer| answer.map(|(head, body)| (head, Body::One(body))))
        }
    };
    samples.phase(PHASES, "processing", began.elapsed().as_secs_f64());
    let answer =
        answer.map_err(|_| Failure::new(Reason::FirstByteTimeout, "no answer began in time"))?;
    let (head, body) = answer?;
    samples.set("probe_http_status_code", f64::from(head.status.as_u16()));
    Ok(Answer {
        head,
        body,
        began: Instant::now(),
    })
}

/// Whether a request goes out in one piece: one that is longer than a packet must not have
/// its end wait until the rest of it has arrived.
fn is_short(http: &Http, url: &Uri) -> bool {
    let path = url.path_and_query().map_or(0, |path| path.as_str().len());
    let has_login = http.authorization.is_some() || !http.bearer_token.is_empty();
    let has_headers = !http.headers.is_empty() || !http.http_headers.is_empty();
    http.body.is_empty() && !has_login && !has_headers && path < 512
}

/// An answer of HTTP/2.
fn second(answer: Response<Incoming>, moving: Moving) -> (Head, Body) {
    let (parts, body) = answer.into_parts();
    let head = Head {
        status: parts.status,
        version: parts.version,
        headers: parts.headers,
    };
    let body = Body::Two {
        body,
        piece: Bytes::new(),
        _connection: moving,
    };
    (head, body)
}

async fn handshake(stream: Stream) -> Step<(http2::SendRequest<Full<Bytes>>, Moving)> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|err| broken(&err))?;
    // How it ends is told by the answer.
    let task = tokio::spawn(async move { drop(connection.await) });
    Ok((sender, Moving(task)))
}

/// The name in a header, which may have a port behind it.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The request; `proxy` is one that reads it.
fn request(
    http: &Http,
    asked: &Asked<'_>,
    two: bool,
    proxy: Option<&Proxy>,
) -> Step<Request<Bytes>> {
    let bad = |what: &str| Failure::new(Reason::Internal, format!("{what} cannot be sent"));
    let url = asked.url;
    let host = match http.host().filter(|_| asked.to_first) {
        Some(host) => host,
        None => url.authority().map_or("", |authority| authority.as_str()),
    };
    // What stands before an @ is a login, not a host.
    let host = host.rsplit('@').next().unwrap_or(host);
    let request = Request::builder().method(asked.method);
    // Without one it is a slash.
    let path = url.path_and_query().filter(|path| path.as_str() != "/");
    let mut request = if two || proxy.is_some() {
        let scheme = url.scheme_str().unwrap_or("https");
        let path = path.map_or("/", |path| path.as_str());
        request.uri(format!("{scheme}://{host}{path}"))
    } else {
        request.uri(path.cloned().map(Uri::from).unwrap_or_default())
    };
    if !two {
        request = request.header(header::HOST, host);
    }
    let has = |wanted: &header::HeaderName| {
        let mut own = http.headers.keys().chain(http.http_headers.keys());
        own.any(|name| name.eq_ignore_ascii_case(wanted.as_str()))
    };
    if !has(&header::USER_AGENT) {
        let own = concat!("belfry/", env!("CARGO_PKG_VERSION"));
        request = request.header(header::USER_AGENT, HeaderValue::from_static(own));
    }
    // There is no next request: who answers need not wait for one.
    if !two && !has(&header::CONNECTION) {
        request = request.header(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if !http.compression.is_empty() && !has(&header::ACCEPT_ENCODING) {
        request = request.header(header::ACCEPT_ENCODING, &http.compression);
    }
    for (name, value) in &http.headers {
        if !name.eq_ignore_ascii_case("host") && (asked.to_first || !secret(name)) {
            request = request.header(name, value);
        }
    }
    for (name, values) in &http.http_headers {
        for value in &values.values {
            request = request.header(name, value);
        }
        for value in values.secrets.iter().filter(|_| asked.to_first) {
            let value = HeaderValue::from_str(value.expose());
            request = request.header(name, value.map_err(|_| bad("a header"))?);
        }
    }
    if let Some(login) = proxy.and_then(Proxy::login) {
        request = request.header(header::PROXY_AUTHORIZATION, login);
    }
    if let Some(login) = login(http).filter(|_| asked.to_first) {
        let mut value = HeaderValue::from_str(&login).map_err(|_| bad("the login"))?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let body = Bytes::from(http.body.clone());
    request.body(body).map_err(|_| bad("the request"))
}

/// Whether a header must not go where a redirect leads.
fn secret(name: &str) -> bool {
    [
        "authorization",
        "cookie",
        "proxy-authorization",
        "www-authenticate",
    ]
    .iter()
    .any(|one| name.eq_ignore_ascii_case(one))
        || settings::names_secret(name)
}

fn login(http: &Http) -> Option<String> {
    if let Some(basic) = &http.basic_auth {
        let pair = format!("{}:{}", basic.username, basic.password.expose());
        return Some(format!(
            "Basic {}",
            data_encoding::BASE64.encode(pair.as_bytes())
        ));
    }
    if let Some(own) = &http.authorization {
        return Some(format!("{} {}", own.r#type, own.credentials.expose()));
    }
    let token = &http.bearer_token;
    (!token.is_empty()).then(|| format!("Bearer {}", token.expose()))
}

/// What became of an exchange that did not end well.
pub(in super::super) fn broken(err: &hyper::Error) -> Failure {
    let mut cause: Option<&dyn std::error::Error> = Some(err);
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            return Failure::talking(io);
        }
        cause = this.source();
    }
    if err.is_incomplete_message() || err.is_closed() || err.is_canceled() {
        return Failure::new(
            Reason::Closed,
            "the connection was closed before the answer was whole",
        );
    }
    Failure::new(Reason::Protocol, format!("this is not HTTP: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_a_path_or_all_of_a_url() {
        for (url, path, whole) in [
            ("http://a", "/", "http://a/"),
            ("http://a/", "/", "http://a/"),
            ("http://a:1/b?c", "/b?c", "http://a:1/b?c"),
            ("http://a?c", "/?c", "http://a/?c"),
        ] {
            let url: Uri = url.parse().unwrap();
            let asked = Asked {
                url: &url,
                method: "GET",
                to_first: true,
            };
            for (two, expected) in [(false, path), (true, whole)] {
                let request = request(&Http::default(), &asked, two, None).unwrap();
                assert_eq!(request.uri().to_string(), expected, "{url}");
            }
        }
    }

    #[test]
    fn a_request_says_that_it_is_the_last_one_where_that_means_something() {
        let url: Uri = "http://a/".parse().unwrap();
        let asked = Asked {
            url: &url,
            method: "GET",
            to_first: true,
        };
        let own = Http {
            headers: [("Connection".to_owned(), "keep-alive".to_owned())].into(),
            ..Http::default()
        };
        let mut newer = Http::default();
        let values = newer.http_headers.entry("connection".to_owned());
        values.or_default().values = vec!["keep-alive".to_owned()];
        let none = Http::default();
        for (http, two, expected) in [
            (&none, false, Some("close")),
            (&none, true, None),
            (&own, false, Some("keep-alive")),
            (&newer, false, Some("keep-alive")),
        ] {
            let request = request(http, &asked, two, None).unwrap();
            let values: Vec<_> = request.headers().get_all("connection").iter().collect();
            assert_eq!(values, expected.as_slice(), "{two}");
        }
    }
}
