//! A mail server, how it is reached, and how its certificate is checked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use settings::Secret;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

use super::failure::broken;
use crate::health::{Class, Failure};

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
    /// The proof of it.
    pub password: Secret,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name that its certificate bears.
    pub server_name: String,
    /// Whether any certificate will do.
    pub insecure_skip_verify: bool,
    /// For connecting and greeting together, and again for the mail.
    pub timeout: Duration,
    pub(crate) lane: Arc<Mutex<()>>,
    pub(crate) cached: OnceCell<TlsParameters>,
}

impl Server {
    /// Waits until no other mail to this server is between "accepted" and
    /// stored.
    pub(super) async fn lane(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lane).lock_owned().await
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
        let mut builder = TlsParameters::builder(self.server_name.clone())
            .dangerous_accept_invalid_certs(self.insecure_skip_verify)
            .dangerous_accept_invalid_hostnames(self.insecure_skip_verify);
        if let Some(path) = &self.ca_file {
            let bad = |err: &dyn std::fmt::Display| {
                Failure::new(Class::Tls, format!("{}: {err}", path.display()))
            };
            let pem = tokio::fs::read(path).await.map_err(|err| bad(&err))?;
            let certificate = Certificate::from_pem(&pem).map_err(|err| bad(&err))?;
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(certificate);
        }
        tokio::task::spawn_blocking(|| builder.build_rustls())
            .await
            .map_err(|err| Failure::new(Class::Tls, err.to_string()))?
            .map_err(|err| broken(&err))
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server")
            .field("address", &self.address)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
