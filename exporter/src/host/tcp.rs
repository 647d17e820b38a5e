//! TCP sockets by state.
//!
//! Read from `/proc/<1>/net/tcp` and not over netlink: netlink would tell of our
//! own network alone, and in a container that is not the host's.
//!
//! The kernel walks its whole table of connections for that, used or not: on a host
//! with much memory that takes it many milliseconds, twice. Where it does, it is asked
//! less often than others read.

use std::time::{Duration, Instant};

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};
use crate::tallies::lock;

/// The states in the kernel's order, from 1 on.
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

#[derive(Debug, Default, PartialEq)]
struct Sockets {
    states: [u64; STATES.len()],
    queued: (u64, u64),
}

/// What was read last, when, and how long that took.
#[derive(Debug, Default)]
pub(super) struct Known {
    sockets: Sockets,
    last: Option<(Instant, Duration)>,
}

/// The part of a processor that reading takes at most, as one in so many.
const PART: u32 = 4_000;

/// What is told is no older, in any case.
const OLDEST: Duration = Duration::from_secs(59);

/// Whether it is time to read again.
fn is_due(since: Duration, took: Duration) -> bool {
    since >= (took * PART).min(OLDEST)
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let mut known = lock(&machine.tcp);
    let now = Instant::now();
    let fresh = known
        .last
        .is_some_and(|(at, took)| !is_due(now.duration_since(at), took));
    if !fresh {
        known.last = None;
        let mut sockets = Sockets::default();
        count(&files.net("tcp")?, &mut sockets);
        // Without IPv6 there is none of these.
        if let Ok(text) = files.net("tcp6") {
            count(&text, &mut sockets);
        }
        known.sockets = sockets;
        known.last = Some((now, now.elapsed()));
    }
    let sockets = &known.sockets;
    page.family(
        "node_tcp_connection_states",
        "TCP sockets by state, and bytes that wait in their queues.",
        Kind::Gauge,
    );
    for (state, count) in STATES.iter().zip(sockets.states) {
        page.sample(&[("state", state)], count as f64);
    }
    let (sent, received) = sockets.queued;
    page.sample(&[("state", "rx_queued_bytes")], received as f64);
    page.sample(&[("state", "tx_queued_bytes")], sent as f64);
    Ok(())
}

fn count(text: &str, sockets: &mut Sockets) {
    for line in text.lines().skip(1) {
        let mut words = line.split_ascii_whitespace().skip(3);
        let hex = |word: &str| u64::from_str_radix(word, 16).ok();
        let state = words.next().and_then(hex);
        let slot = state.and_then(|state| usize::try_from(state.checked_sub(1)?).ok());
        let Some(slot) = slot.and_then(|at| sockets.states.get_mut(at)) else {
            continue;
        };
        *slot += 1;
        let queues = words.next().and_then(|word| word.split_once(':'));
        if let Some((sent, received)) = queues.and_then(|(sent, rest)| hex(sent).zip(hex(rest))) {
            let queued = &mut sockets.queued;
            queued.0 = queued.0.saturating_add(sent);
            queued.1 = queued.1.saturating_add(received);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_little_is_always_read_anew_and_nothing_is_older_than_a_minute() {
        let ms = Duration::from_millis;
        let cycle = Duration::from_secs(15);
        assert!(is_due(cycle, ms(1)));
        assert!(!is_due(cycle, ms(13)));
        assert!(!is_due(3 * cycle, ms(13)));
        assert!(is_due(4 * cycle, ms(13)));
        assert!(is_due(4 * cycle, ms(60_000)));
    }

    #[test]
    fn how_old_it_may_be_is_said_where_our_differences_are() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/exporter-differences.md"
        );
        let age = format!(
            "`node_tcp_connection_states` is up to {} seconds old",
            OLDEST.as_secs()
        );
        assert!(std::fs::read_to_string(file).unwrap().contains(&age));
    }

    #[test]
    fn what_took_the_kernel_long_is_told_again_without_being_read() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("proc/1/net");
        std::fs::create_dir_all(&folder).unwrap();
        let host = super::super::tests::host(tree.path());
        // What is told of so many sockets after a reading that took so long.
        let told = |sockets: usize, took: Duration| {
            let text = "sl\n".to_owned() + &"0: a b 0A 0:0\n".repeat(sockets);
            std::fs::write(folder.join("tcp"), text).unwrap();
            if let Some(last) = &mut lock(&host.0.tcp).last {
                *last = (Instant::now(), took);
            }
            let mut page = Writer::new();
            read(&host.0, &mut Files::new(&host.0.roots), &mut page).unwrap();
            let page = page.finish();
            let (_, listening) = page.split_once("{state=\"listen\"} ").unwrap();
            listening.lines().next().unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(told(1, Duration::ZERO), 1);
        assert_eq!(told(2, Duration::ZERO), 2);
        assert_eq!(told(3, Duration::from_secs(1)), 2);
        assert_eq!(told(4, Duration::ZERO), 4);
    }

    #[test]
    fn states_are_hexadecimal_from_one_on() {
        let text = "  sl  local rem st\n   0: 0100007F:1 0:0 0A 00000000:00000001 00:0\n   1: a b 01 00000010:00000002 x\n\
                    2: a b 01 junk\n 3: a b FF 0:0\n 4: a b 00 0:0\nodd\n";
        let mut sockets = Sockets::default();
        count(text, &mut sockets);
        assert_eq!((sockets.states[0], sockets.states[9]), (2, 1));
        assert_eq!(sockets.states.iter().sum::<u64>(), 3);
        assert_eq!(sockets.queued, (0x10, 3));
    }
}
