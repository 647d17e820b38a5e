//! How servers are spoken to over HTTP: the sections, and what they become.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use settings::Secret;
use tokio::sync::Mutex;

use super::compile::Problems;
use crate::http::{Field, OAuth, Proof, Proxy, Trust, Way, check_url};

settings::section! {
    /// How a server is spoken to over HTTP.
    pub struct HttpConfig {
        /// A name and a password.
        pub basic_auth: Option<BasicAuth> = None,
        /// The `Authorization` header field.
        pub authorization: Option<Authorization> = None,
        /// A token that another server gives.
        pub oauth2: Option<OAuth2> = None,
        /// A token for the `Authorization` header field.
        pub bearer_token: Secret = Secret::default(),
        /// How the server's certificate is checked.
        pub tls_config: TlsConfig = TlsConfig::default(),
        /// Whether redirects are followed.
        pub follow_redirects: bool = true,
        /// Taken for files that say it; HTTP/1.1 is spoken.
        pub enable_http2: bool = true,
        /// The proxy, with a name and a password in it where it wants them.
        pub proxy_url: Secret = Secret::default(),
        /// Hosts that are reached without the proxy, parted by commas.
        pub no_proxy: String = String::new(),
        /// Whether `HTTPS_PROXY` and the like name the proxy.
        pub proxy_from_environment: Option<bool> = None,
        /// What the proxy is told when a connection is asked of it.
        pub proxy_connect_header: BTreeMap<String, Vec<Secret>> = BTreeMap::new(),
        /// Header fields of every request.
        pub http_headers: BTreeMap<String, HeaderValues> = BTreeMap::new(),
    }
}

settings::section! {
    /// The values of a header field.
    pub struct HeaderValues {
        /// As they stand.
        pub values: Vec<String> = vec![],
        /// Those that are not to be shown.
        pub secrets: Vec<Secret> = vec![],
        /// Files that hold one each.
        pub files: Vec<PathBuf> = vec![],
    }
}

settings::section! {
    /// A name and a password.
    pub struct BasicAuth {
        /// Who we are.
        pub username: String = String::new(),
        /// A file that says it.
        pub username_file: Option<PathBuf> = None,
        /// The proof of it.
        pub password: Secret = Secret::default(),
    }
}

settings::section! {
    /// The `Authorization` header field.
    pub struct Authorization {
        /// Its first word.
        pub r#type: String = "Bearer".into(),
        /// What follows.
        pub credentials: Secret = Secret::default(),
    }
}

settings::section! {
    /// OAuth 2's client credentials.
    pub struct OAuth2 {
        /// Who we are.
        pub client_id: String = String::new(),
        /// The proof of it.
        pub client_secret: Secret = Secret::default(),
        /// Where tokens are given.
        pub token_url: String = String::new(),
        /// What the token is to be good for.
        pub scopes: Vec<String> = vec![],
        /// More fields of the request for a token.
        pub endpoint_params: BTreeMap<String, String> = BTreeMap::new(),
        /// How the certificate of who gives tokens is checked.
        pub tls_config: TlsConfig = TlsConfig::default(),
        /// The proxy to who gives tokens.
        pub proxy_url: Secret = Secret::default(),
        /// Hosts that are reached without the proxy, parted by commas.
        pub no_proxy: String = String::new(),
        /// Whether `HTTPS_PROXY` and the like name the proxy.
        pub proxy_from_environment: Option<bool> = None,
        /// What the proxy is told when a connection is asked of it.
        pub proxy_connect_header: BTreeMap<String, Vec<Secret>> = BTreeMap::new(),
    }
}

