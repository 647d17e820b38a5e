//! The clients: how the other side of https is known, and who we are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Foreign;

settings::section! {
    /// How the other side of https is known.
    pub struct Tls {
        /// Certificates that sign the other side's. Empty: those of the system.
        pub ca_file: PathBuf = PathBuf::new(),
        /// Our own certificate.
        pub cert_file: PathBuf = PathBuf::new(),
        /// The key of our own certificate.
        pub key_file: PathBuf = PathBuf::new(),
        /// The name that the other side's certificate has to state. Empty: that of the address.
        pub server_name: String = String::new(),
        /// Whether any certificate is taken. Whoever stands between can then read and change everything.
        pub insecure_skip_verify: bool = false,
    }
}

impl Tls {
    /// Says what contradicts itself; opens no file.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.cert_file.as_os_str().is_empty() != self.key_file.as_os_str().is_empty() {
            return Err("cert_file and key_file need one another".into());
        }
        self.name().map(drop)
    }

    /// Whether files say any of it.
    pub(super) fn is_in_files(&self) -> bool {
        let files = [&self.ca_file, &self.cert_file, &self.key_file];
        files.iter().any(|file| !file.as_os_str().is_empty())
    }

    fn name(&self) -> Result<Option<ServerName<'static>>, String> {
        if self.server_name.is_empty() {
            return Ok(None);
        }
        let name = ServerName::try_from(self.server_name.clone());
        name.map(Some)
            .map_err(|_| format!("{:?} is no name of a server", self.server_name))
    }

    fn config(&self, provider: &Arc<CryptoProvider>) -> Result<ClientConfig, String> {
        let unusable = |err: Error| err.to_string();
        let trust = if self.insecure_skip_verify {
            Trust::Anyone
        } else if self.ca_file.as_os_str().is_empty() {
            Trust::System(OnceLock::new())
        } else {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&self.ca_file)? {
                let file = self.ca_file.display();
                roots
                    .add(certificate)
                    .map_err(|err| format!("{file}: {err}"))?;
            }
            Trust::Signers(verifier(roots, provider).map_err(unusable)?)
        };
        let checker = Checker {
            trust,
            name: self.name()?,
            provider: Arc::clone(provider),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(checker));
        if self.cert_file.as_os_str().is_empty() {
            return Ok(builder.with_no_client_auth());
        }
        let key = PrivateKeyDer::from_pem_file(&self.key_file)
            .map_err(|err| format!("cannot read {}: {err}", self.key_file.display()))?;
        let chain = certificates(&self.cert_file)?;
        builder.with_client_auth_cert(chain, key).map_err(unusable)
    }
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|err| Error::General(err.to_string()))
}

/// Who may sign the other side's certificate.
#[derive(Debug)]
enum Trust {
    Anyone,
    /// Read at the first handshake: most targets have none.
    System(OnceLock<Result<Arc<WebPkiServerVerifier>, Error>>),
    Signers(Arc<WebPkiServerVerifier>),
}

/// Checks the other side's certificate.
#[derive(Debug)]
struct Checker {
    trust: Trust,
    /// The name it has to state, where that is not the address.
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let signers = match &self.trust {
            Trust::Anyone => return Ok(ServerCertVerified::assertion()),
            Trust::Signers(signers) => signers,
            Trust::System(signers) => signers
                .get_or_init(|| {
                    let mut roots = RootCertStore::empty();
                    let found = rustls_native_certs::load_native_certs().certs;
                    roots.add_parsable_certificates(found);
                    verifier(roots, &self.provider)
                })
                .as_ref()
                .map_err(Clone::clone)?,
        };
        let name = self.name.as_ref().unwrap_or(name);
        signers.verify_server_cert(certificate, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |err: rustls::pki_types::pem::Error| format!("cannot read {}: {err}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(bad)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    if found.is_empty() {
        return Err(format!("no certificate is in {}", file.display()));
    }
    Ok(found)
}

/// What decides which client a target is asked with.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reach {
    tls: Tls,
    follow_redirects: bool,
    /// What tells that a file of certificates is another than it was.
    stamps: [Option<(SystemTime, u64)>; 3],
}

impl Reach {
    /// With the files of certificates as they are now.
    pub(super) fn now(tls: &Tls, follow_redirects: bool) -> Self {
        let stamp = |file: &PathBuf| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        Self {
            stamps: [&tls.ca_file, &tls.cert_file, &tls.key_file].map(stamp),
            tls: tls.clone(),
            follow_redirects,
        }
    }
}

/// HTTP clients, one for all targets that are reached the same way.
#[derive(Debug, Default)]
pub struct Clients(Mutex<Vec<(Reach, Result<Client, String>)>>);

impl Clients {
    /// The client for a target. A new one takes the time to read its certificates.
    ///
    /// # Errors
    /// Says in words what of the TLS configuration cannot be used.
    pub fn of(&self, target: &Foreign) -> Result<Client, String> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let had = |all: &[(Reach, Result<Client, String>)]| {
            let had = all.iter().find(|(reach, _)| *reach == target.reach);
            had.map(|(_, client)| client.clone())
        };
        if let Some(client) = had(&lock()) {
            return client;
        }
        // The disk of one's certificates may hang: that of the others need not wait.
        let client = client(&target.reach);
        let mut all = lock();
        if let Some(client) = had(&all) {
            return client;
        }
        // One with the same files as they were before is not asked for again.
        let reach = target.reach.clone();
        let same =
            |had: &Reach| had.tls == reach.tls && had.follow_redirects == reach.follow_redirects;
        all.retain(|(had, _)| !same(had));
        all.push((reach, client.clone()));
        client
    }
}

fn client(reach: &Reach) -> Result<Client, String> {
    let redirects = if reach.follow_redirects {
        Policy::limited(10)
    } else {
        Policy::none()
    };
    Client::builder()
        .user_agent(concat!("belfry/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(redirects)
        .tls_backend_preconfigured(reach.tls.config(&Arc::new(ring::default_provider()))?)
        .build()
        .map_err(|err| err.to_string())
}
