//! A client: who the other side has to be, and by which way it is reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use settings::Secret;

use super::{AGENT, Way};

/// By what the other side's certificate is checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trust {
    /// Certificates to trust instead of the system's: in a file, or as text.
    pub ca_file: Option<PathBuf>,
    pub ca: String,
    /// Our own certificate with its key, if the other side wants one: files, or
    /// text.
    pub cert_file: Option<PathBuf>,
    pub cert: String,
    pub key: Secret,
    /// Whether TLS 1.2, or 1.3, is not to be spoken.
    pub without: [bool; 2],
    /// The name that the certificate bears; that of the URL if empty.
    pub server_name: String,
    /// Whether any certificate will do.
    pub anyone: bool,
}

/// By which detour a server is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxy {
    /// The proxy, with a name and a password in it where it wants them.
    pub url: Secret,
    /// Hosts that are reached without it, parted by commas.
    pub except: String,
    /// Whether the environment names proxies.
    pub environment: bool,
    /// What the proxy is told when a connection is asked of it.
    pub headers: HeaderMap,
}

/// Makes a client. What is secret, or in a file, is read now.
pub(super) async fn build(way: &Way, plain: bool) -> Result<Client, String> {
    let trust = way.trust.loaded().await?;
    let config = tokio::task::spawn_blocking(move || trust.config(plain))
        .await
        .map_err(|err| err.to_string())??;
    let redirects = match way.follow_redirects {
        true => Policy::limited(10),
        false => Policy::none(),
    };
    let mut builder = Client::builder()
        .user_agent(AGENT)
        .redirect(redirects)
        .tls_backend_preconfigured(config);
    if !way.proxy.environment {
        builder = builder.no_proxy();
    }
    if !way.proxy.url.is_empty() {
        let proxy = reqwest::Proxy::all(way.proxy.url.expose())
            .map_err(|_| "the proxy's URL is none".to_owned())?
            .no_proxy(NoProxy::from_string(&way.proxy.except))
            .headers(way.proxy.headers.clone());
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|err| err.to_string())
}

impl Trust {
    fn config(&self, plain: bool) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let versions: Vec<_> = [&rustls::version::TLS12, &rustls::version::TLS13]
            .into_iter()
            .zip(self.without)
            .filter(|(_, without)| !without)
            .map(|(version, _)| version)
            .collect();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|err| err.to_string())?;
        let builder = match self.verifier(plain, provider)? {
            Ok(roots) => builder.with_root_certificates(roots),
            Err(verifier) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier)),
        };
        match self.own()? {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|err| format!("our certificate: {err}")),
        }
    }

    /// Certificates to trust as usual, or a verifier of our own.
    fn verifier(
        &self,
        plain: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Result<RootCertStore, Checked>, String> {
        if self.anyone {
            return Ok(Err(Checked {
                provider,
                inner: None,
                name: None,
            }));
        }
        let roots = self.roots(plain)?;
        if self.server_name.is_empty() {
            return Ok(Ok(roots));
        }
        let name = ServerName::try_from(self.server_name.clone())
            .map_err(|_| format!("{:?} is no name of a server", self.server_name))?;
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|err| err.to_string())?;
        Ok(Err(Checked {
            provider,
            inner: Some(inner),
            name: Some(name),
        }))
    }

    /// The same with what its files say in their places, as it is now.
    pub(crate) async fn loaded(&self) -> Result<Self, String> {
        let mut loaded = self.clone();
        if let Some(file) = loaded.ca_file.take() {
            loaded.ca = read(&file).await?;
            // To trust the system's instead is not what was asked for.
            if loaded.ca.trim().is_empty() {
                return Err(format!("{}: it holds no certificate", file.display()));
            }
        }
        if let Some(file) = loaded.cert_file.take() {
            loaded.cert = read(&file).await?;
        }
        let key = self.key.read().await;
        loaded.key = Secret::new(key.map_err(|err| format!("our certificate's key: {err}"))?);
        Ok(loaded)
    }

    /// Our own certificate, if we have one.
    fn own(&self) -> Result<Option<Identity>, String> {
        let Some((cert, key)) = self.identity() else {
            return Ok(None);
        };
        let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<_, _>>();
        let chain = chain.map_err(|err| format!("our certificate: {err}"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|err| format!("our certificate's key: {err}"))?;
        Ok(Some((chain, key)))
    }

    /// Our own certificate and its key as text, if we have one.
    pub(crate) fn identity(&self) -> Option<(&str, &str)> {
        let both = !self.cert.is_empty() && !self.key.is_empty();
        both.then(|| (&*self.cert, self.key.expose()))
    }

    /// The certificates to trust instead of the system's, as text.
    pub(crate) fn authorities(&self) -> Option<&str> {
        Some(&*self.ca).filter(|ca| !ca.is_empty())
    }

    fn roots(&self, plain: bool) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = self.authorities() {
            for found in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let found = found.map_err(|err| format!("ca: {err}"))?;
                roots.add(found).map_err(|err| format!("ca: {err}"))?;
            }
        } else if !plain {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        Ok(roots)
    }
}

async fn read(file: &Path) -> Result<String, String> {
    let read = settings::read_fresh(file, 4 << 20).await;
    read.map_err(|err| format!("{}: {err}", file.display()))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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
