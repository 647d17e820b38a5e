//! As much of AMQP 0-9-1 as watching a broker needs: log in, look at queues
//! without making them, take messages of a queue of our own, publish.
//!
//! The caller bounds the time; here everything else is bounded. Nothing that a
//! server says gets into a message but the code of a refusal.

mod stream;
mod wire;

use std::io;

use tokio::net::TcpStream;

use crate::served::Trouble;
use crate::tls::Renewable;
use stream::Stream;
use wire::{BODY, Frame, HEADER, HEARTBEAT, In, METHOD, Out};

/// A message that is larger is left out, in bytes.
const LARGEST: u64 = 4 << 20;
/// Our one channel.
const CHANNEL: u16 = 1;

/// Why a broker could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect: {0}")]
    Unreachable(io::ErrorKind),
    #[error("no answer in time")]
    Late,
    #[error("the connection ended before the answer")]
    Closed,
    #[error("the answer is malformed, or too large")]
    Malformed,
    #[error("the server refused the login")]
    Login,
    #[error("TLS cannot be set up: {0}")]
    Tls(&'static str),
    /// The channel has ended with it; another is open.
    #[error("the server refused: {0}")]
    Refused(u16),
}

impl Failure {
    /// The same for those who do not know AMQP.
    pub(crate) fn trouble(self) -> Trouble {
        Trouble {
            text: self.to_string(),
            wants_password: false,
        }
    }
}

/// The refusal of what is not there.
pub(crate) const NOT_FOUND: u16 = 404;

/// Where a broker is, and who we are there.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// What TLS is set up with, where it is wanted.
    pub(crate) tls: Option<&'a Renewable>,
    pub(crate) vhost: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
}

/// A connection with one channel.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    /// What has come and is not yet read.
    come: Vec<u8>,
    /// The message that is coming: how much of it is missing.
    delivery: Option<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    /// What the message was published under.
    key: String,
    missing: Option<u64>,
    body: Vec<u8>,
}

/// A queue, as its broker tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Messages that wait.
    pub(crate) messages: u32,
    /// Who takes them.
    pub(crate) consumers: u32,
}

impl Link {
    /// Connects, logs in and opens a channel. Each side must give a sign of life
    /// every `heartbeat` seconds; 0 is never.
    pub(crate) async fn open(login: &Login<'_>, heartbeat: u16) -> Result<Self, Failure> {
        let begun = Self::begin(login, heartbeat).await;
        if let (Some(tls), Err(Failure::Tls(_) | Failure::Closed)) = (login.tls, &begun) {
            tls.failed().await;
        }
        begun
    }

    async fn begin(login: &Login<'_>, heartbeat: u16) -> Result<Self, Failure> {
        let unreachable = |err: io::Error| Failure::Unreachable(err.kind());
        let connector = match login.tls {
            Some(tls) => Some(tls.connector().await.map_err(Failure::Tls)?),
            None => None,
        };
        let stream = TcpStream::connect((login.host, login.port));
        let stream = stream.await.map_err(unreachable)?;
        let stream = match connector {
            Some(connector) => Stream::secure(&connector, login.host, stream).await?,
            None => Stream::Plain(stream),
        };
        let mut link = Self {
            stream,
            come: Vec::new(),
            delivery: None,
        };
        link.write(b"AMQP\x00\x00\x09\x01").await?;
        link.method(10, 10).await?;
        let response = format!("\0{}\0{}", login.username, login.password);
        // This, too, makes a server say why it refuses a login.
        let capabilities = Out::default()
            .text("authentication_failure_close")
            .byte(b't')
            .byte(1);
        let properties = Out::default()
            .text("capabilities")
            .byte(b'F')
            .long_text(&capabilities.0);
        let out = Out::method(10, 11)
            .long_text(&properties.0)
            .text("PLAIN")
            .long_text(response.as_bytes())
            .text("en_US");
        link.send(0, out).await?;
        let tune = match link.method(10, 30).await {
            Err(Failure::Refused(403) | Failure::Closed) => return Err(Failure::Login),
            tune => tune?,
        };
        let mut tune = In(&tune);
        let (_, theirs) = (tune.short(), tune.long().ok_or(Failure::Malformed)?);
        let most = wire::LARGEST as u32;
        let frame = if theirs == 0 { most } else { theirs.min(most) };
        let out = Out::method(10, 31).short(1).long(frame).short(heartbeat);
        link.send(0, out).await?;
        let out = Out::method(10, 40).text(login.vhost).text("").byte(0);
        link.send(0, out).await?;
        link.method(10, 41).await?;
        link.open_channel().await?;
        Ok(link)
    }

