//! The way through a proxy of HTTP: a tunnel where TLS is spoken, and the whole
//! address in the request where it is not.

use hyper::Uri;
use tokio::time::Instant;

use super::super::module::{Http, Protocol};
use super::super::reason::{Failure, Reason, Step};
use super::super::samples::Samples;
use super::super::stream::{Stream, Wanted, addresses, connect};
use super::super::talk::Talk;

/// A proxy, and what it is told of who asks.
pub(super) struct Proxy {
    host: String,
    port: u16,
    login: Option<String>,
}

impl Proxy {
    /// The proxy of a module; nothing if there is none.
    pub(super) fn of(http: &Http) -> Step<Option<Self>> {
        let text = http.proxy_url.expose();
        if text.is_empty() {
            return Ok(None);
        }
        // The URL itself may hold a password.
        let bad = || Failure::new(Reason::Proxy, "proxy_url is no URL of http");
        let url: Uri = text.parse().map_err(|_| bad())?;
        let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(bad());
        };
        let login = authority.as_str().rsplit_once('@').map(|(login, _)| {
            let login = data_encoding::BASE64.encode(&unescaped(login));
            format!("Basic {login}")
        });
        Ok(Some(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            login,
        }))
    }

    /// What the proxy is told in a request of its own.
    pub(super) fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// Connects to the proxy, and through it where `tunnel` names host and port.
    pub(super) async fn connect(
        &self,
        http: &Http,
        tunnel: Option<(&str, u16)>,
        deadline: Instant,
    ) -> Step<Stream> {
        // What is measured is the target, not the proxy.
        let mut unseen = Samples::default();
        let wanted = Wanted {
            first: Protocol::Ip4,
            fallback: true,
        };
        let found = addresses(&self.host, wanted, deadline, &mut unseen)
            .await
            .map_err(told)?;
        let stream = connect(&found, self.port, None, deadline, &mut unseen)
            .await
            .map_err(told)?;
        let Some((host, port)) = tunnel else {
            return Ok(stream);
        };
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        let login = self
            .login
            .iter()
            .map(|login| ("Proxy-Authorization", &**login));
        let headers = http.proxy_connect_header.iter().flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.as_str(), value.expose()))
        });
        for (name, value) in login.chain(headers) {
            if name.contains(['\r', '\n', ':']) || value.contains(['\r', '\n']) {
                return Err(Failure::new(Reason::Internal, "a header cannot be sent"));
            }
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut talk = Talk::new(stream, deadline);
        talk.send(request.as_bytes()).await.map_err(told)?;
        opened(&mut talk).await?;
        Ok(talk.into_stream())
    }
}

/// Reads what a proxy says to a tunnel, up to the end of its head.
async fn opened(talk: &mut Talk) -> Step<()> {
    match talk.status().await.map_err(told)? {
        Some(200..=299) => {}
        Some(status) => {
            return Err(Failure::new(
                Reason::Proxy,
                format!("the proxy answers with the status {status}"),
            ));
        }
        None => return Err(Failure::new(Reason::Proxy, "this is no proxy")),
    }
    while !talk.line().await.map_err(told)?.is_empty() {}
    Ok(())
}

/// Whether a tunnel is opened, for those who throw any bytes at it.
pub(in super::super) async fn any(mut talk: Talk) -> bool {
    opened(&mut talk).await.is_ok()
}

/// A failure on the way to the proxy is the proxy's.
fn told(failure: Failure) -> Failure {
    Failure::new(Reason::Proxy, failure.to_string())
}

/// A login without the signs that stand for others in a URL.
fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        let of = |text: &str| {
            let http = Http {
                proxy_url: settings::Secret::new(text),
                ..Http::default()
            };
            Proxy::of(&http).map(|proxy| proxy.map(|one| (one.host, one.port, one.login)))
        };
        assert_eq!(of("").unwrap(), None);
        let plain = ("proxy.test".to_owned(), 3128, None);
        assert_eq!(of("http://proxy.test:3128").unwrap(), Some(plain));
        let login = Some("Basic a2ltOmFAYg==".to_owned());
        assert_eq!(
            of("http://kim:a%40b@p").unwrap(),
            Some(("p".to_owned(), 80, login))
        );
        for bad in ["socks5://p:1", "p:1", "http://"] {
            let told = of(bad).unwrap_err();
            assert_eq!(told.reason, Reason::Proxy, "{bad}");
        }
        assert_eq!(unescaped("a%4"), b"a%4");
        assert_eq!(unescaped("%zz%41"), b"%zzA");
    }
}
