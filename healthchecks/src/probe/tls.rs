//! TLS that looks before it judges: whatever chain is presented is read, and
//! only then does a chain that is not trusted fail the probe.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::certificate::{Certificate, chain_expiry};
use super::disk;
use super::module::{Tls, Version};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stapled;
use super::stream::Stream;
use super::trust::{self, Own, Trust, provider};

/// What a handshake showed.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    verdict: Result<(), CertificateError>,
}

/// Speaks TLS on a connection. What the handshake showed is in the samples even
/// when it fails; the protocol that was agreed on is returned.
pub(super) async fn secure(
    stream: Stream,
    host: &str,
    config: &Tls,
    protocols: &[&[u8]],
    deadline: Instant,
    samples: &mut Samples,
) -> Step<(Stream, Option<Vec<u8>>)> {
    let (trust, own) = trust::of(config, deadline).await?;
    let watcher = Arc::new(Watcher {
        trust: Arc::clone(&trust),
        shown: Mutex::default(),
    });
    let client = client(config, own, Arc::clone(&watcher), protocols)?;
    let name = if config.server_name.is_empty() {
        host
    } else {
        &config.server_name
    };
    let name = name
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_owned();
    let host = name.clone();
    let name = ServerName::try_from(name)
        .map_err(|_| Failure::new(Reason::TlsWrongName, "no certificate can be for this name"))?;
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream);
    let result = timeout_at(deadline, Box::pin(connecting)).await;
    let shown = watcher
        .shown
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let mut newer = None;
    if let Some(shown) = &shown {
        publish(shown, &trust.roots, samples);
        if !config.certificate_on_disk.as_os_str().is_empty() {
            let path = config.certificate_on_disk.clone();
            newer = disk::compare(shown.chain.first(), path, host, deadline, samples).await;
        }
    }
    let secured = match result {
        Err(_) => {
            return Err(Failure::new(
                Reason::TlsTimeout,
                "the handshake took too long",
            ));
        }
        Ok(Err(err)) => return Err(refused(&err)),
        Ok(Ok(secured)) => secured,
    };
    let (_, session) = secured.get_ref();
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "unknown",
    };
    samples.label("probe_tls_version_info", &[("version", version)], 1.0);
    if let Some(suite) = session.negotiated_cipher_suite() {
        let name = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
        samples.label("probe_tls_cipher_info", &[("cipher", &name)], 1.0);
    }
    let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
    if let Some(shown) = shown.filter(|_| !config.insecure_skip_verify)
        && let Err(err) = &shown.verdict
    {
        let failure = untrusted(err, &shown.chain);
        return Err(match newer {
            // The cure is another one than that of the fault itself.
            Some(ends) => Failure::new(
                Reason::TlsNotReloaded,
                format!(
                    "{failure}; a newer one lies on the disk, which ends at {ends}, and is not served"
                ),
            ),
            None => failure,
        });
    }
    Ok((Box::new(secured), protocol))
}

fn refused(err: &std::io::Error) -> Failure {
    match err
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            Failure::new(Reason::TlsError, "the certificate cannot be read")
        }
        Some(err) => Failure::new(Reason::TlsError, err.to_string()),
        None => match Failure::talking(err) {
            // What is no TLS looks like this.
            Failure {
                reason: Reason::Protocol,
                detail,
            } => Failure::new(Reason::TlsError, detail),
            failure => failure,
        },
    }
}

