//! Services that ask to be looked at: by a label of their container or of their
//! compose file, and, where that is wanted, by the ports that they publish. What is
//! declared is looked at even where nothing runs.

use std::collections::BTreeMap;

use exporter::container::{Container, DeclaredService, Port};
use healthchecks::probe::Target;

use super::super::Watch;

/// The label by which a service asks: `[MODULE] TARGET`, where a target such as
/// `:8000/health` is a port of the service.
const ASKS: &str = "belfry.probe";
/// How it is looked at that says no more.
const USUAL: &str = "http_2xx";
/// How a published port is looked at.
const PORT: &str = "tcp_connect";

/// All that is asked for now.
pub(super) fn targets(watch: &Watch) -> Vec<Target> {
    let inventory = watch.containers.inventory();
    let declared = watch.containers.declared();
    let mut targets: Vec<Target> = inventory
        .iter()
        .filter_map(|container| of_container(container, &declared))
        .collect();
    let ports = watch.config().probe.discover.compose;
    for service in declared.iter().filter(|service| service.wanted > 0) {
        let runs = inventory
            .iter()
            .any(|container| is_of(container, service) && container.state.has_processes());
        targets.extend(of_declared(service, runs, ports));
    }
    targets
}

fn is_of(container: &Container, service: &DeclaredService) -> bool {
    container.project == service.project && container.service == service.service
}

/// What a container asks for that runs; its own label comes before its file's,
/// which may have been edited since.
fn of_container(container: &Container, declared: &[DeclaredService]) -> Option<Target> {
    if !container.state.has_processes() {
        return None;
    }
    let own = container.all_labels.get(ASKS).map(String::as_str);
    let said = || {
        let service = declared.iter().find(|one| is_of(container, one))?;
        Some(&*service.probe).filter(|said| !said.is_empty())
    };
    let (module, target) = read(own.or_else(said)?);
    let address = container.addresses.values().next().map(String::as_str);
    Some(Target {
        name: container.name.clone(),
        target: resolved(target, module, &container.ports, address)?,
        module: module.to_owned(),
        labels: labels(&container.project, &container.service),
        ..Target::default()
    })
}

/// What a declared service asks for: by its label where no container of it runs,
/// and by its ports if `ports`.
fn of_declared(service: &DeclaredService, runs: bool, ports: bool) -> Vec<Target> {
    let labels = labels(&service.project, &service.service);
    if !service.probe.is_empty() {
        let (module, target) = read(&service.probe);
        // Where it would be reached by its name there is nobody, which is then told.
        let target = resolved(target, module, &service.ports, Some(&service.service));
        let target = target.filter(|_| !runs).map(|target| Target {
            name: service.container.clone(),
            target,
            module: module.to_owned(),
            labels,
            ..Target::default()
        });
        return target.into_iter().collect();
    }
    let published = service.ports.iter().filter(|_| ports);
    published
        .filter_map(|port| {
            let (host, number) = port.published.as_ref()?;
            Some(Target {
                name: format!("{}-{}:{number}", service.project, service.service),
                target: format!("{}:{number}", reached(host)),
                module: PORT.to_owned(),
                labels: labels.clone(),
                ..Target::default()
            })
        })
        .collect()
}

fn read(asked: &str) -> (&str, &str) {
    let asked = asked.trim();
    let (module, target) = asked.split_once(' ').unwrap_or((USUAL, asked));
    (module, target.trim())
}

fn labels(project: &str, service: &str) -> BTreeMap<String, String> {
    let labels = [("project", project), ("service", service)].into_iter();
    labels
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A target with its host.
fn resolved(target: &str, module: &str, ports: &[Port], address: Option<&str>) -> Option<String> {
    let Some(rest) = target.strip_prefix(':') else {
        return (!target.is_empty()).then(|| target.to_owned());
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (private, path) = rest.split_at(digits);
    let private: u16 = private.parse().ok()?;
    let published = ports
        .iter()
        .filter(|port| port.private == private && port.protocol == "tcp")
        .find_map(|port| port.published.clone());
    let (host, port) = published.or_else(|| Some((address?.to_owned(), private)))?;
    let host = reached(&host);
    let scheme = if module.starts_with("http") {
        "http://"
    } else {
        ""
    };
    Some(format!("{scheme}{host}:{port}{path}"))
}

/// How a host is written to which something is published.
fn reached(host: &str) -> String {
    match host {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(private: u16, published: Option<(&str, u16)>) -> Port {
        Port {
            private,
            protocol: "tcp".to_owned(),
            published: published.map(|(host, port)| (host.to_owned(), port)),
        }
    }

    #[test]
    fn a_port_of_a_container_is_where_it_is_published() {
        let ports = [
            published(80, None),
            published(8000, Some(("0.0.0.0", 32000))),
            published(5432, Some(("::1", 5433))),
        ];
        for (target, module, expected) in [
            (
                "http://shop.example/",
                "http_2xx",
                Some("http://shop.example/"),
            ),
            (
                ":8000/health",
                "http_2xx",
                Some("http://127.0.0.1:32000/health"),
            ),
            (":5432", "postgres", Some("[::1]:5433")),
            (":80", "http_2xx", Some("http://172.17.0.2:80")),
            (":x", "http_2xx", None),
            ("", "http_2xx", None),
        ] {
            assert_eq!(
                resolved(target, module, &ports, Some("172.17.0.2")).as_deref(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn what_is_declared_is_looked_at_where_nothing_runs() {
        let service = |probe: &str, ports: Vec<Port>| DeclaredService {
            project: "shop".to_owned(),
            service: "api".to_owned(),
            wanted: 1,
            container: "shop-api-1".to_owned(),
            probe: probe.to_owned(),
            ports,
            depends_on: Vec::new(),
        };
        let port = || vec![published(8000, Some(("", 18_000)))];
        for (declared, runs, ports, expected) in [
            (
                service(":8000/health", port()),
                false,
                false,
                &[("shop-api-1", "http://127.0.0.1:18000/health", "http_2xx")][..],
            ),
            (
                service("tcp_connect :5432", vec![]),
                false,
                true,
                &[("shop-api-1", "api:5432", "tcp_connect")],
            ),
            // Its container asks for itself.
            (service(":8000/health", port()), true, true, &[]),
            (service("", port()), false, false, &[]),
            (
                service("", port()),
                true,
                true,
                &[("shop-api:18000", "127.0.0.1:18000", "tcp_connect")],
            ),
        ] {
            let found = of_declared(&declared, runs, ports);
            let found: Vec<_> = found
                .iter()
                .map(|target| (&*target.name, &*target.target, &*target.module))
                .collect();
            assert_eq!(found, expected, "{declared:?} {runs} {ports}");
        }
        let found = of_declared(&service("", port()), false, true);
        let labels: Vec<_> = found[0].labels.iter().collect();
        assert_eq!(labels[0], (&"project".to_owned(), &"shop".to_owned()));
    }
}
