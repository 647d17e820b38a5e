//! One connection to a Redis server: it logs in, asks, and reads what comes.
//!
//! The caller bounds the time; here everything else is bounded. Nothing that a
//! server says gets into a message but the code of a refusal.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::resp::{self, Answer};
use crate::served::Trouble;

/// So much is read at once, in bytes.
const READ: usize = 16 << 10;

/// Why a server could not be read.
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
    #[error("the server refused {what}: {code}")]
    Refused { what: &'static str, code: String },
}

impl Failure {
    /// The same for those who do not know Redis.
    pub(crate) fn trouble(self) -> Trouble {
        Trouble {
            text: self.to_string(),
            wants_password: matches!(&self, Self::Refused { code, .. } if code == "NOAUTH"),
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(out, "{host}:{port}"),
            Self::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// Everything that one reading asks for.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) info: String,
    /// What the server allowed to be seen of its configuration.
    pub(crate) config: Vec<(String, String)>,
    pub(crate) slow: Option<SlowLog>,
    pub(crate) spikes: Vec<Spike>,
}

/// The log of slow commands.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SlowLog {
    pub(crate) length: i64,
    pub(crate) last_id: i64,
    pub(crate) last_micros: i64,
}

/// The latest latency spike of one kind.
#[derive(Debug, PartialEq)]
pub(crate) struct Spike {
    pub(crate) event: String,
    /// When it was, in seconds since 1970.
    pub(crate) at: i64,
    pub(crate) millis: i64,
}

/// What is asked, in one go. All but the first may be refused.
const QUESTIONS: [&[&str]; 8] = [
    &["INFO", "ALL"],
    &["SLOWLOG", "LEN"],
    &["SLOWLOG", "GET", "1"],
    &["LATENCY", "LATEST"],
    &["CONFIG", "GET", "databases"],
    &["CONFIG", "GET", "maxclients"],
    &["CONFIG", "GET", "maxmemory"],
    &["CONFIG", "GET", "io-threads"],
];

/// A server, and the connection to it while there is one.
pub(crate) struct Client {
    address: Address,
    username: String,
    password: settings::Secret,
    link: Option<Link>,
    /// How long the latest connecting took.
    pub(crate) connecting: Duration,
}

pub(crate) struct Link {
    read: Box<dyn AsyncRead + Send + Unpin>,
    write: Box<dyn AsyncWrite + Send + Unpin>,
    /// What has come and is not yet read.
    come: Vec<u8>,
}

impl Address {
    /// Reads `host`, `host:port`, `redis://host:port`, `/path` or `unix:/path`.
    /// None of these holds a password.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix("unix://").or(text.strip_prefix("unix:"));
        let path = path.or_else(|| text.starts_with('/').then_some(text));
        if let Some(path) = path {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let place = text.strip_prefix("redis://").unwrap_or(text);
        let place = place.trim_end_matches('/');
        if place.is_empty() || place.contains(['@', '/', ' ']) {
            return None;
        }
        if let Some(rest) = place.strip_prefix('[') {
            let (host, port) = rest.split_once(']')?;
            let port = port.strip_prefix(':').map_or(Ok(6379), str::parse);
            return Some(Self::Tcp(host.to_owned(), port.ok()?));
        }
        match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !host.contains(':') => {
                Some(Self::Tcp(host.to_owned(), port.parse().ok()?))
            }
            Some(_) => None,
            None => Some(Self::Tcp(place.to_owned(), 6379)),
        }
    }
}

impl Client {
    pub(crate) fn new(address: Address, username: String, password: settings::Secret) -> Self {
        Self {
            address,
            username,
            password,
            link: None,
            connecting: Duration::ZERO,
        }
    }

    /// Asks everything. A connection that ended while it lay idle is made anew.
    pub(crate) async fn read(&mut self) -> Result<Answers, Failure> {
        // Taken out: what is cut off in the middle must not be used again.
        if let Some(mut link) = self.link.take() {
            match link.ask().await {
                Err(Failure::Closed) => {}
                Err(err) => return Err(err),
                Ok(answers) => {
                    self.link = Some(link);
                    return Ok(answers);
                }
            }
        }
        let began = Instant::now();
        let password = self.password.expose();
        let mut link = Link::open(&self.address, &self.username, password).await?;
        self.connecting = began.elapsed();
        let answers = link.ask().await?;
        self.link = Some(link);
        Ok(answers)
    }
}

impl Link {
    /// Connects and logs in.
    pub(crate) async fn open(
        address: &Address,
        username: &str,
        password: &str,
    ) -> Result<Self, Failure> {
        let mut link = Self::to(address).await.map_err(Failure::Unreachable)?;
        link.log_in(username, password).await?;
        Ok(link)
    }

    /// Asks questions in one go. A refusal is an answer like any other.
    pub(crate) async fn call(&mut self, questions: &[Vec<&str>]) -> Result<Vec<Answer>, Failure> {
        let mut out = Vec::new();
        for question in questions {
            resp::ask(&mut out, question);
        }
        self.send(&out).await?;
        let mut answers = Vec::with_capacity(questions.len());
        for _ in questions {
            answers.push(self.answer().await?);
        }
        // It may have been large once.
        if self.come.is_empty() {
            self.come = Vec::new();
        }
        Ok(answers)
    }

