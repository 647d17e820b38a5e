//! One request and the head of its answer, over a connection of its own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::http::response::Parts;
use hyper::http::uri::Scheme;
use hyper::{Request, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::module::Http;
use super::super::reason::{Failure, Reason, Step};
use super::super::samples::Samples;
use super::super::stream::{Plain, Stream, Wanted, addresses, connect};
use super::super::tls;
use super::PHASES;
use super::proxy::Proxy;

/// A head that is longer is no answer.
const HEAD: usize = 64 << 10;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) url: &'a Uri,
    pub(super) method: &'a str,
    /// Whether it goes where the configuration sends it, and not where a redirect does.
    pub(super) to_first: bool,
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Incoming,
    pub(super) began: Instant,
    pub(super) connection: Connection,
}

/// What moves the bytes; it ends with the answer.
pub(super) enum Connection {
    /// Moved by whoever waits for the answer: a task of its own would cost a
    /// change between threads for each piece.
    Here(Option<Pin<Box<dyn Future<Output = ()> + Send>>>),
    /// HTTP/2 goes on by itself.
    Task(JoinHandle<()>),
}

impl Connection {
    /// Waits for something that comes over the connection.
    pub(super) async fn while_moving<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|context| {
            if let Poll::Ready(done) = wanted.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let Self::Here(moving) = self else {
                return Poll::Pending;
            };
            if let Some(connection) = moving
                && connection.as_mut().poll(context).is_ready()
            {
                // How it ended is told by the answer.
                *moving = None;
            }
            wanted.as_mut().poll(context)
        })
        .await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
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
        None => connect(&found, port, None, deadline, samples)
            .await
            .map(|stream| match secure {
                true => Box::new(stream) as Stream,
                false => Box::new(Plain(stream)),
            }),
        Some(proxy) => {
            let tunnel = secure.then_some((host, port));
            proxy.connect(http, tunnel, deadline).await
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
        }
        let secured = tls::secure(
            stream,
            host,
            &config,
            tls_config_protocols(http.enable_http2),
            deadline,
            samples,
        )
        .await;
        samples.phase(PHASES, "tls", began.elapsed().as_secs_f64());
        (stream, protocol) = secured?;
    }

    let two = protocol.as_deref() == Some(b"h2");
    let began = Instant::now();
    let handshake = timeout_at(deadline, Box::pin(handshake(stream, two))).await;
    let (sender, mut connection) = handshake
        .map_err(|_| Failure::new(Reason::SendTimeout, "the request could not be sent"))??;
    let plain = proxy.as_ref().filter(|_| !secure);
    let request = request(http, asked, two, plain)?;
    let answering = async {
        match sender {
            Sender::One(mut sender) => sender.send_request(request).await,
            Sender::Two(mut sender) => sender.send_request(request).await,
        }
    };
    let answer = timeout_at(deadline, connection.while_moving(answering)).await;
    samples.phase(PHASES, "processing", began.elapsed().as_secs_f64());
    let answer = answer
        .map_err(|_| Failure::new(Reason::FirstByteTimeout, "no answer began in time"))?
        .map_err(|err| broken(&err))?;
    let (head, body) = answer.into_parts();
    samples.set("probe_http_status_code", f64::from(head.status.as_u16()));
    Ok(Answer {
        head,
        body,
        began: Instant::now(),
        connection,
    })
}

async fn handshake(stream: Stream, two: bool) -> Step<(Sender, Connection)> {
    let io = TokioIo::new(stream);
    if two {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(io)
            .await
            .map_err(|err| broken(&err))?;
        // How it ends is told by the answer.
        let task = tokio::spawn(async move { drop(connection.await) });
        return Ok((Sender::Two(sender), Connection::Task(task)));
    }
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(io)
        .await
        .map_err(|err| broken(&err))?;
    let moving: Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(async move { drop(connection.await) });
    Ok((Sender::One(sender), Connection::Here(Some(moving))))
}

/// The request; `proxy` is one that reads it.
fn request(
    http: &Http,
    asked: &Asked<'_>,
    two: bool,
    proxy: Option<&Proxy>,
) -> Step<Request<Full<Bytes>>> {
    let bad = |what: &str| Failure::new(Reason::Internal, format!("{what} cannot be sent"));
    let url = asked.url;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let named = http
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = match named.filter(|_| asked.to_first) {
        Some((_, host)) => host.as_str(),
        None => url.authority().map_or("", |authority| authority.as_str()),
    };
    // What stands before an @ is a login, not a host.
    let host = host.rsplit('@').next().unwrap_or(host);
    let target = if two || proxy.is_some() {
        format!("{}://{host}{path}", url.scheme_str().unwrap_or("https"))
    } else {
        path.to_owned()
    };
    let mut request = Request::builder().method(asked.method).uri(target);
    if !two {
        request = request.header(header::HOST, host);
    }
    let has = |wanted: &header::HeaderName| {
        http.headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case(wanted.as_str()))
    };
    if !has(&header::USER_AGENT) {
        request = request.header(
            header::USER_AGENT,
            concat!("belfry/", env!("CARGO_PKG_VERSION")),
        );
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
            let value = header::HeaderValue::from_str(value.expose());
            request = request.header(name, value.map_err(|_| bad("a header"))?);
        }
    }
    if let Some(login) = proxy.and_then(Proxy::login) {
        request = request.header(header::PROXY_AUTHORIZATION, login);
    }
    if let Some(login) = login(http).filter(|_| asked.to_first) {
        let mut value = header::HeaderValue::from_str(&login).map_err(|_| bad("the login"))?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let mut body = Bytes::new();
    if !http.body.is_empty() {
        body = Bytes::from(http.body.clone());
    } else if !http.body_file.as_os_str().is_empty() {
        body = settings::read_file(&http.body_file, 1 << 20)
            .map_err(|_| bad("the body's file"))?
            .into();
    }
    request
        .body(Full::new(body))
        .map_err(|_| bad("the request"))
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
