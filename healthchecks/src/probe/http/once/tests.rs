use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf};

use super::super::exchange::broken;
use super::*;

/// Status and body, or why there is none.
type Told = Result<(u16, Vec<u8>), Reason>;

/// A connection to one who reads a request without a body and answers in such pieces.
fn saying(answer: &[u8], piece: usize) -> DuplexStream {
    let (here, mut there) = tokio::io::duplex(1 << 20);
    let answer = answer.to_vec();
    tokio::spawn(async move {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            assert!(there.read_buf(&mut asked).await.unwrap() > 0);
        }
        for piece in answer.chunks(piece) {
            // Who asked may have heard enough.
            if there.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    here
}

fn asking(method: &Method) -> Request<Bytes> {
    let request = Request::builder().method(method).uri("/x");
    request.header("host", "a").body(Bytes::new()).unwrap()
}

/// A body that makes no sense was cut off, as far as a probe tells it.
fn of_body(failure: Failure) -> Reason {
    match failure.reason {
        Reason::Protocol => Reason::Closed,
        reason => reason,
    }
}

async fn ours(answer: &[u8], piece: usize, method: &Method) -> Told {
    let stream = Box::new(saying(answer, piece));
    let (head, mut body) = ask(stream, false, &asking(method))
        .await
        .map_err(|err| err.reason)?;
    let mut whole = Vec::new();
    while let Some(piece) = body.piece().await.map_err(of_body)? {
        whole.extend_from_slice(piece);
    }
    Ok((head.status.as_u16(), whole))
}

async fn hypers(answer: &[u8], piece: usize, method: &Method) -> Told {
    let stream = TokioIo::new(saying(answer, piece));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let answer = sender.send_request(asking(method).map(Full::new)).await;
    let answer = answer.map_err(|err| broken(&err).reason)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|err| of_body(broken(&err)))?;
    Ok((status, body.to_bytes().to_vec()))
}

#[tokio::test]
async fn an_answer_is_taken_as_hyper_takes_it() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(70 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    let big = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{}",
        "b".repeat(200_000)
    );
    let body = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}");
    let chunks = |text: &str| body("Transfer-Encoding: chunked", text);
    let answers = [
        body("Content-Length: 5", "fine\n"),
        body("Content-Length: 5", "fine\nand more"),
        body("Content-Length: 5", "fin"),
        body("Content-Length: 0", ""),
        body("Content-Length: 5\r\nContent-Length: 5", "fine\n"),
        body("Content-Length: 5\r\nContent-Length: 6", "fine\n"),
        body("Content-Length: 5, 5", "fine\n"),
        body("Content-Length: +5", "fine\n"),
        body("Content-Length: -5", "fine\n"),
        body("Content-Length:", "fine\n"),
        body("Content-Length: 99999999999999999999", "fine\n"),
        body("X: y", "until it ends"),
        chunks("5\r\nfine\n\r\n0\r\n\r\n"),
        chunks("5;why=so\r\nfine\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"),
        chunks("5\r\nfine\n\r\n"),
        chunks("5\r\nfin"),
        chunks("5\r\nfine\nmore\r\n0\r\n\r\n"),
        chunks("z\r\nfine\n\r\n0\r\n\r\n"),
        chunks("\r\nfine"),
        chunks("fffffffffffffffff\r\n"),
        chunks("0\r\n\r\n"),
        chunks(""),
        body("Transfer-Encoding: gzip, Chunked", "1\r\na\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked, gzip", "1\r\na\r\n0\r\n\r\n"),
        body(
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "1\r\na\r\n0\r\n\r\n",
        ),
        "HTTP/1.0 200 OK\r\n\r\nold".to_owned(),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na".to_owned(),
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\n\r\ngone".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nother".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: 1\n\na".to_owned(),
        "HTTP/1.1 999 Odd\r\nContent-Length: 1\r\n\r\na".to_owned(),
        "HTTP/1.1 99 Odd\r\n\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nA: \u{1}\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nA: gr\u{fc}n\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Le".to_owned(),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "<html></html>".to_owned(),
        String::new(),
        long,
        many,
        big,
    ];
    for method in [Method::GET, Method::HEAD, Method::POST] {
        for answer in &answers {
            for piece in [usize::MAX, 1000, 1] {
                if piece == 1 && answer.len() > 1000 {
                    continue;
                }
                let told = ours(answer.as_bytes(), piece, &method).await;
                let hypers = hypers(answer.as_bytes(), piece, &method).await;
                let head: String = answer.chars().take(200).collect();
                assert_eq!(told, hypers, "{method}, in pieces of {piece}: {head:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_and_its_body_with_its_length() {
    for (name, value, body, expected) in [
        ("x", "y", "", "POST /x HTTP/1.1\r\nx: y\r\n\r\n"),
        (
            "x",
            "y",
            "abc",
            "POST /x HTTP/1.1\r\nx: y\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            "content-length",
            "3",
            "abc",
            "POST /x HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            "transfer-encoding",
            "chunked",
            "abc",
            "POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "transfer-encoding",
            "chunked",
            "",
            "POST /x HTTP/1.1\r\n\r\n",
        ),
        (
            "transfer-encoding",
            "gzip",
            "abc",
            "POST /x HTTP/1.1\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "content-length",
            "3",
            "abcdef",
            "POST /x HTTP/1.1\r\ncontent-length: 6\r\n\r\nabcdef",
        ),
        (
            "content-length",
            "5",
            "",
            "POST /x HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "content-length",
            "0",
            "",
            "POST /x HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        let request = Request::post("/x").header(name, value);
        let request = request.body(Bytes::from(body)).unwrap();
        let written = String::from_utf8(head::written(&request)).unwrap();
        assert_eq!(written, expected);
    }
    let request = Request::post("/x")
        .header("content-length", "3")
        .header("transfer-encoding", "chunked");
    let written = head::written(&request.body(Bytes::from("abc")).unwrap());
    assert_eq!(
        String::from_utf8(written).unwrap(),
        "POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
}

#[tokio::test]
async fn who_refuses_a_long_request_is_heard() {
    let (here, mut there) = tokio::io::duplex(1000);
    tokio::spawn(async move {
        there.read_exact(&mut [0; 500]).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Long\r\nContent-Length: 0\r\n\r\n";
        there.write_all(answer).await.unwrap();
    });
    let request = Request::post("/x").body(Bytes::from(vec![b'a'; 100_000]));
    let (head, _) = ask(Box::new(here), false, &request.unwrap()).await.unwrap();
    assert_eq!(head.status, 413);
}

/// Counts how often it is told that it ends.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl tokio::io::AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn tls_says_that_it_ends_and_a_plain_connection_is_only_closed() {
    for (secure, told) in [(true, 1), (false, 0)] {
        let ends = Arc::new(AtomicUsize::new(0));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
        let stream = Box::new(Counted(saying(answer, 100), Arc::clone(&ends)));
        drop(ask(stream, secure, &asking(&Method::GET)).await.unwrap());
        assert_eq!(ends.load(Ordering::Relaxed), told, "{secure}");
    }
}
