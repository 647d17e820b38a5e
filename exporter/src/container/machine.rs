//! The machine under cAdvisor's names.

use std::collections::BTreeSet;
use std::path::Path;

use exposition::{Kind, Writer};

use crate::files::{Files, names};

/// Who the machine is, and what does not change while it runs.
#[derive(Debug, Default)]
pub(super) struct Identity(Option<Known>);

#[derive(Debug)]
struct Known {
    machine_id: String,
    system_uuid: String,
    boot_id: String,
    cores: f64,
    physical_cores: f64,
    sockets: f64,
}

impl Identity {
    pub(super) fn encode(&mut self, files: &mut Files<'_>, page: &mut Writer) {
        let known = self.0.get_or_insert_with(|| read(files));
        let labels = [
            ("boot_id", known.boot_id.as_str()),
            ("machine_id", &known.machine_id),
            ("system_uuid", &known.system_uuid),
        ];
        let text = files.proc("meminfo").unwrap_or_default();
        let bytes = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field));
            let kilobytes: Option<f64> =
                line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            kilobytes.map(|value| value * 1024.0)
        };
        let (memory, swap) = (bytes("MemTotal:"), bytes("SwapTotal:"));
        for (name, help, value) in [
            (
                "machine_cpu_cores",
                "Logical processors.",
                Some(known.cores),
            ),
            (
                "machine_cpu_physical_cores",
                "Cores.",
                Some(known.physical_cores),
            ),
            (
                "machine_cpu_sockets",
                "Sockets with a processor.",
                Some(known.sockets),
            ),
            ("machine_memory_bytes", "Bytes of memory.", memory),
            ("machine_swap_bytes", "Bytes of swap.", swap),
        ] {
            if let Some(value) = value {
                page.family(name, help, Kind::Gauge).sample(&labels, value);
            }
        }
        let failed = f64::from(u8::from(memory.is_none()));
        page.single(
            "machine_scrape_error",
            "Whether the machine could not be read.",
            Kind::Gauge,
            failed,
        );
    }
}

fn read(files: &mut Files<'_>) -> Known {
    let (root, sys, proc) = (
        files.roots.root.clone(),
        files.roots.sys.clone(),
        files.roots.proc.clone(),
    );
    let mut word = |path: &Path| files.word(path).unwrap_or_default().into_owned();
    let machine_id = word(&root.join("etc/machine-id"));
    let system_uuid = word(&sys.join("class/dmi/id/product_uuid"));
    let boot_id = word(&proc.join("sys/kernel/random/boot_id"));
    let folder = sys.join("devices/system/cpu");
    let number = |name: &str| {
        name.strip_prefix("cpu")
            .is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    let mut cores = 0.0;
    let (mut physical, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for name in names(&folder).into_iter().filter(|name| number(name)) {
        let topology = folder.join(name).join("topology");
        // A processor that is off has no topology.
        if !topology.is_dir() {
            continue;
        }
        cores += 1.0;
        let socket = word(&topology.join("physical_package_id"));
        physical.insert((socket.clone(), word(&topology.join("core_id"))));
        sockets.insert(socket);
    }
    Known {
        machine_id,
        system_uuid,
        boot_id,
        cores,
        physical_cores: physical.len() as f64,
        sockets: sockets.len() as f64,
    }
}
