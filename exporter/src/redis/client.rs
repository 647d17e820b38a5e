//! One connection to a Redis server: it logs in, asks, and reads what comes.
//!
//! The caller bounds the time; here everything else is bounded. Nothing that a
//! server says gets into a message but the code of a refusal.

use std::io;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::address::Address;
use super::resp::{self, Answer};
use crate::served::Trouble;
use crate::tls::Renewable;

/// So much is read at once, in bytes.
const READ: usize = 16 << 10;

/// Why a server could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect: {0}")]
    Unreachable(io::ErrorKind),
    #[error("cannot set up TLS: {0}")]
    Tls(&'static str),
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

/// How a server is reached.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) address: Address,
    /// What TLS is set up with, where the address wants that.
    pub(crate) tls: Option<Renewable>,
}

/// A server, and the connection to it while there is one.
pub(crate) struct Client {
    route: Route,
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

impl Client {
    pub(crate) fn new(route: Route, username: String, password: settings::Secret) -> Self {
        Self {
            route,
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
        let mut link = Link::open(&self.route, &self.username, password).await?;
        self.connecting = began.elapsed();
        let answers = link.ask().await?;
        self.link = Some(link);
        Ok(answers)
    }
}

impl Link {
    /// Connects and logs in.
    pub(crate) async fn open(
        route: &Route,
        username: &str,
        password: &str,
    ) -> Result<Self, Failure> {
        let begin = async {
            let mut link = Self::to(route).await?;
            link.log_in(username, password).await?;
            Ok(link)
        };
        let begun = begin.await;
        if let (Some(tls), Err(Failure::Tls(_) | Failure::Closed)) = (&route.tls, &begun) {
            tls.failed().await;
        }
        begun
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

    async fn to(route: &Route) -> Result<Self, Failure> {
        let unreachable = |err: io::Error| Failure::Unreachable(err.kind());
        let (read, write): (
            Box<dyn AsyncRead + Send + Unpin>,
            Box<dyn AsyncWrite + Send + Unpin>,
        );
        match &route.address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let (reads, writes) = stream.map_err(unreachable)?.into_split();
                (read, write) = (Box::new(reads), Box::new(writes));
            }
            Address::Tls(host, port) => {
                let tls = route.tls.as_ref().ok_or(Failure::Tls("it is not ready"))?;
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|_| Failure::Tls("its name is none"))?;
                let connector = tls.connector().await.map_err(Failure::Tls)?;
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let secured = connector.connect(name, stream.map_err(unreachable)?).await;
                let secured = secured.map_err(|err| match err.kind() {
                    io::ErrorKind::InvalidData => {
                        Failure::Tls("its certificate is not trusted, or it speaks no TLS")
                    }
                    _ => Failure::Closed,
                })?;
                let (reads, writes) = tokio::io::split(secured);
                (read, write) = (Box::new(reads), Box::new(writes));
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                let (reads, writes) = stream.map_err(unreachable)?.into_split();
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
        self.write.write_all(bytes).await.map_err(ended)?;
        // TLS keeps what is written until then.
        self.write.flush().await.map_err(ended)
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
            if read.map_err(ended)? == 0 {
                return Err(Failure::Closed);
            }
        }
    }
}

/// Why a connection ended. A server that asks for a certificate says no only then.
fn ended(err: io::Error) -> Failure {
    match err.kind() {
        io::ErrorKind::InvalidData => {
            Failure::Tls("the server wants a certificate of ours, or another one")
        }
        _ => Failure::Closed,
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

/// Reads the bytes as an answer to whatever was asked, for those who throw any at it.
///
/// # Panics
/// If more is read than there is.
pub(super) fn any(bytes: &[u8]) -> Answers {
    let answer = match resp::parse(bytes) {
        Ok(Some((answer, length))) => {
            assert!(length <= bytes.len(), "an answer longer than what came");
            answer
        }
        _ => Answer::Nothing,
    };
    let length = answer.number().unwrap_or_default();
    Answers {
        info: answer.text().unwrap_or_default().into_owned(),
        slow: Some(slow_log(length, &answer)),
        spikes: spikes(&answer),
        ..Answers::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_log_and_spikes_that_make_no_sense_are_left_out() {
        assert_eq!(slow_log(0, &Answer::List(vec![])), SlowLog::default());
        let junk = Answer::List(vec![Answer::Number(1), Answer::List(vec![Answer::Nothing])]);
        assert_eq!(spikes(&junk), []);
        assert_eq!(slow_log(2, &junk).last_id, 0);
    }
}
