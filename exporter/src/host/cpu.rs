//! What `/sys/devices/system/cpu` says of each processor: whether it is on,
//! throttles, and its frequencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};

const HERTZ_IN_KILOHERTZ: f64 = 1000.0;

/// Number and folder of each processor.
fn processors(files: &Files<'_>) -> Vec<(String, PathBuf)> {
    let folder = files.roots.sys.join("devices/system/cpu");
    let number = |name: &String| name.strip_prefix("cpu")?.parse::<u32>().ok();
    let mut found: Vec<(u32, PathBuf)> = names(&folder)
        .iter()
        .filter_map(|name| Some((number(name)?, folder.join(name))))
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|(number, path)| (number.to_string(), path))
        .collect()
}

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let processors = processors(files);
    if processors.is_empty() {
        return Err(Failure::Absent("folder of processors".into()));
    }
    let online: Vec<_> = processors
        .iter()
        .filter_map(|(cpu, path)| Some((cpu, files.number(&path.join("online"))?)))
        .collect();
    if !online.is_empty() {
        page.family("node_cpu_online", "Whether a processor is on.", Kind::Gauge);
    }
    for (cpu, value) in online {
        page.sample(&[("cpu", cpu)], value);
    }
    let isolated = files.roots.sys.join("devices/system/cpu/isolated");
    let isolated = files
        .word(&isolated)
        .map(|list| members(&list))
        .unwrap_or_default();
    if !isolated.is_empty() {
        page.family(
            "node_cpu_isolated",
            "Processors kept free of ordinary tasks.",
            Kind::Gauge,
        );
    }
    for cpu in isolated {
        page.sample(&[("cpu", &cpu.to_string())], 1.0);
    }
    throttles(&processors, files, page);
    Ok(())
}

/// Throttles are counted by core and package; hyper-threads share a core.
fn throttles(processors: &[(String, PathBuf)], files: &mut Files<'_>, page: &mut Writer) {
    let mut cores: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut packages: BTreeMap<String, f64> = BTreeMap::new();
    for (_, path) in processors {
        let place = |files: &mut Files<'_>, file| {
            files
                .word(&path.join("topology").join(file))
                .map(|word| word.into_owned())
        };
        let core = files.number(&path.join("thermal_throttle/core_throttle_count"));
        let package = files.number(&path.join("thermal_throttle/package_throttle_count"));
        if core.is_none() && package.is_none() {
            continue;
        }
        let Some(of_package) = place(files, "physical_package_id") else {
            continue;
        };
        if let (Some(count), Some(of_core)) = (core, place(files, "core_id")) {
            cores.insert((of_core, of_package.clone()), count);
        }
        if let Some(count) = package {
            packages.insert(of_package, count);
        }
    }
    if !cores.is_empty() {
        page.family(
            "node_cpu_core_throttles_total",
            "Times a core was slowed to cool down.",
            Kind::Counter,
        );
    }
    for ((core, package), count) in cores {
        page.sample(&[("core", &core), ("package", &package)], count);
    }
    if !packages.is_empty() {
        page.family(
            "node_cpu_package_throttles_total",
            "Times a package was slowed to cool down.",
            Kind::Counter,
        );
    }
    for (package, count) in packages {
        page.sample(&[("package", &package)], count);
    }
}

/// The members of a list such as `0-2,7`; absurdly long ones are cut.
fn members(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',')
        .filter_map(range)
        .flatten()
        .take(4096)
        .collect()
}

/// File, family, help.
const FREQUENCIES: [(&str, &str, &str); 7] = [
    (
        "cpuinfo_avg_freq",
        "node_cpu_frequency_avg_hertz",
        "The processor's average frequency.",
    ),
    (
        "cpuinfo_cur_freq",
        "node_cpu_frequency_hertz",
        "The processor's frequency now.",
    ),
    (
        "cpuinfo_max_freq",
        "node_cpu_frequency_max_hertz",
        "The highest frequency the processor can have.",
    ),
    (
        "cpuinfo_min_freq",
        "node_cpu_frequency_min_hertz",
        "The lowest frequency the processor can have.",
    ),
    (
        "scaling_cur_freq",
        "node_cpu_scaling_frequency_hertz",
        "The frequency that scaling set.",
    ),
    (
        "scaling_max_freq",
        "node_cpu_scaling_frequency_max_hertz",
        "The highest frequency that scaling may set.",
    ),
    (
        "scaling_min_freq",
        "node_cpu_scaling_frequency_min_hertz",
        "The lowest frequency that scaling may set.",
    ),
];

pub(super) fn frequency(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let scaled: Vec<(String, PathBuf)> = processors(files)
        .into_iter()
        .map(|(cpu, path)| (cpu, path.join("cpufreq")))
        .filter(|(_, path)| path.is_dir())
        .collect();
    for (file, name, help) in FREQUENCIES {
        let mut open = false;
        for (cpu, path) in &scaled {
            let Some(value) = files.number(&path.join(file)) else {
                continue;
            };
            if !open {
                page.family(name, help, Kind::Gauge);
                open = true;
            }
            page.sample(&[("cpu", cpu)], value * HERTZ_IN_KILOHERTZ);
        }
    }
    governors(&scaled, files, page);
    Ok(())
}

fn governors(scaled: &[(String, PathBuf)], files: &mut Files<'_>, page: &mut Writer) {
    if scaled.is_empty() {
        return;
    }
    page.family(
        "node_cpu_scaling_governor",
        "Which governor scales the frequency.",
        Kind::Gauge,
    );
    let mut words = |path: &Path, file| {
        files
            .word(&path.join(file))
            .unwrap_or_default()
            .into_owned()
    };
    for (cpu, path) in scaled {
        let now = words(path, "scaling_governor");
        for governor in words(path, "scaling_available_governors").split_ascii_whitespace() {
            let active = f64::from(u8::from(governor == now));
            page.sample(&[("cpu", cpu), ("governor", governor)], active);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_have_ranges() {
        assert_eq!(members("0-2,7"), [0, 1, 2, 7]);
        assert_eq!(members("x,3-,4"), [4]);
        assert_eq!(members("0-4294967295").len(), 4096);
    }
}
