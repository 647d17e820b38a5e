//! Authoritative name servers on loopback: right answers, wrong ones, and none.

use std::process::Command;

use healthchecks::probe::Reason;

use crate::support::{Server, crafted, find, free_port, look};

/// nsd with the zone `shop.test`, on a port of its own.
pub(crate) fn serve(zone: &str) -> (Server, u16) {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    std::fs::write(folder.path().join("zone"), zone).unwrap();
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: {dir}\n database: \"\"\n pidfile: {dir}/pid\n xfrdfile: {dir}/xfrd\n zonelistfile: {dir}/list\n xfrdir: {dir}\n\
         remote-control:\n control-enable: no\nzone:\n name: shop.test\n zonefile: zone\n"
    );
    let file = folder.path().join("nsd.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(find("nsd", "nsd"));
    let server = Server::start(command.arg("-d").arg("-c").arg(&file), folder, port);
    (server, port)
}

pub(crate) const ZONE: &str = "$ORIGIN shop.test.\n$TTL 60\n@ SOA ns.shop.test. ops.shop.test. 2026112901 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n\
    www A 192.0.2.10\nwww A 192.0.2.11\nwww AAAA 2001:db8::10\n@ MX 10 mail\nmail A 192.0.2.20\n@ TXT \"v=spf1 -all\"\nalias CNAME www\n";

/// An address of this machine's interfaces, by the word of `ip`; nothing where there is
/// no network.
fn of_this_machine() -> Option<String> {
    let mut command = Command::new(find("ip", "iproute2"));
    command.args(["-4", "-o", "address", "show", "scope", "global"]);
    let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let mut words = told
        .split_ascii_whitespace()
        .skip_while(|word| *word != "inet");
    let address = words.nth(1).and_then(|word| word.split('/').next());
    address.map(str::to_owned)
}