settings::section! {
    /// How a certificate is checked, and which one is ours.
    pub struct TlsConfig {
        /// Certificates (PEM) to trust instead of the system's.
        pub ca: String = String::new(),
        /// A file that holds them.
        pub ca_file: Option<PathBuf> = None,
        /// Our own certificate (PEM), for servers that want one.
        pub cert: String = String::new(),
        /// A file that holds it.
        pub cert_file: Option<PathBuf> = None,
        /// Its key (PEM).
        pub key: Secret = Secret::default(),
        /// The name that the certificate bears, if it is not the server's.
        pub server_name: String = String::new(),
        /// Whether any certificate will do.
        pub insecure_skip_verify: bool = false,
        /// The oldest version of TLS: `TLS12`, `TLS13`. Older ones are never spoken.
        pub min_version: String = String::new(),
        /// The newest version of TLS: `TLS12`, `TLS13`.
        pub max_version: String = String::new(),
    }
}

/// Faults of a section, under its key.
struct Told<'a> {
    key: String,
    problems: &'a mut Problems,
}

impl Told<'_> {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.problems.add(format!("{}{field}", self.key), message);
    }
}

/// The way that a section describes.
pub(super) fn way(http: &HttpConfig, key: &str, problems: &mut Problems) -> Way {
    let mut told = Told {
        key: format!("{key}.http_config"),
        problems,
    };
    Way {
        proof: proof(http, &mut told),
        trust: trust(&http.tls_config, ".tls_config", &mut told),
        proxy: proxy(
            &http.proxy_url,
            &http.no_proxy,
            http.proxy_from_environment,
            &http.proxy_connect_header,
            &mut told,
        ),
        follow_redirects: http.follow_redirects,
        headers: headers(&http.http_headers, &mut told),
        ..Way::default()
    }
}

fn proof(http: &HttpConfig, told: &mut Told<'_>) -> Proof {
    let mut found = Vec::new();
    if let Some(basic) = &http.basic_auth {
        if basic.username_file.is_some() && !basic.username.is_empty() {
            told.add(
                ".basic_auth",
                "at most one of basic_auth username & username_file must be configured",
            );
        }
        found.push(Proof::Basic {
            username: basic.username.clone(),
            username_file: basic.username_file.clone(),
            password: basic.password.clone(),
        });
    }
    if !http.bearer_token.is_empty() {
        found.push(Proof::Header {
            kind: "Bearer".into(),
            credentials: http.bearer_token.clone(),
        });
    }
    if let Some(authorization) = &http.authorization {
        if authorization.r#type.eq_ignore_ascii_case("basic") {
            told.add(
                ".authorization",
                "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
            );
        }
        found.push(Proof::Header {
            kind: authorization.r#type.trim().to_owned(),
            credentials: authorization.credentials.clone(),
        });
    }
    if let Some(oauth) = &http.oauth2 {
        found.extend(self::oauth(oauth, told).map(|it| Proof::OAuth(Box::new(it))));
    }
    let visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    for proof in &found {
        if let Proof::Header { kind, credentials } = proof
            && !(visible(kind) && visible(credentials.expose()))
        {
            told.add("", "credentials of one line are wanted");
        }
    }
    if found.len() > 1 {
        told.add(
            "",
            "at most one of basic_auth, oauth2, authorization and bearer_token must be configured",
        );
    }
    found.pop().unwrap_or_default()
}

fn oauth(section: &OAuth2, told: &mut Told<'_>) -> Option<OAuth> {
    if section.client_id.is_empty() {
        told.add(".oauth2.client_id", "oauth2 client_id must be configured");
    }
    let url = match section.token_url.is_empty() {
        true => Err("oauth2 token_url must be configured".into()),
        false => check_url(&section.token_url),
    };
    let token_url = url.map_err(|err| told.add(".oauth2.token_url", err)).ok()?;
    Some(OAuth {
        client_id: section.client_id.clone(),
        client_secret: section.client_secret.clone(),
        token_url,
        refresh: Secret::default(),
        scopes: section.scopes.clone(),
        params: section.endpoint_params.clone(),
        way: Way {
            trust: trust(&section.tls_config, ".oauth2.tls_config", told),
            proxy: proxy(
                &section.proxy_url,
                &section.no_proxy,
                section.proxy_from_environment,
                &section.proxy_connect_header,
                told,
            ),
            follow_redirects: true,
            ..Way::default()
        },
        kept: Mutex::default(),
    })
}

