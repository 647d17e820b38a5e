//! Connections: every address is tried in order, within one deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::module::Protocol;
use super::reason::{Failure, Reason, Step};
use super::resolve::resolve;
use super::samples::Samples;

/// A connection, plain or with TLS.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, plain or with TLS.
pub(super) type Stream = Box<dyn Duplex>;

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) first: Protocol,
    pub(super) fallback: bool,
}

/// The addresses of a host, in the order in which they are to be tried, and how
/// long finding them took. The samples about addresses tell of the first.
pub(super) async fn addresses(
    host: &str,
    wanted: Wanted,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<Vec<IpAddr>> {
    let began = Instant::now();
    let found = resolve(host, deadline).await;
    samples.set(
        "probe_dns_lookup_time_seconds",
        began.elapsed().as_secs_f64(),
    );
    let is_other = |address: &IpAddr| address.is_ipv6() != (wanted.first == Protocol::Ip6);
    let mut ordered = found?;
    if !wanted.fallback {
        ordered.retain(|address| !is_other(address));
    }
    ordered.sort_by_key(is_other);
    match ordered.first() {
        Some(first) => used(*first, samples),
        None => {
            return Err(Failure::new(
                Reason::DnsNoAddress,
                format!("{host} has no address of {}", wanted.first.as_str()),
            ));
        }
    }
    Ok(ordered)
}

/// Says which address is used.
pub(super) fn used(address: IpAddr, samples: &mut Samples) {
    samples.set(
        "probe_ip_protocol",
        if address.is_ipv4() { 4.0 } else { 6.0 },
    );
    samples.set(
        "probe_ip_addr_hash",
        f64::from(super::hash::address(address)),
    );
}

/// Connects as [`connect_to_ask`] does, for a talk: what is said goes out at once.
pub(super) async fn connect(
    addresses: &[IpAddr],
    port: u16,
    from: Option<IpAddr>,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<Stream> {
    let stream = connect_to_ask(addresses, port, from, deadline, samples).await?;
    // It only costs time.
    let _ = stream.set_nodelay(true);
    Ok(Box::new(stream))
}

/// Connects to the first address that answers. Each has a fair part of the time
/// that is left, so that a dead one does not use up that of the next. What is said in
/// one piece goes out at once, and only that.
pub(super) async fn connect_to_ask(
    addresses: &[IpAddr],
    port: u16,
    from: Option<IpAddr>,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<TcpStream> {
    let mut last = Failure::new(Reason::ConnectError, "no address");
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let parts = u32::try_from(addresses.len() - at).unwrap_or(1);
        let part = if parts > 1 { left / (parts + 1) } else { left };
        if left.is_zero() {
            last = Failure::new(Reason::ConnectTimeout, "no time was left");
            break;
        }
        match timeout(
            part.max(Duration::from_millis(1)),
            open(SocketAddr::new(*address, port), from),
        )
        .await
        {
            Ok(Ok(stream)) => {
                used(*address, samples);
                return Ok(stream);
            }
            Ok(Err(err)) => last = Failure::connecting(&err),
            Err(_) => {
                last = Failure::new(Reason::ConnectTimeout, format!("{address} does not answer"));
            }
        }
        last.detail = format!("{} (port {port})", last.detail);
    }
    Err(last)
}

/// Connects from an address of ours, if one is stated.
async fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(to).await;
    };
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

/// Takes host and port apart; a host of IPv6 stands in brackets.
pub(super) fn host_and_port(target: &str, default: Option<u16>) -> Step<(String, u16)> {
    let bad = || Failure::new(Reason::Protocol, "the target is not host:port");
    let (host, port) = match target.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            (host, rest.strip_prefix(':'))
        }
        None => match target.rsplit_once(':') {
            // An address of IPv6 without brackets has no port.
            Some((host, _)) if host.contains(':') => (target, None),
            Some((host, port)) => (host, Some(port)),
            None => (target, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| bad())?,
        None => default.ok_or_else(bad)?,
    };
    if host.is_empty() {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener as Listener, TcpStream as Plain};

    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

    use super::*;

    /// A port of 127.0.0.1 whose queue is full, so that the kernel answers nobody, and
    /// of 127.0.0.2 one that answers.
    fn hanging_and_living() -> (u16, Vec<Plain>, [Listener; 2]) {
        loop {
            let full = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            bind(&full, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            listen(&full, 0).unwrap();
            let full = Listener::from(full);
            let address = full.local_addr().unwrap();
            let Ok(living) = Listener::bind(("127.0.0.2", address.port())) else {
                continue;
            };
            let wait = || Plain::connect_timeout(&address, Duration::from_millis(300)).ok();
            let waiting = std::iter::from_fn(wait).take(64).collect();
            return (address.port(), waiting, [full, living]);
        }
    }

    #[tokio::test]
    async fn an_address_that_hangs_leaves_the_others_their_time() {
        let (port, _waiting, _listeners) = hanging_and_living();
        let [hangs, lives] = ["127.0.0.1", "127.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let mut samples = Samples::default();
        let deadline = || Instant::now() + Duration::from_secs(9);
        let stream =
            connect_to_ask(&[hangs, hangs, lives], port, None, deadline(), &mut samples).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap().ip(), lives);
        assert_eq!(
            samples.get("probe_ip_addr_hash", &[]),
            Some(f64::from(super::super::hash::address(lives)))
        );
        // The one that answers is first: no other is waited for.
        let stream = connect_to_ask(&[lives, hangs], port, None, deadline(), &mut samples).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap().ip(), lives);
        let soon = Instant::now() + Duration::from_secs(1);
        let failure = connect_to_ask(&[hangs, hangs], port, None, soon, &mut samples).await;
        assert_eq!(failure.unwrap_err().reason, Reason::ConnectTimeout);
    }

    #[test]
    fn targets_are_taken_apart() {
        for (target, default, expected) in [
            ("host:22", None, Some(("host", 22))),
            ("host", Some(53), Some(("host", 53))),
            ("127.0.0.1:53", None, Some(("127.0.0.1", 53))),
            ("[::1]:53", None, Some(("::1", 53))),
            ("[::1]", Some(53), Some(("::1", 53))),
            ("::1", Some(53), Some(("::1", 53))),
            ("host", None, None),
            (":22", None, None),
            ("host:99999", None, None),
            ("[::1", Some(1), None),
            ("", Some(1), None),
        ] {
            let parsed = host_and_port(target, default).ok();
            assert_eq!(
                parsed,
                expected.map(|(host, port)| (host.to_owned(), port)),
                "{target}"
            );
        }
    }
}