    async fn to(address: &Address) -> Result<Self, io::ErrorKind> {
        let (read, write): (
            Box<dyn AsyncRead + Send + Unpin>,
            Box<dyn AsyncWrite + Send + Unpin>,
        );
        match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let (reads, writes) = stream.map_err(|err| err.kind())?.into_split();
                (read, write) = (Box::new(reads), Box::new(writes));
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                let (reads, writes) = stream.map_err(|err| err.kind())?.into_split();
                (read, write) = (Box::new(reads), Box::new(writes));
            }
        }
        Ok(Self {
            read,
            write,
            come: Vec::new(),
        })
    }

    async fn log_in(&mut self, username: &str, password: &str) -> Result<(), Failure> {
        let mut out = Vec::new();
        match (username, password) {
            ("", "") => {}
            ("", password) => resp::ask(&mut out, &["AUTH", password]),
            (username, password) => resp::ask(&mut out, &["AUTH", username, password]),
        }
        let asked = !out.is_empty();
        // So that an administrator knows whose connection it is.
        resp::ask(&mut out, &["CLIENT", "SETNAME", "belfry"]);
        self.send(&out).await?;
        if asked && let Answer::Refusal(code) = self.answer().await? {
            let what = "the password";
            return Err(Failure::Refused { what, code });
        }
        self.answer().await.map(drop)
    }

    async fn ask(&mut self) -> Result<Answers, Failure> {
        let mut out = Vec::new();
        for question in QUESTIONS {
            resp::ask(&mut out, question);
        }
        self.send(&out).await?;
        let mut answers = Answers::default();
        let info = self.answer().await?;
        if let Answer::Refusal(code) = info {
            return Err(Failure::Refused { what: "INFO", code });
        }
        answers.info = info.text().ok_or(Failure::Malformed)?.into_owned();
        let length = self.answer().await?.number();
        let entry = self.answer().await?;
        answers.slow = length.map(|length| slow_log(length, &entry));
        answers.spikes = spikes(&self.answer().await?);
        for _ in 4..QUESTIONS.len() {
            if let [key, value, ..] = self.answer().await?.list()
                && let (Some(key), Some(value)) = (key.text(), value.text())
            {
                let entry = (key.into_owned(), value.into_owned());
                answers.config.push(entry);
            }
        }
        // It may have been large once.
        self.come = Vec::new();
        Ok(answers)
    }

    /// Sends what [`resp::ask`] made.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.write.write_all(bytes).await;
        sent.map_err(|_| Failure::Closed)
    }

    /// Whether what has come was all taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.come.is_empty()
    }

    /// The next answer, or what a subscription brings. When this is given up,
    /// nothing is lost.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            match resp::parse(&self.come) {
                Err(resp::Malformed) => return Err(Failure::Malformed),
                Ok(Some((answer, length))) => {
                    self.come.drain(..length);
                    return Ok(answer);
                }
                Ok(None) => {}
            }
            // Many messages of a subscription with one call.
            self.come.reserve(READ);
            let read = self.read.read_buf(&mut self.come).await;
            if read.map_err(|_| Failure::Closed)? == 0 {
                return Err(Failure::Closed);
            }
        }
    }
}

fn slow_log(length: i64, entries: &Answer) -> SlowLog {
    let number = |entry: &[Answer], at: usize| entry.get(at).and_then(Answer::number);
    let entry = entries.list().first().map(Answer::list).unwrap_or_default();
    SlowLog {
        length,
        last_id: number(entry, 0).unwrap_or(0),
        last_micros: number(entry, 2).unwrap_or(0),
    }
}

fn spikes(answer: &Answer) -> Vec<Spike> {
    let spike = |entry: &Answer| match entry.list() {
        [event, at, latest, ..] => Some(Spike {
            event: event.text()?.into_owned(),
            at: at.number()?,
            millis: latest.number()?,
        }),
        _ => None,
    };
    answer.list().iter().filter_map(spike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_and_never_hold_a_password() {
        let tcp = |host: &str, port| Some(Address::Tcp(host.to_owned(), port));
        for (text, address) in [
            ("db", tcp("db", 6379)),
            ("db:7000", tcp("db", 7000)),
            ("redis://127.0.0.1:6380/", tcp("127.0.0.1", 6380)),
            ("[::1]:6380", tcp("::1", 6380)),
            ("[::1]", tcp("::1", 6379)),
            (
                "/run/redis.sock",
                Some(Address::Unix("/run/redis.sock".into())),
            ),
            ("unix:///run/r", Some(Address::Unix("/run/r".into()))),
            ("redis://:secret@db:6379", None),
            ("", None),
            ("unix:relative", None),
            ("db:port", None),
            ("::1", None),
            (":6379", None),
        ] {
            assert_eq!(Address::parse(text), address, "{text:?}");
        }
    }

    #[test]
    fn a_slow_log_and_spikes_that_make_no_sense_are_left_out() {
        assert_eq!(slow_log(0, &Answer::List(vec![])), SlowLog::default());
        let junk = Answer::List(vec![Answer::Number(1), Answer::List(vec![Answer::Nothing])]);
        assert_eq!(spikes(&junk), []);
        assert_eq!(slow_log(2, &junk).last_id, 0);
    }
}