#[tokio::test]
async fn an_authoritative_server_is_asked_and_its_answers_are_compared() {
    let (_nsd, port) = serve(ZONE);
    let target = format!("127.0.0.1:{port}");
    let dns = |rest: &str| format!("{{prober: dns, dns: {{{rest}}}}}");
    for (name, rest, expected) in [
        (
            "its addresses",
            "query_name: www.shop.test, query_type: A, expect: [192.0.2.11, 192.0.2.10]",
            None,
        ),
        (
            "over TCP",
            "transport_protocol: tcp, query_name: www.shop.test, query_type: AAAA, expect: ['2001:db8::10']",
            None,
        ),
        (
            "its text",
            "query_name: shop.test, query_type: TXT, expect: ['v=spf1 -all']",
            None,
        ),
        (
            "its mail server",
            "query_name: shop.test, query_type: MX, expect: [10 mail.shop.test]",
            None,
        ),
        (
            "a pattern",
            "query_name: www.shop.test, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: ['www.shop.test.\\t.*\\tIN\\tA\\t192.0.2.']}",
            None,
        ),
        (
            "another address",
            "query_name: www.shop.test, query_type: A, expect: [192.0.2.12]",
            Some(Reason::Answer),
        ),
        (
            "one is missing",
            "query_name: www.shop.test, query_type: A, expect: [192.0.2.10]",
            Some(Reason::Answer),
        ),
        (
            "no record of this type",
            "query_name: mail.shop.test, query_type: AAAA, expect: ['::1']",
            Some(Reason::Answer),
        ),
        (
            "a pattern that must not match",
            "query_name: www.shop.test, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: ['192.0.2.10']}",
            Some(Reason::Answer),
        ),
        (
            "a pattern that none matches",
            "query_name: www.shop.test, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: ['203.0.113']}",
            Some(Reason::Answer),
        ),
        (
            "no such name",
            "query_name: nope.shop.test, query_type: A",
            Some(Reason::Rcode),
        ),
        (
            "no such name, as wanted",
            "query_name: nope.shop.test, query_type: A, valid_rcodes: [NXDOMAIN]",
            None,
        ),
        (
            "a zone of others",
            "query_name: example.org, query_type: A",
            Some(Reason::Rcode),
        ),
    ] {
        let outcome = look(&target, &dns(rest)).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
    let outcome = look(&target, &dns("query_name: shop.test, query_type: SOA")).await;
    assert_eq!(
        outcome.samples.get("probe_dns_serial", &[]),
        Some(2_026_112_901.0)
    );
    assert_eq!(outcome.samples.get("probe_dns_answer_rrs", &[]), Some(1.0));
}

#[tokio::test]
async fn two_name_servers_are_held_against_each_other_and_against_what_is_expected() {
    let (_one, one) = serve(ZONE);
    let changed = ZONE
        .replace("192.0.2.11", "192.0.2.99")
        .replace("mail A 192.0.2.20\n", "");
    let (_other, other) = serve(&changed);
    let (own, found) = match of_this_machine() {
        Some(own) => (own, None),
        None => ("192.0.2.98".to_owned(), Some(Reason::DnsElsewhere)),
    };
    let home = format!("{ZONE}home A {own}\nhalf A {own}\nhalf A 192.0.2.99\n");
    let (_third, third) = serve(&home);
    // Who speaks only TCP is silent on UDP.
    let silent = crafted(drop);
    let closed = free_port();
    let domain = |ports: &[u16], rest: &str| {
        let servers: Vec<_> = ports
            .iter()
            .map(|port| format!("'127.0.0.1:{port}'"))
            .collect();
        format!(
            "{{prober: domain, timeout: 20s, domain: {{resolvers: [{}]{rest}}}}}",
            servers.join(", ")
        )
    };
    let www = "'192.0.2.10', '192.0.2.11', '2001:db8::10'";
    let expect = format!(", expect: [{www}]");
    let at_home = format!(", here: true, addresses: [{www}, '192.0.2.20']");
    for (name, target, module, expected) in [
        (
            "both say the same",
            "www.shop.test",
            domain(&[one, one], &expect),
            None,
        ),
        (
            "in other letters, and whole",
            "WWW.shop.test.",
            domain(&[one], &expect),
            None,
        ),
        ("an alias", "alias.shop.test", domain(&[one], &expect), None),
        (
            "one says otherwise",
            "www.shop.test",
            domain(&[one, other], ""),
            Some(Reason::DnsDisagree),
        ),
        (
            "one says otherwise, and may",
            "www.shop.test",
            domain(&[one, other], ", agree: false"),
            None,
        ),
        (
            "one is wrong",
            "www.shop.test",
            domain(&[one, other], &format!("{expect}, agree: false")),
            Some(Reason::DnsWrong),
        ),
        (
            "both are wrong",
            "www.shop.test",
            domain(&[other], &expect),
            Some(Reason::DnsWrong),
        ),
        (
            "one has no record",
            "mail.shop.test",
            domain(&[one, other], ""),
            Some(Reason::DnsDisagree),
        ),
        (
            "no such name",
            "nope.shop.test",
            domain(&[one, other], ""),
            Some(Reason::DnsNxdomain),
        ),
        (
            "no address",
            "shop.test",
            domain(&[one, other], ""),
            Some(Reason::DnsNoAddress),
        ),
        (
            "a zone of others",
            "example.org",
            domain(&[one, other], ""),
            Some(Reason::DnsRefused),
        ),
        (
            "it leads here",
            "www.shop.test",
            domain(&[one], &at_home),
            None,
        ),
        (
            "it leads elsewhere",
            "www.shop.test",
            domain(&[other], &at_home),
            Some(Reason::DnsElsewhere),
        ),
        (
            "it does not lead to the interfaces of this host",
            "www.shop.test",
            domain(&[one], ", here: true"),
            Some(Reason::DnsElsewhere),
        ),
        (
            "it leads to an interface of this host",
            "home.shop.test",
            domain(&[third], ", here: true"),
            found,
        ),
        (
            "it leads there, and elsewhere too",
            "half.shop.test",
            domain(&[third], ", here: true"),
            Some(Reason::DnsElsewhere),
        ),
        (
            "one is dead",
            "www.shop.test",
            domain(&[closed, one], &expect),
            None,
        ),
        (
            "all are dead",
            "www.shop.test",
            domain(&[closed, silent], "").replace("20s", "1s"),
            Some(Reason::DnsError),
        ),
    ] {
        let outcome = look(target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
    let outcome = look("www.shop.test", &domain(&[one, closed], "")).await;
    let server = |port: u16| format!("127.0.0.1:{port}");
    for (port, up, addresses) in [(one, 1.0, 3.0), (closed, 0.0, 0.0)] {
        let (labels, samples) = (server(port), &outcome.samples);
        let labels = [("resolver", labels.as_str())];
        assert_eq!(
            samples.get("belfry_probe_domain_resolver_up", &labels),
            Some(up)
        );
        assert_eq!(
            samples.get("belfry_probe_domain_addresses", &labels),
            Some(addresses)
        );
    }
}