fn proxy(
    url: &Secret,
    except: &str,
    environment: Option<bool>,
    headers: &BTreeMap<String, Vec<Secret>>,
    told: &mut Told<'_>,
) -> Proxy {
    let environment = environment.unwrap_or(false);
    if !url.is_empty() {
        if let Err(err) = reqwest::Proxy::all(url.expose()) {
            // The URL may hold a password.
            let _ = err;
            told.add(".proxy_url", "it is no URL of a proxy");
        }
        if environment {
            let message = "if proxy_from_environment is configured, proxy_url must not be";
            told.add(".proxy_from_environment", message);
        }
    } else if !except.is_empty() && !environment {
        told.add(
            ".no_proxy",
            "if no_proxy is configured, proxy_url must be too",
        );
    }
    let mut map = HeaderMap::new();
    for (name, values) in headers {
        for value in values {
            let made = HeaderName::from_bytes(name.as_bytes()).ok();
            match made.zip(HeaderValue::from_str(value.expose()).ok()) {
                Some((name, value)) => {
                    map.append(name, value);
                }
                None => told.add(".proxy_connect_header", "it is no header field"),
            }
        }
    }
    Proxy {
        url: url.clone(),
        except: except.to_owned(),
        environment,
        headers: map,
    }
}

fn headers(map: &BTreeMap<String, HeaderValues>, told: &mut Told<'_>) -> Vec<(HeaderName, Field)> {
    const OURS: [&str; 6] = [
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    let mut found = Vec::new();
    for (name, values) in map {
        let field = format!(".http_headers[{name}]");
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            told.add(
                &field,
                format!("{name:?} is not the name of a header field"),
            );
            continue;
        };
        if OURS.contains(&name.as_str()) {
            told.add(&field, format!("setting header {name:?} is not allowed"));
        }
        let plain = values.values.iter().cloned().map(Field::Plain);
        let secret = values.secrets.iter().cloned().map(Field::Secret);
        let files = values.files.iter().cloned().map(Field::File);
        found.extend(
            plain
                .chain(secret)
                .chain(files)
                .map(|it| (name.clone(), it)),
        );
    }
    found
}

/// What the `tls_config` of another section trusts.
pub(super) fn tls_trust(tls: &TlsConfig, key: &str, problems: &mut Problems) -> Trust {
    let mut told = Told {
        key: key.to_owned(),
        problems,
    };
    trust(tls, ".tls_config", &mut told)
}

/// What a section trusts.
fn trust(tls: &TlsConfig, field: &str, told: &mut Told<'_>) -> Trust {
    for (name, one, other) in [
        ("ca", &tls.ca, &tls.ca_file),
        ("cert", &tls.cert, &tls.cert_file),
    ] {
        if !one.is_empty() && other.is_some() {
            let message = format!("at most one of {name} and {name}_file must be configured");
            told.add(&format!("{field}.{name}_file"), message);
        }
    }
    let certificate = !tls.cert.is_empty() || tls.cert_file.is_some();
    if certificate == tls.key.is_empty() {
        let message = "exactly one of key or key_file must be configured when a client certificate is configured";
        told.add(field, message);
    }
    Trust {
        ca_file: tls.ca_file.clone(),
        ca: tls.ca.clone(),
        cert_file: tls.cert_file.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        without: [
            version(&tls.min_version, field, told) > 2,
            matches!(version(&tls.max_version, field, told), 1 | 2),
        ],
        server_name: tls.server_name.clone(),
        anyone: tls.insecure_skip_verify,
    }
}

/// `TLS12` as 2; 0 for none. Versions before 1.2 are not spoken.
fn version(text: &str, field: &str, told: &mut Told<'_>) -> u8 {
    match text {
        "" => 0,
        "TLS10" | "TLS11" => 1,
        "TLS12" => 2,
        "TLS13" => 3,
        _ => {
            told.add(field, format!("unknown TLS version: {text:?}"));
            0
        }
    }
}
