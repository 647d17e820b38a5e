//! A server's side of TLS with the certificate of a folder, as [`super::Exim::certificates`]
//! makes it.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Whether clients must show a certificate of the folder's authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    Any,
    Certified,
}

/// For connections to `localhost`.
pub(crate) fn acceptor(folder: &Path, clients: Clients) -> TlsAcceptor {
    let read = |name: &str| -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_file_iter(folder.join(name)).unwrap();
        found.collect::<Result<_, _>>().unwrap()
    };
    let key = PrivateKeyDer::from_pem_file(folder.join("cert.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        Clients::Any => WebPkiClientVerifier::no_client_auth(),
        Clients::Certified => {
            let mut roots = RootCertStore::empty();
            for authority in read("ca.pem") {
                roots.add(authority).unwrap();
            }
            let provider = Arc::clone(&provider);
            let known = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            known.build().unwrap()
        }
    };
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(read("cert.pem"), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(server))
}
