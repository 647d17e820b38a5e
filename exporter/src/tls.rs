//! TLS towards a server, whose certificate is always checked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::crew::{Crew, Outcome};

/// Makes TLS connections.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ClientConfig>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Connector")
    }
}

impl Connector {
    /// Trusts the authorities of a file, or without one those of the system. A disk
    /// that hangs is waited for no longer than `deadline`, and holds one thread of
    /// `files` until it answers.
    pub(crate) async fn load(
        files: &Crew,
        authorities: Option<PathBuf>,
        deadline: Duration,
    ) -> Result<Self, &'static str> {
        let read = move || Self::read(authorities.as_deref());
        match files.one("authorities", deadline, read).await {
            Outcome::Done(read, _) => read,
            Outcome::Late => Err("the certificate authorities were not read in time"),
            Outcome::Panicked => Err("the certificate authorities cannot be read"),
        }
    }

    fn read(authorities: Option<&Path>) -> Result<Self, &'static str> {
        let mut roots = RootCertStore::empty();
        match authorities {
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
            .with_root_certificates(roots)
            .with_no_client_auth();
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
            let load = Connector::load(&files, Some(path.clone()), deadline);
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
