//! What a look takes from files before it speaks TLS: the authorities of the system
//! or of a file, what lists of revoked certificates say, and what shows who we are.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio::time::Instant;

use super::aside::aside;
use super::certificate::Certificate;
use super::module::Tls;
use super::reason::{Failure, Reason, Step};

/// Who is trusted.
pub(super) struct Trust {
    /// None without any authority: nobody is trusted then.
    pub(super) verifier: Option<Arc<WebPkiServerVerifier>>,
    pub(super) roots: Arc<[Certificate]>,
    store: Arc<RootCertStore>,
}

/// Our certificate with those that signed it, and its key.
pub(super) type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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

/// Those whom a module trusts, and who we are if it says so. Files are read on a
/// thread that may block.
pub(super) async fn of(config: &Tls, deadline: Instant) -> Step<(Arc<Trust>, Option<Own>)> {
    let files = [&config.ca_file, &config.crl_file, &config.cert_file];
    if files.iter().all(|file| none(file))
        && let Some(system) = SYSTEM.get()
    {
        return Ok((Arc::clone(system), None));
    }
    let files = files.map(Clone::clone);
    let key = config.key_file.clone();
    let read = aside(deadline, move || {
        let [authorities, lists, chain] = &files;
        Ok((trust(authorities, lists)?, own(chain, &key)?))
    });
    read.await
        .ok_or_else(|| Failure::new(Reason::TlsTimeout, "reading certificates took too long"))?
}

/// Those of the system are read once; files each time, since they may change.
fn trust(authorities: &Path, lists: &Path) -> Step<Arc<Trust>> {
    let trust = match none(authorities) {
        true => system()?,
        false => Arc::new(Trust::new(pem(authorities, "ca_file")?)?),
    };
    if none(lists) {
        return Ok(trust);
    }
    let revoked: Vec<CertificateRevocationListDer<'_>> = pem(lists, "crl_file")?;
    if revoked.is_empty() {
        return Err(broken("cannot read crl_file"));
    }
    Ok(Arc::new(trust.but_for(revoked)?))
}

fn system() -> Step<Arc<Trust>> {
    if let Some(known) = SYSTEM.get() {
        return Ok(Arc::clone(known));
    }
    let read = Arc::new(Trust::new(rustls_native_certs::load_native_certs().certs)?);
    Ok(Arc::clone(SYSTEM.get_or_init(|| read)))
}

fn own(chain: &Path, key: &Path) -> Step<Option<Own>> {
    if none(chain) {
        return Ok(None);
    }
    let chain = pem(chain, "cert_file")?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| broken("cannot read key_file"))?;
    Ok(Some((chain, key)))
}

/// All of a kind that a file has; the key is that of the module.
fn pem<T: PemObject>(file: &Path, key: &str) -> Step<Vec<T>> {
    T::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|_| broken(&format!("cannot read {key}")))
}

fn broken(what: &str) -> Failure {
    Failure::new(Reason::Internal, what.to_owned())
}

impl Trust {
    fn new(certificates: Vec<CertificateDer<'static>>) -> Step<Self> {
        let roots = certificates
            .iter()
            .filter_map(|one| Certificate::read(one))
            .collect();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        let none = Self {
            verifier: None,
            roots,
            store: Arc::new(store),
        };
        none.but_for(Vec::new())
    }

    /// The same authorities, but for whom these lists name.
    fn but_for(&self, revoked: Vec<CertificateRevocationListDer<'static>>) -> Step<Self> {
        let (roots, store) = (Arc::clone(&self.roots), Arc::clone(&self.store));
        // Without any authority nobody is trusted.
        if store.is_empty() {
            let verifier = None;
            return Ok(Self {
                verifier,
                roots,
                store,
            });
        }
        // Authorities whose lists are not there are not asked.
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), provider())
            .with_crls(revoked)
            .allow_unknown_revocation_status()
            .build()
            .map_err(|_| broken("crl_file is no list of revoked certificates"))?;
        Ok(Self {
            verifier: Some(verifier),
            roots,
            store,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an authority that is nobody's.
    const LIST: &str = "-----BEGIN X509 CRL-----
MIGjMEsCAQEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBYRcNMjYxMTI5MTY1MjMx
WhcNMjYxMjI5MTY1MjMxWqAOMAwwCgYDVR0UBAMCAQEwCgYIKoZIzj0EAwIDSAAw
RQIhALfMWRIuJofyHJvtQJYND7fpN5RsNfwnBPwU5QRjjYQjAiAd7EB8j3iDp42o
rf1pt5EwXZiH0V95VgDpeG9lTGUbfA==
-----END X509 CRL-----
";

    #[test]
    fn with_a_list_alone_the_systems_authorities_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.pem");
        std::fs::write(&list, LIST).unwrap();
        let none = Path::new("");
        let system = trust(none, none).unwrap();
        let less = trust(none, &list).unwrap();
        assert!(Arc::ptr_eq(&system.store, &less.store));
        assert!(Arc::ptr_eq(&system.roots, &less.roots));
        let judges = |trust: &Trust| trust.verifier.as_ref().map(Arc::as_ptr);
        assert!(judges(&system).is_none() || judges(&system) != judges(&less));
    }
}
