//! The file of `--web.config.file`, in the form of Prometheus' exporter-toolkit.
//!
//! What is not served is refused by name, so that nobody believes a door shut that
//! is open.

use std::collections::BTreeMap;
use std::path::PathBuf;

use settings::Secret;

settings::section! {
    /// How HTTP is served.
    pub(crate) struct WebFile {
        /// How it is encrypted; without it, it is not.
        pub tls_server_config: Option<TlsServer> = None,
        /// What answers carry.
        pub http_server_config: HttpServer = HttpServer::default(),
        /// Who is let in: names, and what bcrypt makes of their passwords. Empty for
        /// everybody.
        pub basic_auth_users: BTreeMap<String, Secret> = BTreeMap::new(),
    }
}

settings::section! {
    /// How HTTP is encrypted.
    pub(crate) struct TlsServer {
        /// Our certificate, PEM; then those above it.
        pub cert: String = String::new(),
        /// The file that holds it, instead.
        pub cert_file: Option<PathBuf> = None,
        /// The key that belongs to it, PEM.
        pub key: String = String::new(),
        /// The file that holds it, instead.
        pub key_file: Option<PathBuf> = None,
        /// Whether clients have to show a certificate.
        pub client_auth_type: ClientAuth = ClientAuth::None,
        /// Who may have signed it, PEM.
        pub client_ca: String = String::new(),
        /// The file that holds that, instead.
        pub client_ca_file: Option<PathBuf> = None,
        /// The oldest version that is spoken.
        pub min_version: Version = Version::Tls12,
        /// The newest version that is spoken.
        pub max_version: Version = Version::Tls13,
        /// Ciphers of TLS 1.2; all that are sound if empty.
        pub cipher_suites: Vec<String> = vec![],
        /// Whether our order of them counts, or the client's.
        pub prefer_server_cipher_suites: bool = true,
        /// Curves in their order; all that are sound if empty.
        pub curve_preferences: Vec<String> = vec![],
    }
}

