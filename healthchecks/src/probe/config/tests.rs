use super::*;

fn config(text: &str) -> Config {
    settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
}

#[test]
fn every_fault_is_told_with_its_key() {
    for (text, key, message) in [
        (
            "targets: [{module: http_2xx}]",
            "probe.targets[0]",
            "missing",
        ),
        (
            "targets: [{target: a, module: nope}]",
            "probe.targets[0].module",
            "http_2xx",
        ),
        (
            "targets: [{target: a}, {target: b, name: a}]",
            "probe.targets[1].name",
            "another",
        ),
        (
            "targets: [{target: a, labels: {probe: x}}]",
            "probe.targets[0].labels",
            "probe",
        ),
        (
            "sites: [{name: s, inside: a, outside: b}]",
            "probe.sites[0].inside",
            "no target",
        ),
        ("up_after: 0", "probe.up_after", "1"),
        ("discover: {module: nope}", "probe.discover.module", "nope"),
        ("addresses: [here]", "probe.addresses", "IP"),
        (
            "{targets: [{target: a}], sites: [{name: s, inside: a, outside: a, dns: b}]}",
            "probe.sites[0].dns",
            "no target",
        ),
        ("modules: {m: {prober: command}}", "probe.modules.m", "argv"),
        (
            "modules: {m: {prober: domain, domain: {resolvers: [dns.example]}}}",
            "probe.modules.m",
            "resolvers",
        ),
        (
            "modules: {m: {prober: domain, domain: {expect: [here]}}}",
            "probe.modules.m",
            "IP",
        ),
        (
            "modules: {m: {prober: websocket, websocket: {query_response: [{starttls: true}]}}}",
            "probe.modules.m",
            "expect and send",
        ),
        (
            "modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: a-b}]}]}}}",
            "probe.modules.m",
            "a-b",
        ),
        (
            "modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: probe}]}]}}}",
            "probe.modules.m",
            "probe_expect_info",
        ),
        (
            "modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{value: x}]}]}}}",
            "probe.modules.m",
            "probe_expect_info",
        ),
        (
            "modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: a}, {name: a}]}]}}}",
            "probe.modules.m",
            "probe_expect_info",
        ),
        (
            "{targets: [{target: a, module: m, labels: {b: c}}], \
              modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: b}]}]}}}}",
            "probe.targets[0].labels",
            "module has a label",
        ),
        (
            "blackbox: /no/such/file.yml",
            "probe.blackbox",
            "cannot be read",
        ),
    ] {
        let faults = config(text).faults();
        assert!(
            faults
                .iter()
                .any(|(have, said)| have == key && said.contains(message)),
            "{text}: {faults:?}"
        );
    }
    for good in [
        "targets: [{target: a}]",
        "{targets: [{target: a}], sites: [{name: s, inside: a, outside: a}]}",
        "{targets: [{target: a, module: m, labels: {b: c}}], \
          modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: a}]}, {labels: [{name: a}]}]}}}}",
        "{addresses: [192.0.2.1], modules: {m: {prober: domain, domain: {here: true}}}}",
    ] {
        assert_eq!(config(good).faults(), [], "{good}");
    }
}

#[test]
fn only_what_is_configured_or_allowed_may_be_asked_for() {
    let text = "{targets: [{target: 'http://a/'}], allow: [{target: 'http://b/.*', module: http_2xx}, {target: 'c:[0-9]+'}]}";
    let loaded = config(text).load().unwrap();
    for (target, module, allowed) in [
        ("http://a/", "", true),
        ("http://a/", "http_2xx", true),
        ("http://a/", "tcp_connect", false),
        ("http://a/x", "http_2xx", false),
        ("http://b/x", "http_2xx", true),
        ("http://b/x", "icmp", false),
        ("c:22", "ssh_banner", true),
        ("c:22.evil", "ssh_banner", false),
        ("http://169.254.169.254/", "http_2xx", false),
    ] {
        assert_eq!(
            loaded.asked(target, module).is_ok(),
            allowed,
            "{target} {module}"
        );
    }
}

#[test]
fn a_label_that_spoils_the_page_is_refused_in_the_file_of_modules_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "modules: {m: {prober: tcp, tcp: {query_response: [{labels: [{name: a-b}]}]}}}";
    std::fs::write(file.path(), text).unwrap();
    let faults = config(&format!("blackbox: {:?}", file.path())).faults();
    let said = r#"m: "a-b" cannot be a label of probe_expect_info"#;
    assert_eq!(faults, [("probe.blackbox".to_owned(), said.to_owned())]);
}

#[test]
fn what_no_series_can_be_labelled_with_is_refused_where_it_stands() {
    let long = |count: usize| "x".repeat(count);
    let labels = |count: usize| -> String { (0..count).map(|at| format!("l{at}: x, ")).collect() };
    for (most, text, key) in [
        (4096, "targets: [{target: '{}'}]", "probe.targets[0].target"),
        (
            4096,
            "targets: [{target: a, name: '{}'}]",
            "probe.targets[0].name",
        ),
        (
            4096,
            "targets: [{target: '{}', name: a}]",
            "probe.targets[0].target",
        ),
        (
            4096,
            "{targets: [{target: a, module: '{}'}], modules: {? '{}' : {prober: tcp}}}",
            "probe.targets[0].module",
        ),
        (
            4096,
            "targets: [{target: a, labels: {b: '{}'}}]",
            "probe.targets[0].labels.b",
        ),
        (
            512,
            "targets: [{target: a, labels: {? '{}' : b}}]",
            "probe.targets[0].labels",
        ),
        (
            4096,
            "{targets: [{target: a}], sites: [{name: '{}', inside: a, outside: a}]}",
            "probe.sites[0].name",
        ),
    ] {
        let keys = |length| -> Vec<_> {
            let faults = config(&text.replace("{}", &long(length))).faults();
            faults.into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(
            (keys(most), keys(most + 1)),
            (vec![], vec![key.to_owned()]),
            "{text}"
        );
    }
    for (count, faults) in [(40, 0), (41, 1)] {
        let text = format!("targets: [{{target: a, labels: {{{}}}}}]", labels(count));
        assert_eq!(config(&text).faults().len(), faults, "{count}");
    }
    let matched: String = (0..17).map(|at| format!("{{name: l{at}}}, ")).collect();
    for (labels, said) in [
        (matched.as_str(), Some("more than 16 labels of one step")),
        (&matched[..matched.len() - 13], None),
        (
            &format!("{{name: {}}}", long(513)),
            Some("a label's name is longer than 512 bytes"),
        ),
        (&format!("{{name: {}}}", long(512)), None),
    ] {
        let text = format!(
            "modules: {{m: {{prober: tcp, tcp: {{query_response: [{{labels: [{labels}]}}]}}}}}}"
        );
        let want = said.map(|said| ("probe.modules.m".to_owned(), said.to_owned()));
        assert_eq!(config(&text).faults(), Vec::from_iter(want), "{labels}");
    }
}
