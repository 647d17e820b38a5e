//! Servers that mean harm: bounded time and memory, and nobody else notices.

use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use healthchecks::probe::Reason;

use crate::support::{crafted, reason};

/// A DNS server that makes something of each question.
fn dns(treat: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> String {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for answer in treat(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address.to_string()
}

/// An answer without records to a question.
fn plain(question: &[u8], rcode: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = rcode;
    answer
}

#[tokio::test]
async fn dns_that_lies_is_found_out() {
    let module = |timeout: &str| {
        format!(
            "{{prober: dns, timeout: {timeout}, dns: {{query_name: shop.test, query_type: A}}}}"
        )
    };
    for (name, server, expected) in [
        ("an answer", dns(|question| vec![plain(question, 0)]), None),
        (
            "another's answer comes first",
            dns(|question| {
                let mut other = plain(question, 3);
                other[0] ^= 0xff;
                vec![other, plain(question, 0)]
            }),
            None,
        ),
        (
            "only another's answer",
            dns(|question| {
                let mut other = plain(question, 0);
                other[0] ^= 0xff;
                vec![other]
            }),
            Some(Reason::NoReply),
        ),
        (
            "an answer to another question",
            dns(|question| {
                let mut other = plain(question, 0);
                other[13] = b'S' + 1;
                vec![other]
            }),
            Some(Reason::Protocol),
        ),
        (
            "the question itself",
            dns(|question| vec![question.to_vec()]),
            Some(Reason::Protocol),
        ),
        (
            "garbage",
            dns(|_| vec![vec![0xff; 600]]),
            Some(Reason::Protocol),
        ),
        ("nothing", dns(|_| Vec::new()), Some(Reason::NoReply)),
        (
            "no such name",
            dns(|question| vec![plain(question, 3)]),
            Some(Reason::Rcode),
        ),
        (
            "a failure",
            dns(|question| vec![plain(question, 2)]),
            Some(Reason::Rcode),
        ),
    ] {
        let timeout = match expected {
            Some(Reason::NoReply) => "3s",
            _ => "20s",
        };
        assert_eq!(reason(&server, &module(timeout)).await, expected, "{name}");
    }
    let closed = UdpSocket::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    assert_eq!(
        reason(&closed, &module("20s")).await,
        Some(Reason::Refused),
        "nobody listens"
    );
}

#[tokio::test]
async fn many_that_hang_take_no_longer_than_one_and_hinder_none() {
    let silent = crafted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        std::thread::sleep(Duration::from_secs(60));
    });
    let endless = crafted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let piece = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
        while stream.write_all(&piece).is_ok() {}
    });
    let module = "{prober: http, timeout: 2s, http: {fail_if_body_not_matches_regexp: [never]}}";
    let began = Instant::now();
    let mut looks = tokio::task::JoinSet::new();
    for at in 0..60 {
        let port = if at % 3 == 0 { endless } else { silent };
        looks.spawn(async move { reason(&format!("http://127.0.0.1:{port}/"), module).await });
    }
    while let Some(told) = looks.join_next().await {
        let told = told.unwrap();
        assert!(
            matches!(
                told,
                Some(
                    Reason::ConnectTimeout
                        | Reason::FirstByteTimeout
                        | Reason::BodyTooLarge
                        | Reason::BodyTimeout
                )
            ),
            "{told:?}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(70),
        "one after the other it would take 80 s and more"
    );
}
