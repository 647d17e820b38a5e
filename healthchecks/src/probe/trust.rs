//! Who is trusted: the authorities of the system or of a file, and what lists of
//! revoked certificates say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::time::Instant;

use super::aside::aside;
use super::certificate::Certificate;
use super::module::Tls;
use super::reason::{Failure, Reason, Step};

/// Who is trusted.
pub(super) struct Trust {
    /// None without any authority: nobody is trusted then.
    pub(super) verifier: Option<Arc<WebPkiServerVerifier>>,
    pub(super) roots: Vec<Certificate>,
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// The authorities of the system.
static SYSTEM: OnceLock<Arc<Trust>> = OnceLock::new();

/// Whether no file is named.
fn none(file: &Path) -> bool {
    file.as_os_str().is_empty()
}

/// Those whom a module trusts. Files are read on a thread that may block.
pub(super) async fn of(config: &Tls, deadline: Instant) -> Step<Arc<Trust>> {
    let files = [config.ca_file.clone(), config.crl_file.clone()];
    if files.iter().all(|file| none(file))
        && let Some(system) = SYSTEM.get()
    {
        return Ok(Arc::clone(system));
    }
    let read = aside(deadline, move || trust(&files)).await;
    read.ok_or_else(|| Failure::new(Reason::TlsTimeout, "reading the authorities took too long"))?
}

/// Those of the system are read once; files each time, since they may change.
fn trust([authorities, lists]: &[PathBuf; 2]) -> Step<Arc<Trust>> {
    let system = || rustls_native_certs::load_native_certs().certs;
    if none(authorities) && none(lists) {
        if let Some(known) = SYSTEM.get() {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(trusting(system(), Vec::new())?);
        return Ok(Arc::clone(SYSTEM.get_or_init(|| read)));
    }
    let broken = |what: &str| Failure::new(Reason::Internal, what.to_owned());
    let certificates = match none(authorities) {
        true => system(),
        false => CertificateDer::pem_file_iter(authorities)
            .and_then(Iterator::collect)
            .map_err(|_| broken("cannot read ca_file"))?,
    };
    let revoked = match none(lists) {
        true => Vec::new(),
        false => CertificateRevocationListDer::pem_file_iter(lists)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .ok()
            .filter(|lists| !lists.is_empty())
            .ok_or_else(|| broken("cannot read crl_file"))?,
    };
    Ok(Arc::new(trusting(certificates, revoked)?))
}

fn trusting(
    certificates: Vec<CertificateDer<'static>>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
) -> Step<Trust> {
    let roots = certificates
        .iter()
        .filter_map(|one| Certificate::read(one))
        .collect();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    // Without any authority nobody is trusted.
    if store.is_empty() {
        let verifier = None;
        return Ok(Trust { verifier, roots });
    }
    // Authorities whose lists are not there are not asked.
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
        .with_crls(revoked)
        .allow_unknown_revocation_status()
        .build()
        .map_err(|_| {
            Failure::new(
                Reason::Internal,
                "crl_file is no list of revoked certificates",
            )
        })?;
    Ok(Trust {
        verifier: Some(verifier),
        roots,
    })
}
