//! The prober `icmp`: an echo request, and the reply to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::module::Icmp;
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Wanted, addresses, used};

const PHASES: &str = "probe_icmp_duration_seconds";
const HEADER: usize = 8;

/// Asks `target`, a host, for an echo.
pub(super) async fn probe(
    target: &str,
    icmp: &Icmp,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    for phase in ["resolve", "setup", "rtt"] {
        samples.phase(PHASES, phase, 0.0);
    }
    let began = Instant::now();
    let wanted = Wanted {
        first: icmp.preferred_ip_protocol,
        fallback: icmp.ip_protocol_fallback,
    };
    let found = addresses(target, wanted, deadline, samples).await;
    samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());
    let found = found?;
    let mut last = Failure::new(Reason::NoReply, "no address");
    for (at, address) in found.iter().enumerate() {
        used(*address, samples);
        let parts = u32::try_from(found.len() - at).unwrap_or(1);
        let now = Instant::now();
        let until = if parts > 1 {
            now + deadline.saturating_duration_since(now) / (parts + 1)
        } else {
            deadline
        };
        match echo(*address, icmp, until, samples).await {
            Ok(()) => return Ok(()),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn echo(address: IpAddr, icmp: &Icmp, deadline: Instant, samples: &mut Samples) -> Step<()> {
    let began = Instant::now();
    let (socket, raw) = open(address, icmp).map_err(|err| Failure::connecting(&err))?;
    let sequence = next();
    let token: u64 =
        std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), sequence);
    let asked = request(
        address.is_ipv6(),
        sequence,
        token,
        usize::from(icmp.payload_size),
    );
    samples.phase(PHASES, "setup", began.elapsed().as_secs_f64());
    let began = Instant::now();
    socket
        .send_to(&asked, SocketAddr::new(address, 0))
        .await
        .map_err(|err| Failure::talking(&err))?;
    let mut buffer = vec![0; 2048 + asked.len()];
    loop {
        let (length, from) = timeout_at(deadline, socket.recv_from(&mut buffer))
            .await
            .map_err(|_| Failure::new(Reason::NoReply, format!("{address} does not reply")))?
            .map_err(|err| Failure::talking(&err))?;
        if from.ip() != address {
            continue;
        }
        let bytes = &buffer[..length];
        // A raw socket of IPv4 gives the packet with its own header.
        let headed = raw && address.is_ipv4();
        if replies(packet(bytes, headed), address.is_ipv6(), sequence, &asked) {
            samples.phase(PHASES, "rtt", began.elapsed().as_secs_f64());
            if headed {
                samples.set("probe_icmp_reply_hop_limit", f64::from(bytes[8]));
            }
            return Ok(());
        }
    }
}

/// A raw socket where we may have one, since it tells the hop limit of replies
/// of IPv4; else one that the kernel lends to everybody.
fn open(address: IpAddr, icmp: &Icmp) -> std::io::Result<(UdpSocket, bool)> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let open = |kind| socket_with(family, kind, flags, Some(protocol));
    let (socket, raw): (OwnedFd, bool) = match open(SocketType::RAW) {
        Ok(socket) => (socket, true),
        Err(_) => (open(SocketType::DGRAM)?, false),
    };
    if icmp.ttl > 0 {
        match address {
            IpAddr::V4(_) => sockopt::set_ip_ttl(&socket, u32::from(icmp.ttl))?,
            IpAddr::V6(_) => sockopt::set_ipv6_unicast_hops(
                &socket,
                Some(u8::try_from(icmp.ttl).unwrap_or(u8::MAX)),
            )?,
        }
    }
    let any: IpAddr = if address.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    rustix::net::bind(
        &socket,
        &SocketAddr::new(icmp.source_ip_address.0.unwrap_or(any), 0),
    )?;
    let socket = std::net::UdpSocket::from(socket);
    Ok((UdpSocket::from_std(socket)?, raw))
}

fn next() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn request(six: bool, sequence: u16, token: u64, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[0] = if six { 128 } else { 8 };
    bytes[4..6].copy_from_slice(&(std::process::id() as u16).to_be_bytes());
    bytes[6..8].copy_from_slice(&sequence.to_be_bytes());
    bytes.extend(token.to_be_bytes());
    bytes.resize(HEADER + payload.max(8), b'b');
    if !six {
        // The kernel fills it in for IPv6.
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// What is in a packet; one that is `headed` has a header of IPv4 in front, which says
/// how long it is.
fn packet(bytes: &[u8], headed: bool) -> &[u8] {
    let header = bytes.first().map_or(0, |first| usize::from(first & 15) * 4);
    let start = if headed { header } else { 0 };
    bytes.get(start..).unwrap_or_default()
}

/// Whether the bytes reply to a question, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) -> bool {
    let asked = request(false, 7, 99, 8);
    [false, true]
        .into_iter()
        .any(|headed| replies(packet(bytes, headed), false, 7, &asked))
}

/// Whether a packet replies to what was asked. The kernel may have changed the
/// identifier of a socket that it lends.
fn replies(packet: &[u8], six: bool, sequence: u16, asked: &[u8]) -> bool {
    packet.first() == Some(if six { &129 } else { &0 })
        && packet.get(6..8) == Some(&sequence.to_be_bytes()[..])
        && packet.get(HEADER..) == asked.get(HEADER..)
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks(2).fold(0_u32, |sum, pair| {
        sum + u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_has_a_sum_that_comes_to_nothing() {
        for payload in [8, 9, 36, 1001] {
            assert_eq!(checksum(&request(false, 7, 99, payload)), 0);
        }
    }

    #[tokio::test]
    async fn this_machine_replies() {
        // Not every machine has IPv6.
        let six = std::net::UdpSocket::bind("[::1]:0").is_ok();
        let targets = [("127.0.0.1", 4.0), ("::1", 6.0)];
        for (target, version) in targets.into_iter().take(1 + usize::from(six)) {
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut samples = Samples::default();
            probe(target, &Icmp::default(), deadline, &mut samples)
                .await
                .unwrap();
            assert!(samples.get(PHASES, &[("phase", "rtt")]) > Some(0.0));
            assert_eq!(samples.get("probe_ip_protocol", &[]), Some(version));
        }
    }
}