    async fn open_channel(&mut self) -> Result<(), Failure> {
        self.send(CHANNEL, Out::method(20, 10).text("")).await?;
        self.method(20, 11).await.map(drop)
    }

    /// What is known of a queue; nothing when there is none of this name.
    pub(crate) async fn look(&mut self, queue: &str) -> Result<Option<Queue>, Failure> {
        const PASSIVE: u8 = 1;
        let out = Out::method(50, 10)
            .short(0)
            .text(queue)
            .byte(PASSIVE)
            .numbers(&[]);
        self.send(CHANNEL, out).await?;
        match self.method(50, 11).await {
            Ok(answer) => {
                let mut answer = In(&answer);
                answer.text().ok_or(Failure::Malformed)?;
                let (messages, consumers) = (answer.long(), answer.long());
                let counts = messages.zip(consumers).ok_or(Failure::Malformed)?;
                Ok(Some(Queue {
                    messages: counts.0,
                    consumers: counts.1,
                }))
            }
            Err(Failure::Refused(NOT_FOUND)) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Whether an exchange is there.
    pub(crate) async fn has_exchange(&mut self, exchange: &str) -> Result<bool, Failure> {
        const PASSIVE: u8 = 1;
        let out = Out::method(40, 10)
            .short(0)
            .text(exchange)
            .text("direct")
            .byte(PASSIVE);
        self.send(CHANNEL, out.numbers(&[])).await?;
        match self.method(40, 11).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused(NOT_FOUND)) => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Makes a queue that ends with this connection, and has its messages sent to
    /// us: those that an exchange has for a key, or, without an exchange, those
    /// that are published under the queue's name. Returns that name.
    pub(crate) async fn take(&mut self, from: Option<(&str, &str)>) -> Result<String, Failure> {
        const EXCLUSIVE_AND_AUTO_DELETE: u8 = 4 | 8;
        const WITHOUT_ACKNOWLEDGEMENT: u8 = 2;
        // What we do not take in time is of no use, and must not pile up.
        let limits = [("x-message-ttl", 60_000), ("x-max-length", 100_000)];
        let out = Out::method(50, 10).short(0).text("");
        let out = out.byte(EXCLUSIVE_AND_AUTO_DELETE).numbers(&limits);
        self.send(CHANNEL, out).await?;
        let answer = self.method(50, 11).await?;
        let queue = In(&answer).text().ok_or(Failure::Malformed)?;
        if let Some((exchange, key)) = from {
            let out = Out::method(50, 20).short(0).text(&queue).text(exchange);
            self.send(CHANNEL, out.text(key).byte(0).numbers(&[]))
                .await?;
            self.method(50, 21).await?;
        }
        let out = Out::method(60, 20).short(0).text(&queue).text("");
        let out = out.byte(WITHOUT_ACKNOWLEDGEMENT).numbers(&[]);
        self.send(CHANNEL, out).await?;
        self.method(60, 21).await?;
        Ok(queue)
    }

    /// Publishes a message of JSON, which is void after some seconds.
    pub(crate) async fn publish(
        &mut self,
        exchange: &str,
        key: &str,
        body: &str,
        seconds: u32,
    ) -> Result<(), Failure> {
        let out = Out::method(60, 40)
            .short(0)
            .text(exchange)
            .text(key)
            .byte(0);
        let mut whole = out.frame(METHOD, CHANNEL);
        // Content type, encoding, delivery mode and expiration.
        const PROPERTIES: u16 = 1 << 15 | 1 << 14 | 1 << 12 | 1 << 8;
        let head = Out::default()
            .short(60)
            .short(0)
            .long_long(body.len() as u64)
            .short(PROPERTIES)
            .text("application/json")
            .text("utf-8")
            .byte(1)
            .text(&format!("{}", u64::from(seconds) * 1000));
        whole.extend(head.frame(HEADER, CHANNEL));
        whole.extend(Out(body.as_bytes().to_vec()).frame(BODY, CHANNEL));
        self.write(&whole).await
    }

    /// Says good-bye, so that the server's log has nothing to complain of.
    pub(crate) async fn close(mut self) {
        let out = Out::method(10, 50).short(200).text("").short(0).short(0);
        if self.send(0, out).await.is_ok() {
            let _ = self.method(10, 51).await;
        }
    }

    /// Says that we are there.
    pub(crate) async fn heartbeat(&mut self) -> Result<(), Failure> {
        self.write(&Out::default().frame(HEARTBEAT, 0)).await
    }

    /// Whether what has come was all taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.come.is_empty()
    }

    /// The next message for us, with what it was published under; nothing for any
    /// other sign of life. May be cut off while it waits.
    pub(crate) async fn message(&mut self) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let frame = self.frame().await?;
        match frame.kind {
            METHOD => {
                let mut payload = In(&frame.payload);
                match (payload.short(), payload.short()) {
                    (Some(60), Some(60)) => {
                        payload.text().ok_or(Failure::Malformed)?;
                        payload.bytes(9).ok_or(Failure::Malformed)?;
                        payload.text().ok_or(Failure::Malformed)?;
                        self.delivery = Some(Delivery {
                            key: payload.text().ok_or(Failure::Malformed)?,
                            missing: None,
                            body: Vec::new(),
                        });
                        Ok(None)
                    }
                    // Whatever ends the channel, a queue that was deleted included.
                    (Some(10 | 20 | 60), Some(30 | 40 | 50)) => Err(Failure::Closed),
                    _ => Ok(None),
                }
            }
            HEADER | BODY => Ok(self.deliver(&frame)),
            _ => Ok(None),
        }
    }

