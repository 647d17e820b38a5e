//! What servers answer to probes: messages of DNS, certificates and what is stapled to
//! them, HTTP, what proxies say to a tunnel, JSON, frames of WebSockets, replies to pings,
//! gRPC, events of Celery, words of systemd, servers of PostgreSQL, Redis and SMTP, a
//! Docker engine, and whoever is talked with over TCP.

use healthchecks::probe::wire;

/// Reads the bytes as all of them.
pub fn wire(bytes: &[u8]) {
    std::hint::black_box(wire::read(bytes));
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    // A question and its answer, with a name that points back.
    let mut answer = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x04shop\x04test\0\0\x01\0\x01".to_vec();
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
    let mut samples = vec![answer, vec![0, 0, 0, 0, 2, 8, 1], certificate(), stapled()];
    // A ping and a message in two pieces; the reply to a question, with a header in front.
    samples.push(b"\x89\x01x\x01\x02ab\x80\x01c\x88\0".to_vec());
    samples.push(reply());
    // PostgreSQL asks for a password; it has no room.
    samples.push(b"R\0\0\0\x0c\0\0\0\x05salt".to_vec());
    samples.push(b"E\0\0\0\x24SFATAL\0C28000\0Mno such user\0\0\0\0\0".to_vec());
    samples.push(b"SSH-2.0-x y\r\nall is OK\r\nmore\0end".to_vec());
    samples.extend(crate::texts(&[
        "+OK\r\n+PONG\r\n",
        "220-mail.example\r\n220 ready\r\n250-mail.example\r\n250-STARTTLS\r\n250 SIZE 1000\r\n",
        "{\"Version\": \"20.10\", \"ApiVersion\": \"1.41\"}",
        "[{\"Id\": \"a\"}, {\"Id\": \"b\"}]",
        "HTTP/1.1 200 Connection established\r\nVia: a\r\n\r\n",
        "{\"a\": [{\"b\": {\"c\": [1]}}]}",
        "{\"status\": \"SUCCESS\", \"task_id\": \"a\"}",
        // An event: {"type": "task-succeeded", "uuid": "a"}
        "{\"body\": \"eyJ0eXBlIjogInRhc2stc3VjY2VlZGVkIiwgInV1aWQiOiAiYSJ9\"}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
        "LoadState=loaded\nActiveState=active\nSubState=waiting\nResult=success\nLastTriggerUSec=Sun 2026-11-29 10:27:02 UTC\n",
    ]));
    samples
}

/// What comes back when 99 is asked as number 7.
fn reply() -> Vec<u8> {
    let mut packet = vec![0x45];
    packet.resize(20, 0);
    packet.extend([0, 0, 0, 0, 0, 0, 0, 7]);
    packet.extend(99_u64.to_be_bytes());
    packet
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short pieces");
    [&[tag, length][..], content].concat()
}

/// What an authority says of the certificate 5: that it was revoked.
fn stapled() -> Vec<u8> {
    let hash = tlv(4, b"h");
    let whose = [tlv(0x30, &[]), hash.clone(), hash, tlv(2, &[5])].concat();
    let one = [tlv(0x30, &whose), tlv(0xa1, &[])].concat();
    let all = tlv(0x30, &tlv(0x30, &one));
    let said = [tlv(0xa2, &[]), tlv(0x18, b"x"), all].concat();
    let basic = tlv(0x30, &tlv(0x30, &said));
    let kind = tlv(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
    let typed = tlv(0x30, &[kind, tlv(4, &basic)].concat());
    tlv(0x30, &[tlv(0x0a, &[0]), tlv(0xa0, &typed)].concat())
}

/// The frame of a certificate: a serial number, two names, and when it is valid.
fn certificate() -> Vec<u8> {
    let name = tlv(
        0x30,
        &tlv(
            0x31,
            &tlv(
                0x30,
                &[&tlv(6, &[0x55, 4, 3])[..], &tlv(12, b"shop")].concat(),
            ),
        ),
    );
    let times = [tlv(0x17, b"260101000000Z"), tlv(0x17, b"270101000000Z")].concat();
    let body = [
        tlv(2, &[7]),
        tlv(0x30, &[]),
        name.clone(),
        tlv(0x30, &times),
        name,
        tlv(0x30, &[]),
    ]
    .concat();
    tlv(0x30, &tlv(0x30, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_one_that_a_reader_understands() {
        for sample in samples() {
            let shown = String::from_utf8_lossy(&sample);
            assert!(wire::read(&sample) > 0, "{sample:?}\n{shown}");
        }
        assert_eq!(wire::read(b"nothing of the kind"), 0);
    }
}
