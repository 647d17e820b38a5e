//! The prober dns: what is asked, and what the answer must be.

use super::{Pattern, Protocol, Source, Tls};

settings::section! {
    /// A question to a DNS server.
    pub struct Dns {
        /// The version of IP that is tried first.
        pub preferred_ip_protocol: Protocol = Protocol::Ip6,
        /// Whether the other version of IP will do.
        pub ip_protocol_fallback: bool = true,
        /// udp or tcp.
        pub transport_protocol: String = "udp".to_owned(),
        /// Whether TLS is spoken, over TCP.
        pub dns_over_tls: bool = false,
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
        /// The name that is asked for.
        pub query_name: String = String::new(),
        /// The type of records that is asked for.
        pub query_type: String = "ANY".to_owned(),
        /// The class that is asked for.
        pub query_class: String = "IN".to_owned(),
        /// Whether the server is to ask others.
        pub recursion_desired: bool = true,
        /// Response codes that are good. Empty: NOERROR.
        pub valid_rcodes: Vec<String> = vec![],
        /// What the records of the answer must be.
        pub validate_answer_rrs: Records = Records::default(),
        /// What the records about authority must be.
        pub validate_authority_rrs: Records = Records::default(),
        /// What the additional records must be.
        pub validate_additional_rrs: Records = Records::default(),
        /// The addresses or texts that the answer must consist of, in any order. Empty: any.
        pub expect: Vec<String> = vec![],
        /// The address of this host from which it goes out. Empty: any.
        pub source_ip_address: Source = Source(None),
    }
}

settings::section! {
    /// What records must be.
    pub struct Records {
        /// Fails when one of them matches a record.
        pub fail_if_matches_regexp: Vec<Pattern> = vec![],
        /// Fails when one of them matches all records.
        pub fail_if_all_match_regexp: Vec<Pattern> = vec![],
        /// Fails when one of them does not match a record.
        pub fail_if_not_matches_regexp: Vec<Pattern> = vec![],
        /// Fails when one of them matches no record.
        pub fail_if_none_matches_regexp: Vec<Pattern> = vec![],
    }
}