    fn deliver(&mut self, frame: &Frame) -> Option<(String, Vec<u8>)> {
        let delivery = self.delivery.as_mut()?;
        if frame.kind == HEADER {
            let mut payload = In(&frame.payload);
            payload.bytes(4)?;
            delivery.missing = Some(payload.long_long()?);
        } else {
            let missing = delivery.missing.as_mut()?;
            *missing = missing.saturating_sub(frame.payload.len() as u64);
            if (delivery.body.len() + frame.payload.len()) as u64 <= LARGEST {
                delivery.body.extend_from_slice(&frame.payload);
            }
        }
        if delivery.missing? > 0 {
            return None;
        }
        let whole = self.delivery.take()?;
        Some((whole.key, whole.body))
    }

    /// Waits for a method's answer, and opens the channel anew where the server
    /// ended it instead.
    async fn method(&mut self, class: u16, method: u16) -> Result<Vec<u8>, Failure> {
        loop {
            let frame = self.frame().await?;
            if frame.kind != METHOD {
                // A message on its way to us.
                let _ = self.deliver(&frame);
                continue;
            }
            let mut payload = In(&frame.payload);
            let of = payload
                .short()
                .zip(payload.short())
                .ok_or(Failure::Malformed)?;
            match of {
                of if of == (class, method) => return Ok(payload.0.to_vec()),
                (10, 50) => return Err(Failure::Refused(payload.short().unwrap_or(0))),
                (20, 40) => {
                    let code = payload.short().unwrap_or(0);
                    self.send(CHANNEL, Out::method(20, 41)).await?;
                    Box::pin(self.open_channel()).await?;
                    return Err(Failure::Refused(code));
                }
                _ => {}
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, Failure> {
        loop {
            let length = wire::length(&self.come).map_err(|()| Failure::Malformed)?;
            if let Some(length) = length
                && self.come.len() >= length
            {
                let frame = wire::frame(&self.come[..length]).ok_or(Failure::Malformed);
                self.come.drain(..length);
                return frame;
            }
            match self.stream.read(&mut self.come).await {
                Ok(0) => return Err(Failure::Closed),
                Ok(_) => {}
                Err(_) => return Err(Failure::Closed),
            }
        }
    }

    async fn send(&mut self, channel: u16, out: Out) -> Result<(), Failure> {
        self.write(&out.frame(METHOD, channel)).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write(bytes).await.map_err(|_| Failure::Closed)
    }
}

/// Reads the bytes as frames of a broker, one after the other, for those who throw any at it.
pub(crate) fn any(mut bytes: &[u8]) {
    while let Ok(Some(length)) = wire::length(bytes) {
        let Some((whole, rest)) = bytes.split_at_checked(length) else {
            return;
        };
        let _ = wire::frame(whole);
        bytes = rest;
    }
}