settings::section! {
    /// What answers carry.
    pub(crate) struct HttpServer {
        /// Taken for files that say it; HTTP/1.1 is spoken.
        pub http2: bool = true,
        /// Header fields of every answer.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::choice! {
    /// Whether clients show a certificate.
    pub(crate) enum ClientAuth {
        /// No.
        None = "NoClientCert",
        /// They may; whose it is does not matter.
        Request = "RequestClientCert",
        /// They must; whose it is does not matter.
        RequireAny = "RequireAnyClientCert",
        /// They may, and one that is shown must be signed.
        VerifyIfGiven = "VerifyClientCertIfGiven",
        /// They must, and it must be signed.
        RequireAndVerify = "RequireAndVerifyClientCert",
    }
}

settings::choice! {
    /// A version of TLS.
    pub(crate) enum Version {
        /// Not spoken.
        Tls10 = "TLS10",
        /// Not spoken.
        Tls11 = "TLS11",
        /// TLS 1.2.
        Tls12 = "TLS12",
        /// TLS 1.3.
        Tls13 = "TLS13",
    }
}

/// Header fields that may be set, and the values that they may have; none for any.
pub(super) const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// Reads a file's text: the section, or what is wrong with it, a line each.
pub(super) fn read(file: &std::path::Path, text: &str) -> Result<WebFile, String> {
    let mut reading = settings::read_literal::<WebFile>(file, text);
    let mut wrong: Vec<(String, String)> = Vec::new();
    if let Some(tls) = &reading.value.tls_server_config {
        let mut bad = |key: &str, message: String| {
            wrong.push((format!("tls_server_config.{key}"), message));
        };
        match (tls.cert.is_empty(), &tls.cert_file) {
            (true, None) => bad("cert_file", "say which certificate we show".into()),
            (false, Some(_)) => bad("cert_file", "either this or cert, not both".into()),
            _ => {}
        }
        match (tls.key.is_empty(), &tls.key_file) {
            (true, None) => bad(
                "key_file",
                "say which key belongs to the certificate".into(),
            ),
            (false, Some(_)) => bad("key_file", "either this or key, not both".into()),
            _ => {}
        }
        let named = !tls.client_ca.is_empty() || tls.client_ca_file.is_some();
        let verified = matches!(
            tls.client_auth_type,
            ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify
        );
        match (named, verified) {
            (true, false) if tls.client_auth_type == ClientAuth::None => {
                let message = "client CA's have been configured without a client auth policy";
                bad("client_auth_type", message.into());
            }
            (false, true) => bad(
                "client_ca_file",
                "say who signs the clients' certificates".into(),
            ),
            _ => {}
        }
        for (key, version) in [
            ("min_version", tls.min_version),
            ("max_version", tls.max_version),
        ] {
            if matches!(version, Version::Tls10 | Version::Tls11) {
                let message = format!("{} is not spoken; TLS12 is the oldest", version.as_str());
                bad(key, message);
            }
        }
        if (tls.min_version, tls.max_version) == (Version::Tls13, Version::Tls12) {
            bad("max_version", "it is older than min_version".into());
        }
        for (at, name) in tls.cipher_suites.iter().enumerate() {
            if super::tls::suite(name).is_none() {
                bad(
                    &format!("cipher_suites[{at}]"),
                    format!("{name:?} is not spoken"),
                );
            }
        }
        for (at, name) in tls.curve_preferences.iter().enumerate() {
            if super::tls::curve(name).is_none() {
                bad(
                    &format!("curve_preferences[{at}]"),
                    format!("{name:?} is not spoken"),
                );
            }
        }
    }
    for (name, value) in &reading.value.http_server_config.headers {
        let known = HEADERS.iter().find(|(known, _)| known == name);
        let message = match known {
            None => format!("HTTP header {name:?} can not be configured"),
            Some((_, values))
                if value.is_empty() || values.is_empty() || values.contains(&&**value) =>
            {
                match axum::http::HeaderValue::from_str(value) {
                    Ok(_) => continue,
                    Err(_) => format!("{value:?} cannot stand in a header field"),
                }
            }
            Some((_, values)) => format!("{value:?} is none of {}", values.join(", ")),
        };
        wrong.push((format!("http_server_config.headers[{name}]"), message));
    }
    for (name, hash) in &reading.value.basic_auth_users {
        if hash.expose().parse::<bcrypt::HashParts>().is_err() {
            let message = "this is no hash of bcrypt's; `htpasswd -nBC 10 \"\"` makes one";
            wrong.push((format!("basic_auth_users[{name}]"), message.into()));
        }
    }
    for (key, message) in wrong {
        reading.contradict(&key, &message);
    }
    let (file, faults) = reading.end();
    match faults.is_empty() {
        true => Ok(file),
        false => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Err(faults.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        read("web.yml".as_ref(), text).map_or_else(|faults| faults, |_| String::new())
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        for (text, wanted) in [
            ("rate_limit: {burst: 1}", "rate_limit"),
            (
                "tls_server_config: {client_allowed_sans: [a]}",
                "client_allowed_sans",
            ),
            (
                "tls_server_config: {cert: x, key: y, min_version: TLS11}",
                "TLS11 is not spoken",
            ),
            (
                "tls_server_config: {cert: x, key: y, min_version: SSL30}",
                "none of TLS10, TLS11",
            ),
            (
                "tls_server_config: {cert: x, key: y, min_version: TLS13, max_version: TLS12}",
                "older than",
            ),
            (
                "tls_server_config: {cert: x, key: y, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
                "RC4_128_SHA\" is not",
            ),
            (
                "tls_server_config: {cert: x, key: y, curve_preferences: [CurveP521]}",
                "CurveP521\" is not",
            ),
            (
                "tls_server_config: {cert: x, key: y, client_auth_type: VerifyClientCertIfGiven}",
                "client_ca_file",
            ),
            (
                "tls_server_config: {cert: x, key: y, client_ca: z}",
                "without a client auth policy",
            ),
            ("tls_server_config: {key: y}", "which certificate"),
            ("tls_server_config: {cert: x}", "which key"),
            (
                "http_server_config: {headers: {Server: x}}",
                "\"Server\" can not be configured",
            ),
            (
                "http_server_config: {headers: {X-Frame-Options: allow}}",
                "none of deny, sameorigin",
            ),
        ] {
            let found = faults(text);
            assert!(found.contains(wanted), "{text}: {found}");
        }
        let found = faults("basic_auth_users: {amy: hunter2}");
        assert!(found.contains("no hash of bcrypt's"), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }

    #[test]
    fn an_empty_file_serves_everybody_as_without_one() {
        let read = read("web.yml".as_ref(), "").unwrap();
        assert_eq!(read, WebFile::default());
    }
}
