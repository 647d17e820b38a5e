//! What the prober `domain` is told.

settings::section! {
    /// What a domain leads to, by the word of several name servers.
    pub struct Domain {
        /// The name servers that are asked, each as host or host:port. Empty: those of the system.
        pub resolvers: Vec<String> = vec![],
        /// The addresses that the name must have, all of them and no others. Empty: any.
        pub expect: Vec<String> = vec![],
        /// Whether each address must be one of this host.
        pub here: bool = false,
        /// Whether all name servers must answer alike.
        pub agree: bool = true,
        /// The addresses of this host. Empty: those in probe.addresses, else those of its interfaces.
        pub addresses: Vec<String> = vec![],
    }
}
