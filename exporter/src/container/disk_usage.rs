//! What the engine says that images, containers, volumes and its build cache
//! take on the disk, in both forms that engines have for it.

use std::time::Instant;

use exposition::{Kind, Writer};
use serde::Deserialize;

use super::resources::Disk;

/// Bytes by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) images: Bytes,
    pub(super) containers: Bytes,
    pub(super) volumes: Bytes,
    pub(super) build_cache: Bytes,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bytes {
    pub(super) total: f64,
    /// What would come back if everything unused were removed.
    pub(super) reclaimable: f64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Answer {
    layers_size: Option<f64>,
    images: Option<Vec<Image>>,
    containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
    build_cache: Option<Vec<Cache>>,
    image_usage: Option<Sum>,
    container_usage: Option<Sum>,
    volume_usage: Option<Sum>,
    build_cache_usage: Option<Sum>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    size: f64,
    shared_size: f64,
    containers: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    size_rw: f64,
    state: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    usage_data: Option<VolumeUsage>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeUsage {
    size: f64,
    ref_count: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Cache {
    size: f64,
    in_use: bool,
    shared: bool,
}

/// How later engines say it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Sum {
    total_size: f64,
    reclaimable: f64,
}

impl From<Sum> for Bytes {
    fn from(sum: Sum) -> Self {
        Self {
            total: sum.total_size,
            reclaimable: sum.reclaimable,
        }
    }
}

/// Reads an answer.
pub(super) fn parse(body: &[u8]) -> Result<Usage, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(body)?;
    let images = answer.images.unwrap_or_default();
    let used: f64 = images
        .iter()
        .filter(|image| image.containers > 0 && image.size >= 0.0 && image.shared_size >= 0.0)
        .map(|image| image.size - image.shared_size)
        .sum();
    let layers = answer.layers_size.unwrap_or_default();
    let containers = sum(
        answer.containers.unwrap_or_default(),
        |one| one.size_rw,
        |one| !matches!(&*one.state, "running" | "paused" | "restarting"),
    );
    let volumes = answer.volumes.unwrap_or_default();
    let volumes = volumes.into_iter().filter_map(|volume| volume.usage_data);
    let volumes = sum(volumes.collect(), |one| one.size, |one| one.ref_count == 0);
    let mut cache = answer.build_cache.unwrap_or_default();
    cache.retain(|one| !one.shared);
    let cache = sum(cache, |one| one.size, |one| !one.in_use);
    Ok(Usage {
        images: answer.image_usage.map_or(
            Bytes {
                total: layers,
                reclaimable: (layers - used).max(0.0),
            },
            Bytes::from,
        ),
        containers: answer.container_usage.map_or(containers, Bytes::from),
        volumes: answer.volume_usage.map_or(volumes, Bytes::from),
        build_cache: answer.build_cache_usage.map_or(cache, Bytes::from),
    })
}

/// Sizes that are not known are below 0, and left out.
fn sum<T>(all: Vec<T>, size: impl Fn(&T) -> f64, unused: impl Fn(&T) -> bool) -> Bytes {
    let mut bytes = Bytes::default();
    for one in all {
        let size = size(&one).max(0.0);
        bytes.total += size;
        if unused(&one) {
            bytes.reclaimable += size;
        }
    }
    bytes
}

pub(super) fn encode(disk: &Disk, page: &mut Writer) {
    let Some(success) = disk.success else { return };
    page.single(
        "belfry_engine_disk_read_success",
        "Whether the engine told the last time what is on the disk.",
        Kind::Gauge,
        f64::from(u8::from(success)),
    );
    let Some((usage, at)) = &disk.usage else {
        return;
    };
    page.single(
        "belfry_engine_disk_age_seconds",
        "How old what it told is.",
        Kind::Gauge,
        Instant::now().saturating_duration_since(*at).as_secs_f64(),
    );
    let kinds = [
        ("images", usage.images),
        ("containers", usage.containers),
        ("volumes", usage.volumes),
        ("build_cache", usage.build_cache),
    ];
    page.family(
        "belfry_engine_disk_bytes",
        "Bytes that the engine's things take on the disk.",
        Kind::Gauge,
    );
    for (kind, bytes) in kinds {
        page.sample(&[("kind", kind)], bytes.total);
    }
    page.family(
        "belfry_engine_disk_reclaimable_bytes",
        "Bytes of them that nothing uses.",
        Kind::Gauge,
    );
    for (kind, bytes) in kinds {
        page.sample(&[("kind", kind)], bytes.reclaimable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_answer_are_added_up() {
        let old = parse(
            br#"{"LayersSize":1000,"Images":[{"Size":600,"SharedSize":100,"Containers":1},{"Size":500,"SharedSize":0,"Containers":0},
                {"Size":-1,"SharedSize":-1,"Containers":2}],
                "Containers":[{"SizeRw":10,"State":"running"},{"SizeRw":5,"State":"exited"},{"State":"exited"}],
                "Volumes":[{"UsageData":{"Size":7,"RefCount":0}},{"UsageData":{"Size":8,"RefCount":1}},{"UsageData":{"Size":-1,"RefCount":-1}},{}],
                "BuildCache":[{"Size":3,"InUse":false,"Shared":false},{"Size":4,"InUse":true},{"Size":9,"Shared":true}],"BuilderSize":7}"#,
        );
        let bytes = |total, reclaimable| Bytes { total, reclaimable };
        let want = Usage {
            images: bytes(1000.0, 500.0),
            containers: bytes(15.0, 5.0),
            volumes: bytes(15.0, 7.0),
            build_cache: bytes(7.0, 3.0),
        };
        assert_eq!(old.unwrap(), want);
        let new = parse(
            br#"{"ImageUsage":{"TotalSize":1000,"Reclaimable":500,"ActiveCount":1},"ContainerUsage":{"TotalSize":15,"Reclaimable":5},
                "VolumeUsage":{"TotalSize":15,"Reclaimable":7},"BuildCacheUsage":{"TotalSize":7,"Reclaimable":3}}"#,
        );
        assert_eq!(new.unwrap(), want);
        let nothing = parse(br#"{"Images":null,"Volumes":null}"#);
        assert_eq!(nothing.unwrap(), Usage::default());
        assert!(parse(b"[").is_err());
    }
}
