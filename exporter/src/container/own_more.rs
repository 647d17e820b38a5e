//! Writes what containers are joined to, published as and made from.

use std::collections::BTreeSet;

use exposition::{Kind, Writer};

use super::model::Container;
use super::own::Own;
use super::resources::{Names, familiar};
use super::sizes::Size;

/// Of a range of ports only so many are told.
const MOST_PORTS: usize = 64;
/// A container in more networks tells of the first ones.
const MOST_NETWORKS: usize = 32;

pub(super) fn encode(
    all: &[Own<'_>],
    names: &Names,
    size: &dyn Fn(&Container) -> Option<Size>,
    page: &mut Writer,
) {
    page.family(
        "belfry_container_published_port_info",
        "A port of the container that is published, and on which address of the host.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        let mut told = BTreeSet::new();
        for port in container.ports.iter().take(MOST_PORTS) {
            let Some((address, public)) = &port.published else {
                continue;
            };
            // Published on all addresses, some engines say nothing.
            let address = match address.as_str() {
                "" => "0.0.0.0",
                address => address,
            };
            if !told.insert((address, public, port.private, &port.protocol)) {
                continue;
            }
            let (public, private) = (public.to_string(), port.private.to_string());
            let own = [
                ("address", address),
                ("container_port", private.as_str()),
                ("port", public.as_str()),
                ("protocol", port.protocol.as_str()),
            ];
            page.spelled("", labels, &own, 1.0);
        }
    }
    page.family(
        "belfry_container_network_info",
        "A network that the container has joined.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        for network in container.networks.iter().take(MOST_NETWORKS) {
            page.spelled("", labels, &[("network", network)], 1.0);
        }
    }
    page.family(
        "belfry_container_image_since_timestamp_seconds",
        "Since when containers of this name are made from the image they are made from now, as far as it was seen; in seconds since 1970.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        if let Some(since) = container.image_since_ms {
            page.spelled("", labels, &[], since as f64 / 1e3);
        }
    }
    page.family(
        "belfry_container_image_outdated",
        "Whether the tag it was made from means another image here by now.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        let tag = familiar(&container.image);
        if let Some(tags) = names.tags.known()
            && let Some(now) = tag.and_then(|tag| tags.get(&tag))
            && !container.image_id.is_empty()
        {
            let outdated = *now != container.image_id;
            page.spelled("", labels, &[], f64::from(u8::from(outdated)));
        }
    }
    page.family(
        "belfry_container_files_complete",
        "Whether all that it writes could be added up; where not, its size is not told.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        if let Some(files) = size(container).and_then(|size| size.files) {
            let complete = files.usage.is_some();
            page.spelled("", labels, &[], f64::from(u8::from(complete)));
        }
    }
    page.family(
        "belfry_container_log_bytes",
        "Bytes of its log, with the older files that were put aside.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        if let Some(log) = size(container).and_then(|size| size.log) {
            page.spelled("", labels, &[], log);
        }
    }
}
