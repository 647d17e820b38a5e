//! How TLS is spoken, by whatever prober.

use std::path::PathBuf;

settings::choice! {
    /// A version of TLS. Those before 1.2 are accepted here and not spoken.
    pub enum Version {
        /// TLS 1.0.
        Tls10 = "TLS10",
        /// TLS 1.1.
        Tls11 = "TLS11",
        /// TLS 1.2.
        Tls12 = "TLS12",
        /// TLS 1.3.
        Tls13 = "TLS13",
    }
}

settings::section! {
    /// How TLS is spoken.
    pub struct Tls {
        /// The authorities that are trusted, PEM. Empty: those of the system.
        pub ca_file: PathBuf = PathBuf::new(),
        /// Lists of revoked certificates, PEM, as their authorities sign them. Empty: only a server's own stapled answer can say that its certificate was revoked.
        pub crl_file: PathBuf = PathBuf::new(),
        /// Our certificate, PEM.
        pub cert_file: PathBuf = PathBuf::new(),
        /// Its key, PEM.
        pub key_file: PathBuf = PathBuf::new(),
        /// The name that the certificate must have. Empty: the one that is asked for.
        pub server_name: String = String::new(),
        /// Whether a certificate that is not trusted will do.
        pub insecure_skip_verify: bool = false,
        /// Where the certificate lies that should be served: a file, or a folder that is searched for the newest one of the name. Empty: not compared.
        pub certificate_on_disk: PathBuf = PathBuf::new(),
        /// The oldest version.
        pub min_version: Option<Version> = None,
        /// The newest version.
        pub max_version: Option<Version> = None,
    }
}
