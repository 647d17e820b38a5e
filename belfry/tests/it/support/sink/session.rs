//! One SMTP session of the sink.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Act, Demands, Received, Stage};
use crate::support::certificate::Certificate;
use crate::support::mail::Mail;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// How a stage went: on with the session, or over.
enum Next {
    On,
    Over,
}

/// Talks to one client until either side ends it.
pub(super) fn serve(
    stream: TcpStream,
    act: Act,
    demands: &Demands,
    mut take: impl FnMut(Received),
) -> std::io::Result<()> {
    let mut session = Session {
        stream: Stream::Plain(stream),
        act,
        sender: String::new(),
        recipients: Vec::new(),
    };
    if let Next::Over = session.at(Stage::Greeting, 220, "belfry sink")? {
        return Ok(());
    }
    let mut known = demands.login.is_none();
    while let Some(line) = session.line()? {
        let word = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let secure = demands.certificate.is_none() || matches!(session.stream, Stream::Tls(_));
        let next = match word.as_str() {
            "EHLO" => session.greet(demands)?,
            "HELO" | "NOOP" | "RSET" => session.say(250, "ok")?,
            "QUIT" => {
                session.say(221, "bye")?;
                return Ok(());
            }
            "STARTTLS" => {
                let Some(certificate) = &demands.certificate else {
                    session.say(502, "no TLS here")?;
                    continue;
                };
                session.say(220, "go ahead")?;
                session = session.encrypt(certificate)?;
                Next::On
            }
            "AUTH" => {
                known = demands
                    .login
                    .as_ref()
                    .is_some_and(|login| line.ends_with(&plain(login)));
                if known {
                    session.say(235, "welcome")?
                } else {
                    session.say(535, "wrong name or password")?
                }
            }
            "MAIL" if !secure => session.say(530, "STARTTLS first")?,
            "MAIL" if !known => session.say(530, "authentication required")?,
            "MAIL" => {
                session.sender = address(&line);
                session.at(Stage::Sender, 250, "ok")?
            }
            "RCPT" => {
                session.recipients.push(address(&line));
                session.at(Stage::Recipient, 250, "ok")?
            }
            "DATA" => session.content(&mut take)?,
            _ => session.say(502, "unknown command")?,
        };
        if let Next::Over = next {
            return Ok(());
        }
    }
    Ok(())
}

struct Session {
    stream: Stream,
    act: Act,
    sender: String,
    recipients: Vec<String>,
}

impl Session {
    /// Answers as the act has it for this stage, else with `code`.
    fn at(&mut self, stage: Stage, code: u16, text: &str) -> std::io::Result<Next> {
        match self.act {
            Act::Reply(at, other) if at == stage => self.say(other, "as the test wants it"),
            Act::Silence(at) if at == stage => self.ignore(),
            Act::Drop(at) if at == stage => Ok(Next::Over),
            _ => self.say(code, text),
        }
    }

    fn say(&mut self, code: u16, text: &str) -> std::io::Result<Next> {
        let line = format!("{code} {text}\r\n");
        self.stream.writer().write_all(line.as_bytes())?;
        self.stream.writer().flush()?;
        Ok(Next::On)
    }

    fn greet(&mut self, demands: &Demands) -> std::io::Result<Next> {
        let plain = matches!(self.stream, Stream::Plain(_));
        let mut lines = vec!["localhost"];
        if demands.certificate.is_some() && plain {
            lines.push("STARTTLS");
        } else if demands.login.is_some() {
            lines.push("AUTH PLAIN");
        }
        let answer: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        self.stream.writer().write_all(answer.as_bytes())?;
        self.say(250, "8BITMIME")
    }

    /// Reads on without a word until the client gives up.
    fn ignore(&mut self) -> std::io::Result<Next> {
        while self.line()?.is_some() {}
        Ok(Next::Over)
    }

    fn content(&mut self, take: &mut impl FnMut(Received)) -> std::io::Result<Next> {
        self.say(354, "end with a dot")?;
        let mut content = Vec::new();
        loop {
            let Some(line) = self.line()? else {
                return Ok(Next::Over);
            };
            match self.act {
                Act::Drop(Stage::Content) => return Ok(Next::Over),
                Act::Silence(Stage::Content) => return self.ignore(),
                _ => {}
            }
            if line == "." {
                break;
            }
            content.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
            content.extend_from_slice(b"\r\n");
        }
        let refused = matches!(
            self.act,
            Act::Reply(Stage::End, _) | Act::Silence(Stage::End) | Act::Drop(Stage::End)
        );
        let (sender, recipients) = (
            std::mem::take(&mut self.sender),
            std::mem::take(&mut self.recipients),
        );
        // Noted first: a client that has our yes may ask for the notes at once.
        if !refused {
            take(Received {
                at: SystemTime::now(),
                sender,
                recipients,
                mail: Mail::parse(&content),
            });
        }
        self.at(Stage::End, 250, "taken")
    }

    /// A line without its end; `None` when the client has gone.
    fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            if self.stream.reader().read(&mut byte)? == 0 {
                return Ok(None);
            }
            if byte == *b"\n" {
                return Ok(Some(
                    String::from_utf8_lossy(&line)
                        .trim_end_matches('\r')
                        .to_owned(),
                ));
            }
            line.push(byte[0]);
        }
    }

    fn encrypt(self, certificate: &Certificate) -> std::io::Result<Self> {
        let Stream::Plain(socket) = self.stream else {
            return Err(std::io::Error::other("STARTTLS twice"));
        };
        let connection = ServerConnection::new(tls(certificate)).map_err(std::io::Error::other)?;
        Ok(Self {
            stream: Stream::Tls(Box::new(StreamOwned::new(connection, socket))),
            ..self
        })
    }
}

impl Stream {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }
}

fn tls(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&certificate.chain).expect("a certificate file");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key file");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS");
    Arc::new(
        builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key"),
    )
}

fn address(line: &str) -> String {
    let inside = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside
        .map(|(address, _)| address)
        .unwrap_or_default()
        .to_owned()
}

fn plain((user, password): &(String, String)) -> String {
    data_encoding::BASE64.encode(format!("\0{user}\0{password}").as_bytes())
}
