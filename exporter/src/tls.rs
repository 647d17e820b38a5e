//! TLS towards a server, whose certificate is always checked. Ours is shown where the
//! configuration names one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::crew::{Crew, Outcome};

/// The files that TLS is set up with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Papers {
    /// The authorities that are trusted; without one those of the system.
    pub(crate) authorities: Option<PathBuf>,
    /// Our own certificate, and its key; without one none is shown.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

impl Papers {
    /// Of three keys of the configuration, which were checked by [`Papers::fault`].
    pub(crate) fn new(ca: &Option<PathBuf>, cert: &Option<PathBuf>, key: &Option<PathBuf>) -> Self {
        Self {
            authorities: ca.clone(),
            own: cert.clone().zip(key.clone()),
        }
    }

    /// The first of these keys that names a file: an address without TLS has no use for
    /// one, and who names it believes that nothing goes in clear.
    pub(crate) fn first(
        ca: &Option<PathBuf>,
        cert: &Option<PathBuf>,
        key: &Option<PathBuf>,
    ) -> Option<&'static str> {
        let files = [("ca_file", ca), ("cert_file", cert), ("key_file", key)];
        let named = files.into_iter().find(|(_, file)| file.is_some());
        named.map(|(key, _)| key)
    }

    /// What contradicts itself, as (key, message).
    pub(crate) fn fault(
        cert: &Option<PathBuf>,
        key: &Option<PathBuf>,
    ) -> Option<(&'static str, &'static str)> {
        match (cert, key) {
            (Some(_), None) => Some(("key_file", "a certificate needs its key")),
            (None, Some(_)) => Some(("cert_file", "a key needs its certificate")),
            _ => None,
        }
    }
}

/// Makes TLS connections.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ClientConfig>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Connector")
    }
}

impl Connector {
    /// Reads these. A disk that hangs is waited for no longer than `deadline`, and holds
    /// one thread of `files` until it answers.
    pub(crate) async fn load(
        files: &Crew,
        papers: Papers,
        deadline: Duration,
    ) -> Result<Self, &'static str> {
        let read = move || Self::read(&papers);
        match files.one("authorities", deadline, read).await {
            Outcome::Done(read, _) => read,
            Outcome::Late => Err("the certificate authorities were not read in time"),
            Outcome::Panicked => Err("the certificate authorities cannot be read"),
        }
    }

    fn read(papers: &Papers) -> Result<Self, &'static str> {
        let mut roots = RootCertStore::empty();
        match &papers.authorities {
            Some(path) => {
                let found = CertificateDer::pem_file_iter(path);
                for certificate in found.map_err(|_| "cannot read ca_file")? {
                    let certificate = certificate.map_err(|_| "ca_file is malformed")?;
                    roots.add(certificate).map_err(|_| "ca_file is malformed")?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err("no certificate authority is trusted");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| "TLS cannot be set up")?
            .with_root_certificates(roots);
        let config = match &papers.own {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|_| "cannot read key_file")?;
                let config = config.with_client_auth_cert(chain(certificate)?, key);
                config.map_err(|_| "key_file is not the key of cert_file")?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// Sets TLS up with the server of this name.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, stream)
            .await
    }
}

/// TLS towards one server, to which we connect again and again: its files are read for
/// the first connection, and once more after each that failed, since certificates and
/// authorities are renewed while we run.
#[derive(Debug)]
pub(crate) struct Renewable {
    papers: Papers,
    deadline: Duration,
    files: Crew,
    read: Mutex<Option<Connector>>,
}

impl Renewable {
    /// Nothing is read yet.
    pub(crate) fn new(papers: Papers, deadline: Duration) -> Self {
        Self {
            papers,
            deadline,
            files: Crew::default(),
            read: Mutex::default(),
        }
    }

    /// What its files said when they were read last.
    pub(crate) async fn connector(&self) -> Result<Connector, &'static str> {
        let mut read = self.read.lock().await;
        if let Some(connector) = &*read {
            return Ok(connector.clone());
        }
        let load = Connector::load(&self.files, self.papers.clone(), self.deadline);
        Ok(read.insert(load.await?).clone())
    }

    /// A connection failed: the next one is made with what the files say then.
    pub(crate) async fn failed(&self) {
        *self.read.lock().await = None;
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found = CertificateDer::pem_file_iter(file).map_err(|_| "cannot read cert_file")?;
    let chain: Result<Vec<_>, _> = found.collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or("cert_file is malformed")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::*;

    #[tokio::test]
    async fn a_file_that_does_not_answer_is_waited_for_no_longer_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let files = Crew::default();
        let load = async |deadline| {
            let papers = Papers {
                authorities: Some(path.clone()),
                ..Papers::default()
            };
            let load = Connector::load(&files, papers, deadline);
            load.await.err()
        };
        let late = Some("the certificate authorities were not read in time");
        for _ in 0..2 {
            assert_eq!(load(Duration::from_millis(50)).await, late);
        }
        // It answers, with nothing; then there is no such file.
        drop(OpenOptions::new().read(true).write(true).open(&path));
        fs::remove_file(&path).unwrap();
        let mut told = late;
        while told == late {
            told = load(Duration::from_secs(60)).await;
        }
        assert_eq!(told, Some("cannot read ca_file"));
    }
}
