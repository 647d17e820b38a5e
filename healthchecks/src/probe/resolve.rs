//! Finding the addresses of a host without a thread that may hang: the hosts
//! file, then the name servers of `resolv.conf`, each within its time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::message::{self, Message};
use super::reason::{Failure, Reason, Step};

/// A name server that is silent for so long is asked again, or the next one is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Each name server is asked so often.
const ROUNDS: usize = 2;

/// The addresses of a host.
pub(super) async fn resolve(host: &str, deadline: Instant) -> Step<Vec<IpAddr>> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() || name.len() > 253 {
        return Err(Failure::new(Reason::DnsError, "this is no host"));
    }
    let listed = in_hosts(
        &std::fs::read_to_string("/etc/hosts").unwrap_or_default(),
        &name,
    );
    if !listed.is_empty() {
        return Ok(listed);
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
    }
    let setup = Setup::read(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    let mut last = Failure::new(Reason::DnsError, "no name to ask for");
    for candidate in setup.candidates(&name, host.ends_with('.')) {
        // Most addresses need nobody's answer, and so no room for waiting for one.
        match Box::pin(ask_all(&setup, &candidate, deadline)).await {
            Ok(found) => return Ok(found),
            Err(failure)
                if matches!(failure.reason, Reason::DnsNxdomain | Reason::DnsNoAddress) =>
            {
                last = failure;
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

/// The name servers of the system.
pub(super) fn system() -> Vec<SocketAddr> {
    Setup::read(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()).servers
}

/// The addresses of a name by the word of one name server.
pub(super) async fn ask_one(
    server: SocketAddr,
    name: &str,
    deadline: Instant,
) -> Step<Vec<IpAddr>> {
    let setup = Setup {
        servers: vec![server],
        search: Vec::new(),
        dots: 1,
    };
    ask_all(&setup, name, deadline).await
}

/// Asks for both kinds of addresses at once.
async fn ask_all(setup: &Setup, name: &str, deadline: Instant) -> Step<Vec<IpAddr>> {
    let (six, four) = tokio::join!(
        ask(setup, name, 28, deadline),
        ask(setup, name, 1, deadline)
    );
    let mut found = Vec::new();
    let mut failure = None;
    for one in [six, four] {
        match one {
            Ok(mut addresses) => found.append(&mut addresses),
            Err(err) => failure = Some(err),
        }
    }
    match failure {
        Some(failure) if found.is_empty() => Err(failure),
        _ if found.is_empty() => Err(Failure::new(
            Reason::DnsNoAddress,
            format!("{name} has no address"),
        )),
        _ => Ok(found),
    }
}

async fn ask(setup: &Setup, name: &str, kind: u16, deadline: Instant) -> Step<Vec<IpAddr>> {
    let mut last = Failure::new(Reason::DnsError, "no name server is configured");
    for server in std::iter::repeat_n(&setup.servers, ROUNDS).flatten() {
        let until = deadline.min(Instant::now() + PATIENCE);
        let answer = match exchange(*server, name, kind, 1, true, until).await {
            Ok(answer) => answer,
            Err(mut failure) => {
                if failure.reason == Reason::NoReply {
                    failure.reason = Reason::DnsTimeout;
                } else {
                    failure.reason = Reason::DnsError;
                }
                last = failure;
                if Instant::now() >= deadline {
                    break;
                }
                continue;
            }
        };
        match answer.rcode {
            0 => {
                return Ok(answer
                    .answer
                    .iter()
                    .filter_map(|record| record.address)
                    .collect());
            }
            3 => {
                return Err(Failure::new(
                    Reason::DnsNxdomain,
                    format!("{name} does not exist"),
                ));
            }
            rcode => {
                let reason = match rcode {
                    2 => Reason::DnsServfail,
                    5 => Reason::DnsRefused,
                    _ => Reason::DnsError,
                };
                last = Failure::new(
                    reason,
                    format!("{server} answers {} for {name}", message::rcode_name(rcode)),
                );
            }
        }
    }
    Err(last)
}

/// Asks one server over UDP, and over TCP what does not fit.
pub(super) async fn exchange(
    server: SocketAddr,
    name: &str,
    kind: u16,
    class: u16,
    recursion: bool,
    deadline: Instant,
) -> Step<Message> {
    let answer = exchange_udp(server, None, name, kind, class, recursion, deadline).await?;
    if !answer.truncated {
        return Ok(answer);
    }
    let connecting = timeout_at(deadline, TcpStream::connect(server)).await;
    let stream = connecting
        .map_err(|_| Failure::new(Reason::ConnectTimeout, format!("{server} does not answer")))?
        .map_err(|err| Failure::connecting(&err))?;
    exchange_stream(stream, name, kind, class, recursion, deadline).await
}

/// A number that nobody else can know.
fn id() -> u16 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 2];
    // Without chance a wrong answer is easier to place; the question still is asked.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

/// Asks over UDP; a lost question or answer is asked for again.
pub(super) async fn exchange_udp(
    server: SocketAddr,
    from: Option<IpAddr>,
    name: &str,
    kind: u16,
    class: u16,
    recursion: bool,
    deadline: Instant,
) -> Step<Message> {
    let id = id();
    let asked = message::question(id, name, kind, class, recursion)
        .ok_or_else(|| Failure::new(Reason::DnsError, "the name cannot be asked for"))?;
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((from.unwrap_or(any), 0))
        .await
        .map_err(|err| Failure::connecting(&err))?;
    socket
        .connect(server)
        .await
        .map_err(|err| Failure::connecting(&err))?;
    let mut buffer = vec![0; 4096];
    let pause = deadline.saturating_duration_since(Instant::now()) / 3;
    loop {
        socket
            .send(&asked)
            .await
            .map_err(|err| Failure::talking(&err))?;
        let again = deadline.min(Instant::now() + pause);
        loop {
            match timeout_at(again, socket.recv(&mut buffer)).await {
                Err(_) if Instant::now() >= deadline => {
                    return Err(Failure::new(
                        Reason::NoReply,
                        format!("{server} does not answer"),
                    ));
                }
                Err(_) => break,
                Ok(Err(err)) => return Err(Failure::talking(&err)),
                Ok(Ok(length)) => {
                    let answer = message::read(&buffer[..length]);
                    match answer {
                        Some(answer) if fits(&answer, id, name, kind) => return Ok(answer),
                        // Somebody else's, or a lie: the true one may still come.
                        Some(answer) if answer.id != id => {}
                        _ => {
                            return Err(Failure::new(
                                Reason::Protocol,
                                "the answer is no answer to what was asked",
                            ));
                        }
                    }
                }
            }
        }
    }
}

/// Asks over a connection.
pub(super) async fn exchange_stream(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    name: &str,
    kind: u16,
    class: u16,
    recursion: bool,
    deadline: Instant,
) -> Step<Message> {
    let id = id();
    let asked = message::question(id, name, kind, class, recursion)
        .ok_or_else(|| Failure::new(Reason::DnsError, "the name cannot be asked for"))?;
    let talk = async {
        let length = u16::try_from(asked.len()).unwrap_or_default();
        stream
            .write_all(&[&length.to_be_bytes()[..], &asked].concat())
            .await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = timeout_at(deadline, talk)
        .await
        .map_err(|_| Failure::new(Reason::NoReply, "the server does not answer"))?
        .map_err(|err| Failure::talking(&err))?;
    let answer = message::read(&bytes).filter(|answer| fits(answer, id, name, kind));
    answer.ok_or_else(|| {
        Failure::new(
            Reason::Protocol,
            "the answer is no answer to what was asked",
        )
    })
}

fn fits(answer: &Message, id: u16, name: &str, kind: u16) -> bool {
    let name = name.trim_end_matches('.');
    answer.id == id
        && answer.response
        && answer.question.as_ref().is_none_or(|(asked, of)| {
            *of == kind && asked.trim_end_matches('.').eq_ignore_ascii_case(name)
        })
}

/// The addresses that the hosts file has for a name.
fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|word| word.eq_ignore_ascii_case(name))
                .then_some(address)
        })
        .collect()
}

