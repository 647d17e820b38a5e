//! A mail server, how it is reached, and how its certificate is checked.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::client::{
    Certificate, CertificateStore, Identity, TlsParameters, TlsParametersBuilder, TlsVersion,
};
use settings::Secret;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};
use tokio::time::Instant;

use super::Tokens;
use super::failure::broken;
use crate::health::{Class, Failure};
use crate::http::Trust;

/// How long one of several servers that took no mail is tried last.
const REST: Duration = Duration::from_secs(60);

/// Mails in a row that a server may have taken before others are tried.
const DOUBTS: u32 = 1;

settings::choice! {
    /// How mail is encrypted on its way to the server.
    pub enum Tls {
        /// Plain at first, encrypted before anything is said; never otherwise.
        Starttls = "starttls",
        /// Encrypted from the first byte.
        Implicit = "implicit",
        /// Not at all.
        None = "none",
    }
}

/// Whether a server is to be left alone for a while.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Until when others are tried before it.
    until: Option<Instant>,
    /// Mails in a row that it may have taken.
    doubts: u32,
}

/// A mail server.
pub(crate) struct Server {
    /// `host:port`, for people and as its name.
    pub address: Arc<str>,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// What we call ourselves in EHLO.
    pub hello: String,
    /// Who we are; empty for nobody.
    pub username: String,
    /// In whose name we send, for PLAIN; empty for our own.
    pub identity: String,
    /// The proof of who we are.
    pub password: Secret,
    /// The proof of it for CRAM-MD5, if it is another.
    pub secret: Secret,
    /// Who gives us tokens that prove it, if not a password does.
    pub oauth: Option<Tokens>,
    /// By what its certificate is checked.
    pub trust: Trust,
    /// For connecting and greeting together, and again for the mail.
    pub timeout: Duration,
    pub(crate) lane: Arc<Mutex<()>>,
    pub(crate) rest: std::sync::Mutex<Rest>,
    pub(crate) cached: OnceCell<TlsParameters>,
}

impl Server {
    /// Waits until no other mail to this server is between "accepted" and
    /// stored.
    pub(super) async fn lane(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lane).lock_owned().await
    }

    /// Whether it is reached, greeted and believed in the same way as another.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let tokens = match (&self.oauth, &other.oauth) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        tokens
            && self.address == other.address
            && self.tls == other.tls
            && self.hello == other.hello
            && self.username == other.username
            && self.identity == other.identity
            && self.password == other.password
            && self.secret == other.secret
            && self.trust == other.trust
            && self.timeout == other.timeout
    }

    /// Whether others are to be tried before it, as it took no mail lately.
    pub(super) fn rests(&self) -> bool {
        let until = self.with_rest(|rest| rest.until);
        until.is_some_and(|until| until > Instant::now())
    }

    /// It took a mail.
    pub(super) fn works(&self) {
        self.with_rest(|rest| *rest = Rest::default());
    }

    /// It took no mail.
    pub(super) fn fails(&self) {
        self.with_rest(|rest| rest.until = Some(Instant::now() + REST));
    }

    /// It may have taken a mail, and is asked once more: whoever gets that twice
    /// can tell. One that never says what became of it is of no use.
    pub(super) fn may_have_taken(&self) {
        self.with_rest(|rest| {
            rest.doubts += 1;
            if rest.doubts > DOUBTS {
                rest.until = Some(Instant::now() + REST);
            }
        });
    }

    fn with_rest<T>(&self, act: impl FnOnce(&mut Rest) -> T) -> T {
        act(&mut self.rest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the way to it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        let address: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// What a certificate is checked by. Made once, as reading the system's
    /// certificates takes milliseconds; a file that cannot be read is tried
    /// again with the next mail.
    pub(super) async fn parameters(&self) -> Result<TlsParameters, Failure> {
        self.cached
            .get_or_try_init(|| self.make_parameters())
            .await
            .cloned()
    }

    async fn make_parameters(&self) -> Result<TlsParameters, Failure> {
        let bad = |why: String| Failure::new(Class::Tls, why);
        let trust = self.trust.loaded().await.map_err(bad)?;
        let made = tokio::task::spawn_blocking(move || {
            let parameters = parameters(&trust)?;
            parameters.build_rustls().map_err(|err| broken(&err).detail)
        });
        made.await.map_err(|err| bad(err.to_string()))?.map_err(bad)
    }
}

fn parameters(trust: &Trust) -> Result<TlsParametersBuilder, String> {
    let mut builder = TlsParameters::builder(trust.server_name.clone())
        .dangerous_accept_invalid_certs(trust.anyone)
        .dangerous_accept_invalid_hostnames(trust.anyone);
    if trust.without[0] {
        builder = builder.set_min_tls_version(TlsVersion::Tlsv13);
    }
    if let Some(pem) = trust.authorities() {
        let certificate = Certificate::from_pem(pem.as_bytes());
        let certificate = certificate.map_err(|err| format!("ca: {err}"))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    if let Some((cert, key)) = trust.identity() {
        let identity = Identity::from_pem(cert.as_bytes(), key.as_bytes());
        builder = builder.identify_with(identity.map_err(|err| format!("our certificate: {err}"))?);
    }
    Ok(builder)
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server")
            .field("address", &self.address)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
