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
        /// Accepted, and without effect: there is no proxy.
        pub skip_resolve_phase_with_proxy: bool = false,
        /// Not supported.
        pub proxy_url: Unsupported = Unsupported,
        /// Not supported.
        pub proxy_from_environment: Unsupported = Unsupported,
        /// Not supported.
        pub proxy_connect_header: Unsupported = Unsupported,
        /// Not supported.
        pub no_proxy: Unsupported = Unsupported,
        /// Not supported.
        pub oauth2: Unsupported = Unsupported,
        /// Not supported.
        pub http_headers: Unsupported = Unsupported,
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
