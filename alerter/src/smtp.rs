//! Speaking SMTP: one connection for each mail, every step in bounded time.
//!
//! Each recipient gets an answer of its own, so that a wrong address does not
//! keep the mail from the others. Nothing here decides when or what to send.

mod failure;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::health::{Class, Failure};
use crate::state::Outcome;
use failure::{broken, classed, refused};
pub(crate) use server::Server;
pub use server::Tls;

/// The wait for a good-bye, which changes nothing any more.
const QUIT: Duration = Duration::from_secs(2);

/// What is sent to whom.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    /// The sender's address.
    pub from: Address,
    /// The recipients' addresses.
    pub to: Vec<Address>,
    /// The whole message, header and body.
    pub message: Vec<u8>,
}

/// A mail that was tried, with what is to be let go afterwards.
pub(crate) struct Sent {
    /// How it went.
    pub outcome: Outcome,
    /// Held until the outcome is stored: between the server's "accepted" and
    /// that moment a crash makes the mail go out twice, so only one mail at a
    /// time for each server is there.
    pub lane: Option<OwnedMutexGuard<()>>,
    connection: Option<AsyncSmtpConnection>,
}

impl Sent {
    /// A mail that failed before there was a connection.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self::without_connection(Outcome::failure(failure))
    }

    /// Something that no mail server took part in.
    pub(crate) fn without_connection(outcome: Outcome) -> Self {
        Self {
            outcome,
            lane: None,
            connection: None,
        }
    }

    /// Takes leave of the server.
    pub(crate) async fn quit(connection: Option<AsyncSmtpConnection>) {
        if let Some(mut connection) = connection {
            let _ = timeout(QUIT, connection.quit()).await;
        }
    }

    /// Parts the connection from the rest.
    pub(crate) fn take_connection(&mut self) -> Option<AsyncSmtpConnection> {
        self.connection.take()
    }
}

/// Sends one mail. Takes at most twice the server's time-out, not counting the
/// wait for the mail before it.
pub(crate) async fn send(server: &Server, envelope: &Envelope) -> Sent {
    let mut connection = match connect(server).await {
        Ok(connection) => connection,
        Err(failure) => return Sent::failed(failure),
    };
    let lane = server.lane().await;
    let outcome = timeout(server.timeout, transact(&mut connection, envelope))
        .await
        .unwrap_or_else(|_| Outcome::failure(late(server, "while it took the mail")));
    Sent {
        outcome,
        lane: Some(lane),
        connection: Some(connection),
    }
}