fn untrusted(err: &CertificateError, chain: &[CertificateDer<'_>]) -> Failure {
    use CertificateError as Is;
    let leaf = chain.first().and_then(|leaf| Certificate::read(leaf));
    let alone = leaf.as_ref().is_some_and(Certificate::self_issued);
    let reason = match err {
        Is::Expired | Is::ExpiredContext { .. } => Reason::TlsExpired,
        Is::NotValidYet | Is::NotValidYetContext { .. } => Reason::TlsNotYetValid,
        Is::NotValidForName | Is::NotValidForNameContext { .. } => Reason::TlsWrongName,
        Is::Revoked => Reason::TlsRevoked,
        _ if alone => Reason::TlsSelfSigned,
        Is::UnknownIssuer => Reason::TlsUnknownAuthority,
        _ => Reason::TlsError,
    };
    let detail = match leaf {
        Some(leaf) if reason == Reason::TlsUnknownAuthority => format!("issued by {}", leaf.issuer),
        Some(leaf) if reason == Reason::TlsWrongName => {
            format!("it is for {}", leaf.names.join(", "))
        }
        _ => err.to_string(),
    };
    Failure::new(reason, detail)
}

/// What the chain says of itself, whatever was made of it.
fn publish(shown: &Shown, roots: &[Certificate], samples: &mut Samples) {
    let chain: Vec<_> = shown
        .chain
        .iter()
        .filter_map(|one| Certificate::read(one))
        .collect();
    let Some(leaf) = chain.first() else { return };
    let earliest = chain
        .iter()
        .map(|one| one.not_after)
        .min()
        .unwrap_or_default();
    samples.set("probe_ssl_earliest_cert_expiry", seconds(earliest));
    let last = match shown.verdict {
        Ok(()) => chain_expiry(&chain, roots).unwrap_or(earliest),
        // As blackbox_exporter has it where no chain was verified.
        Err(_) => -62_135_596_800,
    };
    samples.set(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        seconds(last),
    );
    let hash = shown
        .chain
        .first()
        .map(|leaf| super::hash::sha256(leaf))
        .unwrap_or_default();
    let labels = [
        ("fingerprint_sha256", hash.as_str()),
        ("issuer", &leaf.issuer),
        ("serialnumber", &leaf.serial),
        ("subject", &leaf.subject),
        ("subjectalternative", &leaf.names.join(",")),
    ];
    samples.drop("probe_ssl_last_chain_info");
    samples.label("probe_ssl_last_chain_info", &labels, 1.0);
    samples.flag("belfry_probe_ssl_valid", shown.verdict.is_ok());
    samples.drop("belfry_probe_ssl_issuer_info");
    samples.label(
        "belfry_probe_ssl_issuer_info",
        &[("issuer", &leaf.issuer_name)],
        1.0,
    );
    // Let's Encrypt's staging names say so, as Pebble's do.
    let staging = leaf.issuer_name.to_ascii_lowercase();
    let staging =
        staging.contains("(staging)") || staging.contains("fake le ") || staging.contains("pebble");
    samples.flag("belfry_probe_ssl_staging", staging);
}

#[expect(clippy::cast_precision_loss, reason = "seconds far below 2^53")]
fn seconds(time: i64) -> f64 {
    time as f64
}

fn client(
    config: &Tls,
    own: Option<Own>,
    watcher: Arc<Watcher>,
    protocols: &[&[u8]],
) -> Step<ClientConfig> {
    let broken = |what: &str| Failure::new(Reason::Internal, what.to_owned());
    let versions: Vec<_> = [
        (&rustls::version::TLS12, Version::Tls12),
        (&rustls::version::TLS13, Version::Tls13),
    ]
    .into_iter()
    .filter(|(_, version)| {
        let rank = |version: Version| version as u8;
        config
            .min_version
            .is_none_or(|least| rank(least) <= rank(*version))
            && config
                .max_version
                .is_none_or(|most| rank(*version) <= rank(most))
    })
    .map(|(version, _)| version)
    .collect();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)
        .map_err(|_| broken("none of these versions of TLS is spoken"))?
        .dangerous()
        .with_custom_certificate_verifier(watcher);
    let mut client = match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|_| broken("cert_file and key_file do not fit"))?,
    };
    client.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    // Each probe looks at a whole handshake.
    client.resumption = rustls::client::Resumption::disabled();
    Ok(client)
}

/// Lets every chain through, and remembers it and what is to be thought of it.
struct Watcher {
    trust: Arc<Trust>,
    shown: Mutex<Option<Shown>>,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Watcher")
    }
}

impl ServerCertVerifier for Watcher {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match &self.trust.verifier {
            Some(verifier) => match verifier.verify_server_cert(leaf, others, name, ocsp, now) {
                Ok(_) if stapled::revokes(ocsp, leaf) => Err(CertificateError::Revoked),
                Ok(_) => Ok(()),
                Err(Error::InvalidCertificate(err)) => Err(err),
                Err(_) => Err(CertificateError::ApplicationVerificationFailure),
            },
            None => Err(CertificateError::UnknownIssuer),
        };
        let chain = std::iter::once(leaf)
            .chain(others)
            .map(|one| one.clone().into_owned());
        let shown = Shown {
            chain: chain.collect(),
            verdict,
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
