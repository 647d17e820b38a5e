//! The client of a webhook: who the other side has to be, and who we are.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use settings::Secret;

use super::{AGENT, Target, Webhook};

/// How we prove who we are.
#[derive(Clone)]
pub(crate) enum Proof {
    None,
    Basic {
        username: String,
        password: Secret,
    },
    /// `Authorization: kind credentials`.
    Header {
        kind: String,
        credentials: Secret,
    },
}

/// By what the other side's certificate is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate bears; that of the URL if empty.
    pub server_name: String,
    /// Whether any certificate will do.
    pub anyone: bool,
}

/// Makes the client. Reading the system's certificates takes milliseconds, so
/// it is done once, at the first message, and not for plain HTTP.
pub(super) async fn build(webhook: &Webhook) -> Result<Client, String> {
    let plain =
        matches!(&webhook.target, Target::Fixed(url) if url.expose().starts_with("http://"));
    let trust = webhook.trust.clone();
    let config = tokio::task::spawn_blocking(move || trust.config(plain))
        .await
        .map_err(|err| err.to_string())??;
    let redirects = match webhook.follow_redirects {
        true => Policy::limited(10),
        false => Policy::none(),
    };
    Client::builder()
        .user_agent(AGENT)
        .no_proxy()
        .redirect(redirects)
        .tls_backend_preconfigured(config)
        .build()
        .map_err(|err| err.to_string())
}

impl Trust {
    fn config(&self, plain: bool) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|err| err.to_string())?;
        if self.anyone {
            let verifier = Arc::new(Checked {
                provider,
                inner: None,
                name: None,
            });
            let builder = builder
                .dangerous()
                .with_custom_certificate_verifier(verifier);
            return Ok(builder.with_no_client_auth());
        }
        let roots = self.roots(plain)?;
        if self.server_name.is_empty() {
            return Ok(builder.with_root_certificates(roots).with_no_client_auth());
        }
        let name = ServerName::try_from(self.server_name.clone())
            .map_err(|_| format!("{:?} is no name of a server", self.server_name))?;
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|err| err.to_string())?;
        let verifier = Arc::new(Checked {
            provider,
            inner: Some(inner),
            name: Some(name),
        });
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(builder.with_no_client_auth())
    }

    fn roots(&self, plain: bool) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            None if plain => {}
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
            Some(file) => {
                let bad = |err: &dyn std::fmt::Display| format!("{}: {err}", file.display());
                let found = CertificateDer::pem_file_iter(file).map_err(|err| bad(&err))?;
                for certificate in found {
                    let certificate = certificate.map_err(|err| bad(&err))?;
                    roots.add(certificate).map_err(|err| bad(&err))?;
                }
            }
        }
        Ok(roots)
    }
}

/// Takes any certificate, or one for another name than the URL's.
#[derive(Debug)]
struct Checked {
    provider: Arc<CryptoProvider>,
    /// None to take any.
    inner: Option<Arc<WebPkiServerVerifier>>,
    name: Option<ServerName<'static>>,
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        let name = self.name.as_ref().unwrap_or(server_name);
        inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