/// Goes as far as a mail would, without one: connects, encrypts, proves who we
/// are, and takes leave.
pub(crate) async fn probe(server: &Server) -> Result<(), Failure> {
    let connection = connect(server).await?;
    Sent::quit(Some(connection)).await;
    Ok(())
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, Failure> {
    timeout(server.timeout, greet(server))
        .await
        .unwrap_or_else(|_| Err(late(server, "before it was ready for a mail")))
}

fn late(server: &Server, when: &str) -> Failure {
    let seconds = server.timeout.as_secs_f32();
    Failure::new(
        Class::Timeout,
        format!("{} said nothing for {seconds} s {when}", server.address),
    )
}

/// Up to the point where a mail can be sent.
async fn greet(server: &Server) -> Result<AsyncSmtpConnection, Failure> {
    let hello = ClientId::Domain(server.hello.clone());
    let addresses = resolve(server).await?;
    let tls = match server.tls {
        Tls::None => None,
        Tls::Starttls | Tls::Implicit => Some(server.parameters().await?),
    };
    let mut connection = if server.tls == Tls::Implicit {
        AsyncSmtpConnection::connect_tokio1(&*addresses, None, &hello, tls, None)
            .await
            .map_err(|err| classed(&err, Class::Permanent))?
    } else {
        let stream = dial(&addresses).await?;
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
            .await
            .map_err(|err| classed(&err, Class::Permanent))?;
        if let Some(tls) = tls {
            if !connection.can_starttls() {
                let detail = format!("{} does not offer STARTTLS", server.address);
                return Err(Failure::new(Class::Tls, detail));
            }
            connection
                .starttls(tls, &hello)
                .await
                .map_err(|err| classed(&err, Class::Tls))?;
        }
        connection
    };
    authenticate(server, &mut connection).await?;
    Ok(connection)
}

async fn resolve(server: &Server) -> Result<Vec<SocketAddr>, Failure> {
    let addresses: Vec<_> = tokio::net::lookup_host((&*server.host, server.port))
        .await
        .map_err(|err| Failure::new(Class::Dns, format!("{}: {err}", server.host)))?
        .collect();
    match addresses.is_empty() {
        true => Err(Failure::new(
            Class::Dns,
            format!("{} has no address", server.host),
        )),
        false => Ok(addresses),
    }
}

async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(addresses)
        .await
        .map_err(|err| Failure::new(Class::Refused, format!("{}: {err}", addresses[0])))?;
    // The end of a mail is a packet of its own, which must not wait for the
    // server to acknowledge the one before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Proves who we are, if we were given a name and the server wants to know.
async fn authenticate(
    server: &Server,
    connection: &mut AsyncSmtpConnection,
) -> Result<(), Failure> {
    if server.username.is_empty() {
        return Ok(());
    }
    let info = connection.server_info();
    let offered = |mechanism| info.supports_auth_mechanism(mechanism);
    let all = [Mechanism::Plain, Mechanism::Login, Mechanism::Xoauth2];
    if !all.into_iter().any(offered) {
        return Ok(());
    }
    // PLAIN gives the password to anyone on the way.
    let safe = connection.is_encrypted() || server.is_local();
    let usable = [Mechanism::Plain, Mechanism::Login]
        .into_iter()
        .filter(|mechanism| offered(*mechanism))
        .find(|mechanism| safe || *mechanism == Mechanism::Login);
    let Some(mechanism) = usable else {
        let detail = format!(
            "{} offers no AUTH mechanism that is usable here",
            server.address
        );
        return Err(Failure::new(Class::Auth, detail));
    };
    let password = server.password.expose().to_owned();
    let credentials = Credentials::new(server.username.clone(), password);
    connection
        .auth(&[mechanism], &credentials)
        .await
        .map_err(|err| classed(&err, Class::Auth))?;
    Ok(())
}

/// The server's words on one short line: `250 2.0.0 queued as 4F21`.
fn said(reply: &Response) -> String {
    let words: Vec<&str> = reply.message().collect();
    Failure::new(
        Class::Transient,
        format!("{} {}", reply.code(), words.join(" ")),
    )
    .detail
}

async fn transact(connection: &mut AsyncSmtpConnection, envelope: &Envelope) -> Outcome {
    match offer(connection, envelope).await {
        Ok(outcome) => outcome,
        Err(failure) => Outcome::failure(failure),
    }
}

async fn offer(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
) -> Result<Outcome, Failure> {
    let info = connection.server_info();
    let mut parameters = Vec::new();
    if !envelope.message.is_ascii() && info.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let foreign = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
    let utf8 = envelope.to.iter().chain([&envelope.from]).any(foreign);
    if utf8 && info.supports_feature(Extension::SmtpUtfEight) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let error = |err: &_| classed(err, Class::Permanent);
    connection
        .command(Mail::new(Some(envelope.from.clone()), parameters))
        .await
        .map_err(|err| error(&err))?;
    let mut outcome = Outcome::default();
    for to in &envelope.to {
        match connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_) => outcome.accepted.push(to.to_string()),
            Err(err) => match refused(&err) {
                Some(failure) => outcome.refused.push((to.to_string(), failure)),
                None => return Err(broken(&err)),
            },
        }
    }
    if outcome.accepted.is_empty() {
        return Ok(outcome);
    }
    connection.command(Data).await.map_err(|err| error(&err))?;
    let reply = connection
        .message(&envelope.message)
        .await
        .map_err(|err| error(&err))?;
    outcome.reply = said(&reply);
    Ok(outcome)
}