/// What `resolv.conf` says.
#[derive(Debug, PartialEq, Eq)]
struct Setup {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    dots: usize,
}

impl Setup {
    fn read(text: &str) -> Self {
        let mut setup = Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
        };
        for line in text.lines() {
            let mut words = line
                .split(['#', ';'])
                .next()
                .unwrap_or_default()
                .split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if setup.servers.len() < 3 => {
                    let address = words
                        .next()
                        .and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
                    setup
                        .servers
                        .extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                Some("search" | "domain") => {
                    setup.search = words
                        .take(6)
                        .map(|word| word.trim_end_matches('.').to_owned())
                        .collect();
                }
                Some("options") => {
                    let dots = words.find_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    setup.dots = dots.unwrap_or(setup.dots);
                }
                _ => {}
            }
        }
        if setup.servers.is_empty() {
            setup
                .servers
                .push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
        }
        setup
    }

    /// The names to ask for, one after the other.
    fn candidates(&self, name: &str, whole: bool) -> Vec<String> {
        let mut all: Vec<_> = self
            .search
            .iter()
            .map(|domain| format!("{name}.{domain}"))
            .collect();
        if whole {
            return vec![name.to_owned()];
        }
        let first = name.matches('.').count() >= self.dots;
        all.insert(if first { 0 } else { all.len() }, name.to_owned());
        all
    }
}

#[cfg(test)]
mod tests;
