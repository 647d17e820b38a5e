//! Modules of the prober `http`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::pattern::{Pattern, Unsupported};
use super::{Protocol, Tls};

settings::section! {
    /// A request over HTTP.
    pub struct Http {
        /// Statuses that are good. Empty: 200 to 299.
        pub valid_status_codes: Vec<u16> = vec![],
        /// Whether every status is good.
        pub accept_any_response: bool = false,
        /// Versions that are good, as HTTP/1.1 and HTTP/2.0. Empty: all.
        pub valid_http_versions: Vec<String> = vec![],
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// The method.
        pub method: String = "GET".to_owned(),
        /// Headers of the request; Host is the name that is asked for.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
        /// The body of the request.
        pub body: String = String::new(),
        /// The file that holds the body.
        pub body_file: PathBuf = PathBuf::new(),
        /// Whether redirects are followed, up to 10.
        pub follow_redirects: bool = true,
        /// The old form of follow_redirects.
        pub no_follow_redirects: bool = false,
        /// Fails when there is TLS.
        pub fail_if_ssl: bool = false,
        /// Fails when there is no TLS.
        pub fail_if_not_ssl: bool = false,
        /// Fails when one of them matches the body.
        pub fail_if_body_matches_regexp: Vec<Pattern> = vec![],
        /// Fails when one of them does not match the body.
        pub fail_if_body_not_matches_regexp: Vec<Pattern> = vec![],
        /// Fails when a header matches.
        pub fail_if_header_matches: Vec<HeaderMatch> = vec![],
        /// Fails when a header does not match.
        pub fail_if_header_not_matches: Vec<HeaderMatch> = vec![],
        /// What the JSON of the body must say.
        pub json: Vec<JsonMatch> = vec![],
        /// How the answer is packed, and what is asked for: gzip, deflate or identity. Empty: nothing is asked for.
        pub compression: String = String::new(),
        /// The longest body, unpacked. 0: 16MiB.
        pub body_size_limit: settings::Size = settings::Size(0),
        /// A user and a password.
        pub basic_auth: Option<BasicAuth> = None,
        /// What stands in the header Authorization.
        pub authorization: Option<Authorization> = None,
        /// The old form of authorization.
        pub bearer_token: settings::Secret = settings::Secret::default(),
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
        /// Whether HTTP/2 is offered with TLS.
        pub enable_http2: bool = true,
        /// A proxy of HTTP that leads there, as http://USER:PASSWORD@HOST:PORT. Empty: none.
        pub proxy_url: settings::Secret = settings::Secret::default(),
        /// Headers that only the proxy is told.
        pub proxy_connect_header: BTreeMap<String, Vec<settings::Secret>> = BTreeMap::new(),
        /// Whether only the proxy looks for the address of the target.
        pub skip_resolve_phase_with_proxy: bool = false,
        /// Not supported.
        pub proxy_from_environment: Unsupported = Unsupported,
        /// Not supported.
        pub no_proxy: Unsupported = Unsupported,
        /// Where a token is asked for first.
        pub oauth2: Option<Oauth2> = None,
        /// Further headers of the request, with values that may be secrets.
        pub http_headers: BTreeMap<String, HeaderValues> = BTreeMap::new(),
        /// Not supported: `json` says the same.
        pub fail_if_body_json_matches_cel: Unsupported = Unsupported,
        /// Not supported: `json` says the same.
        pub fail_if_body_json_not_matches_cel: Unsupported = Unsupported,
    }
}

settings::section! {
    /// A header and what it says.
    pub struct HeaderMatch {
        /// Its name.
        pub header: String = String::new(),
        /// What it is compared with.
        pub regexp: Pattern = Pattern::default(),
        /// Whether it may be missing.
        pub allow_missing: bool = false,
    }
}

settings::section! {
    /// A place in a JSON text and what stands there.
    pub struct JsonMatch {
        /// Where: keys and numbers between dots, such as `checks.0.status`. Empty: the whole.
        pub path: String = String::new(),
        /// What must stand there: a text as it is, anything else as JSON.
        pub equals: Option<String> = None,
        /// What must match what stands there.
        pub matches: Option<Pattern> = None,
    }
}

settings::section! {
    /// A user and a password.
    pub struct BasicAuth {
        /// The user.
        pub username: String = String::new(),
        /// The password.
        pub password: settings::Secret = settings::Secret::default(),
    }
}

settings::section! {
    /// What stands in the header Authorization.
    pub struct Authorization {
        /// The scheme.
        pub r#type: String = "Bearer".to_owned(),
        /// What follows it.
        pub credentials: settings::Secret = settings::Secret::default(),
    }
}

settings::section! {
    /// What a header says.
    pub struct HeaderValues {
        /// Values that everybody may see.
        pub values: Vec<String> = vec![],
        /// Values that nobody may see.
        pub secrets: Vec<settings::Secret> = vec![],
        /// Not supported: `secrets` can be read from the environment.
        pub files: Unsupported = Unsupported,
    }
}

settings::section! {
    /// A client of OAuth 2.0 that has a secret.
    pub struct Oauth2 {
        /// Its name.
        pub client_id: String = String::new(),
        /// Its secret.
        pub client_secret: settings::Secret = settings::Secret::default(),
        /// Where tokens are given.
        pub token_url: String = String::new(),
        /// What the token is for.
        pub scopes: Vec<String> = vec![],
        /// What else is said there.
        pub endpoint_params: BTreeMap<String, String> = BTreeMap::new(),
        /// How TLS is spoken there.
        pub tls_config: Tls = Tls::default(),
        /// Not supported.
        pub proxy_url: Unsupported = Unsupported,
    }
}

impl Http {
    /// Whether a look at the target only sends, waits and reads.
    pub(in super::super) fn only_waits(&self, target: &str) -> bool {
        let scheme = target
            .split_once("://")
            .map_or("http", |(scheme, _)| scheme);
        let patterns = self.fail_if_body_matches_regexp.len()
            + self.fail_if_body_not_matches_regexp.len()
            + self.fail_if_header_matches.len()
            + self.fail_if_header_not_matches.len();
        scheme.eq_ignore_ascii_case("http")
            && patterns + self.json.len() == 0
            && self.compression.is_empty()
            && self.body_file.as_os_str().is_empty()
            && self.proxy_url.is_empty()
            && self.oauth2.is_none()
    }
}
