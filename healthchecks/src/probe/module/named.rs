//! The host that a look asks for, wherever its target leads.

use super::{Http, Module, Prober};

impl Http {
    /// The host in the module's own headers.
    pub(in super::super) fn host(&self) -> Option<&str> {
        let mut headers = self.headers.iter();
        let named = headers.find(|(name, _)| name.eq_ignore_ascii_case("host"));
        named.map(|(_, host)| host.as_str())
    }
}

impl Module {
    /// Asks for this host, as `hostname` of blackbox_exporter's /probe does: by the
    /// header of the prober http, and by the name in the TLS of the prober tcp. Others
    /// ask for none.
    ///
    /// # Errors
    /// The module asks for another one.
    pub fn for_host(&mut self, host: &str) -> Result<(), &'static str> {
        match self.prober {
            Prober::Http if self.http.host().is_some_and(|own| own != host) => {
                return Err("the module has another host in its headers");
            }
            Prober::Http if self.http.host().is_none() => {
                self.http.headers.insert("Host".into(), host.into());
            }
            Prober::Tcp if self.tcp.tls_config.server_name.is_empty() => {
                self.tcp.tls_config.server_name = host.into();
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        settings::read("x.yml".as_ref(), text, &|_| None).unwrap()
    }

    #[test]
    fn a_host_is_asked_for_unless_the_module_has_its_own() {
        let mut http = module("{prober: http}");
        http.for_host("shop.test").unwrap();
        assert_eq!(http.http.host(), Some("shop.test"));
        http.for_host("shop.test").unwrap();
        let mut own = module("{prober: http, http: {headers: {host: shop.test}}}");
        own.for_host("shop.test").unwrap();
        assert!(own.for_host("other.test").is_err());
        assert_eq!(own.http.headers.len(), 1);
        let mut tcp = module("{prober: tcp}");
        tcp.for_host("shop.test").unwrap();
        assert_eq!(tcp.tcp.tls_config.server_name, "shop.test");
        tcp.for_host("other.test").unwrap();
        assert_eq!(tcp.tcp.tls_config.server_name, "shop.test");
        let mut dns = module("{prober: dns}");
        let before = dns.clone();
        dns.for_host("shop.test").unwrap();
        assert_eq!(dns, before);
    }
}
