//! A web site to look at, which is always well. It lives as long as the program.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

/// Starts it on a thread of its own; its port on this host.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nfine\n";
            let _ = stream.write_all(answer);
        }
    });
    port
}
