//! From the file to what rustls serves by.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    SupportedCipherSuite, SupportedProtocolVersion,
};

use super::config::{ClientAuth, TlsServer, Version};

/// A certificate with those above it is no longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

/// What is served by; or what is wrong with a certificate or a key. Reads files.
pub(super) fn server(section: &TlsServer) -> Result<ServerConfig, String> {
    let pem = text(&section.cert, section.cert_file.as_deref(), "cert_file")?;
    let chain = certificates(&pem, "the certificate")?;
    let key = text(&section.key, section.key_file.as_deref(), "key_file")?;
    let key =
        PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|err| format!("the key: {err}"))?;
    let provider = Arc::new(provider(section));
    let algorithms = provider.signature_verification_algorithms;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(section))
        .map_err(|err| err.to_string())?;
    let builder = match section.client_auth_type {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Request => builder.with_client_cert_verifier(Arc::new(Anybody {
            algorithms,
            must: false,
        })),
        ClientAuth::RequireAny => builder.with_client_cert_verifier(Arc::new(Anybody {
            algorithms,
            must: true,
        })),
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify => {
            let file = section.client_ca_file.as_deref();
            let pem = text(&section.client_ca, file, "client_ca_file")?;
            let mut roots = RootCertStore::empty();
            for one in certificates(&pem, "client_ca")? {
                roots.add(one).map_err(|err| format!("client_ca: {err}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match section.client_auth_type {
                ClientAuth::VerifyIfGiven => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|err| format!("client_ca: {err}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|err| format!("the certificate and its key: {err}"))?;
    server.ignore_client_order = section.prefer_server_cipher_suites;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

/// The cipher of that name, of those that are sound.
pub(super) fn suite(name: &str) -> Option<SupportedCipherSuite> {
    let mut known = ring::ALL_CIPHER_SUITES.iter();
    known
        .find(|suite| suite.tls13().is_none() && named(suite) == name)
        .copied()
}

fn named(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

/// The curve of that name, as Go calls it.
pub(super) fn curve(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    match name {
        "CurveP256" => Some(ring::kx_group::SECP256R1),
        "CurveP384" => Some(ring::kx_group::SECP384R1),
        "X25519" => Some(ring::kx_group::X25519),
        _ => None,
    }
}

fn provider(section: &TlsServer) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !section.cipher_suites.is_empty() {
        // Those of TLS 1.3 are not for anybody to choose from.
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some());
        let chosen = section.cipher_suites.iter().filter_map(|name| suite(name));
        provider.cipher_suites.extend(chosen);
    }
    if !section.curve_preferences.is_empty() {
        let chosen = section.curve_preferences.iter();
        provider.kx_groups = chosen.filter_map(|name| curve(name)).collect();
    }
    provider
}

fn versions(section: &TlsServer) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if section.max_version == Version::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if section.min_version != Version::Tls13 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}

fn text(inline: &str, file: Option<&std::path::Path>, key: &str) -> Result<String, String> {
    match file {
        None => Ok(inline.to_owned()),
        Some(file) => settings::read_file(file, LONGEST)
            .map_err(|err| format!("{key}: cannot read {}: {err}", file.display())),
    }
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{what}: no PEM certificate is in it")),
        Ok(found) => Ok(found),
        Err(err) => Err(format!("{what}: {err}")),
    }
}

/// Takes any certificate of a client that has its key: whose it is proves nothing,
/// and nothing is let in by it.
#[derive(Debug)]
struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
    must: bool,
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.must
    }

    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _above: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
