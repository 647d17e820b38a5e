//! Speaking SMTP: to the first of several servers that takes a mail, every step
//! in bounded time.
//!
//! Each recipient gets an answer of its own, so that a wrong address does not
//! keep the mail from the others. Nothing here decides when or what to send.

mod auth;
mod failure;
mod server;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tracing::warn;

use crate::health::{Class, Failure};
use crate::state::Outcome;
pub(crate) use auth::Tokens;
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

/// A connection to a server that is ready for a mail.
pub(crate) struct Open {
    server: Arc<Server>,
    connection: AsyncSmtpConnection,
}

impl Open {
    /// Takes leave of the server.
    pub(crate) async fn quit(mut self) {
        let _ = timeout(QUIT, self.connection.quit()).await;
    }

    /// Whether it leads to one of these servers.
    pub(crate) fn leads_to(&self, servers: &[Arc<Server>]) -> bool {
        servers.iter().any(|it| Arc::ptr_eq(it, &self.server))
    }

    /// Whether the server goes on after a mail; it may have had enough.
    async fn goes_on(&mut self) -> bool {
        let reset = timeout(self.server.timeout, self.connection.command(Reset)).await;
        reset.is_ok_and(|reply| reply.is_ok())
    }
}

/// Forgets the mail before.
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RSET\r\n")
    }
}

/// A mail that was tried, with what is to be let go afterwards.
pub(crate) struct Sent {
    /// How it went.
    pub outcome: Outcome,
    /// Held until the outcome is stored: between the server's "accepted" and
    /// that moment a crash makes the mail go out twice, so only one mail at a
    /// time for each server is there.
    pub lane: Option<OwnedMutexGuard<()>>,
    /// Good for another mail.
    pub open: Option<Open>,
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
            open: None,
        }
    }

    /// Takes leave of the server.
    pub(crate) async fn quit(self) -> Outcome {
        if let Some(open) = self.open {
            open.quit().await;
        }
        self.outcome
    }
}

/// Sends one mail by the first of `servers` that takes it, through `open` if
/// that is given and still good. Takes at most twice each server's time-out, not
/// counting the wait for the mail before it.
pub(crate) async fn send(servers: &[Arc<Server>], open: Option<Open>, envelope: &Envelope) -> Sent {
    let mut failed: Option<Failure> = None;
    let mut again = None;
    if let Some(mut open) = open
        && open.goes_on().await
    {
        again = Some(open);
    }
    for server in in_order(servers, again.as_ref()) {
        let opened = match again.take() {
            Some(open) => Ok(open),
            None => connect(&server).await,
        };
        let mut open = match opened {
            Ok(open) => open,
            Err(failure) => {
                failed = Some(pass_over(&server, failed, failure, servers));
                continue;
            }
        };
        // The first one's, whichever takes it: so all of them share one.
        let lane = servers[0].lane().await;
        let mut in_doubt = false;
        let task = transact(&mut open.connection, envelope, &mut in_doubt);
        let mut outcome = timeout(server.timeout, task)
            .await
            .unwrap_or_else(|_| Outcome::failure(late(&server, "while it took the mail")));
        if let Some(failure) = outcome.failed.clone().filter(|_| !in_doubt) {
            drop(lane);
            failed = Some(pass_over(&server, failed, failure, servers));
            tokio::spawn(open.quit());
            continue;
        }
        match outcome.failed {
            None => server.works(),
            Some(_) => server.may_have_taken(),
        }
        if !Arc::ptr_eq(&server, &servers[0]) && !outcome.accepted.is_empty() {
            outcome.reply = format!("{} by {}", outcome.reply, server.address);
            outcome.by_spare = true;
        }
        return Sent {
            outcome,
            lane: Some(lane),
            open: Some(open),
        };
    }
    Sent::failed(failed.unwrap_or_else(|| Failure::new(Class::Refused, "no server is named")))
}

/// The servers in the order in which they are tried: the one of an open
/// connection, then those that took mail the last time, then the others.
fn in_order(servers: &[Arc<Server>], open: Option<&Open>) -> Vec<Arc<Server>> {
    let mut servers = servers.to_vec();
    servers.sort_by_key(|server| {
        let open = open.is_some_and(|open| Arc::ptr_eq(&open.server, server));
        (!open, server.rests())
    });
    servers
}

/// Goes on to the next server; of several failures the first is told.
fn pass_over(
    server: &Server,
    before: Option<Failure>,
    failure: Failure,
    servers: &[Arc<Server>],
) -> Failure {
    if servers.len() > 1 {
        server.fails();
        warn!(
            server = &*server.address,
            "passed over a mail server: {failure}"
        );
    }
    before.unwrap_or(failure)
}

/// Goes as far as a mail would, without one: connects, encrypts, proves who we
/// are, and takes leave.
pub(crate) async fn probe(server: &Arc<Server>) -> Result<(), Failure> {
    connect(server).await?.quit().await;
    Ok(())
}

async fn connect(server: &Arc<Server>) -> Result<Open, Failure> {
    let connection = timeout(server.timeout, greet(server))
        .await
        .unwrap_or_else(|_| Err(late(server, "before it was ready for a mail")))?;
    Ok(Open {
        server: Arc::clone(server),
        connection,
    })
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
    auth::prove(server, &mut connection).await?;
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

/// The server's words on one short line: `250 2.0.0 queued as 4F21`.
fn said(reply: &Response) -> String {
    let words: Vec<&str> = reply.message().collect();
    Failure::new(
        Class::Transient,
        format!("{} {}", reply.code(), words.join(" ")),
    )
    .detail
}

/// `in_doubt` is set while the server may have taken the mail without our
/// knowing.
async fn transact(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    in_doubt: &mut bool,
) -> Outcome {
    match offer(connection, envelope, in_doubt).await {
        Ok(outcome) => outcome,
        Err(failure) => Outcome::failure(failure),
    }
}

async fn offer(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    in_doubt: &mut bool,
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
    *in_doubt = true;
    let reply = connection.message(&envelope.message).await;
    let reply = reply.map_err(|err| {
        // A "no" is no doubt.
        *in_doubt = err.status().is_none();
        error(&err)
    })?;
    outcome.reply = said(&reply);
    Ok(outcome)
}
