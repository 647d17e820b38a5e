//! What looks at a site cost in the least on this machine: the same connections, made
//! with the calls of the system that nobody can leave out and nothing else.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::{self, Errno};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::time::{ClockId, clock_gettime};

const REQUEST: &[u8] = b"GET /1 HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bare\r\n\r\n";
/// So many of 200 that are due within 15 s are looked at together.
const GROUP: usize = 40;
/// Between two groups, so that others have had the processor meanwhile.
const PAUSE: Duration = Duration::from_millis(200);

/// Processor time, in milliseconds, of so many connections to a port of this host.
pub(crate) fn connections(port: u16, count: usize) -> f64 {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let before = spent_ms();
    for first in (0..count).step_by(GROUP) {
        thread::sleep(PAUSE);
        group(&address, GROUP.min(count - first));
    }
    spent_ms() - before
}

fn group(address: &SocketAddrV4, count: usize) {
    let connected = |_| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        let socket = socket.expect("a socket");
        match net::connect(&socket, address) {
            Ok(()) | Err(Errno::INPROGRESS) => socket,
            Err(err) => panic!("no connection: {err}"),
        }
    };
    let sockets: Vec<OwnedFd> = (0..count).map(connected).collect();
    for socket in &sockets {
        let sent = soon(|| net::send(socket, REQUEST, SendFlags::NOSIGNAL));
        assert_eq!(sent, REQUEST.len());
    }
    for socket in sockets {
        let mut answer = [0_u8; 1000];
        let read = soon(|| net::recv(&socket, &mut answer[..], RecvFlags::empty()));
        assert!(read.0 > 0);
    }
}

/// What a call returns as soon as it need not wait.
fn soon<T>(mut call: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match call() {
            Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(1)),
            done => return done.expect("a connection"),
        }
    }
}

/// Processor time of this thread, in milliseconds.
fn spent_ms() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 * 1e3 + spent.tv_nsec as f64 / 1e6
}
