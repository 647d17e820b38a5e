//! Devices under `/sys` with a number or two each: thermal zones, cooling,
//! bonds, memory errors, watchdogs.

use std::path::{Path, PathBuf};

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};

/// Name and folder of each entry of a folder under sys whose name starts so.
pub(super) fn entries(files: &Files<'_>, folder: &str, start: &str) -> Vec<(String, PathBuf)> {
    let folder = files.roots.sys.join(folder);
    let wanted = names(&folder)
        .into_iter()
        .filter(|name| name.starts_with(start));
    wanted
        .map(|name| (name.clone(), folder.join(name)))
        .collect()
}

pub(super) fn word(files: &mut Files<'_>, path: &Path) -> String {
    files.word(path).unwrap_or_default().into_owned()
}

pub(super) fn present(found: &[(String, PathBuf)], what: &str) -> Result<(), Failure> {
    if found.is_empty() {
        return Err(Failure::Absent(what.into()));
    }
    Ok(())
}

pub(super) fn thermal(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let zones = entries(files, "class/thermal", "thermal_zone");
    if !zones.is_empty() {
        page.family(
            "node_thermal_zone_temp",
            "Temperature of a zone in degrees Celsius.",
            Kind::Gauge,
        );
    }
    for (name, path) in zones {
        let kind = word(files, &path.join("type"));
        if let Some(value) = files.number(&path.join("temp")) {
            let zone = name.trim_start_matches("thermal_zone");
            page.sample(&[("type", &kind), ("zone", zone)], value / 1000.0);
        }
    }
    let devices = entries(files, "class/thermal", "cooling_device");
    for (file, family, help) in [
        (
            "cur_state",
            "node_cooling_device_cur_state",
            "How hard a device cools now.",
        ),
        (
            "max_state",
            "node_cooling_device_max_state",
            "How hard a device can cool.",
        ),
    ] {
        if !devices.is_empty() {
            page.family(family, help, Kind::Gauge);
        }
        for (name, path) in &devices {
            let kind = word(files, &path.join("type"));
            if let Some(value) = files.number(&path.join(file)) {
                let number = name.trim_start_matches("cooling_device");
                page.sample(&[("name", number), ("type", &kind)], value);
            }
        }
    }
    Ok(())
}

pub(super) fn bonds(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let masters = files.sys("class/net/bonding_masters")?.into_owned();
    let mut rows = Vec::new();
    for master in masters.split_ascii_whitespace() {
        let bond = files.roots.sys.join("class/net").join(master);
        let slaves = word(files, &bond.join("bonding/slaves"));
        let slaves: Vec<&str> = slaves.split_ascii_whitespace().collect();
        let up = slaves.iter().filter(|slave| {
            word(
                files,
                &bond.join(format!("lower_{slave}/bonding_slave/mii_status")),
            ) == "up"
        });
        rows.push((master, slaves.len() as f64, up.count() as f64));
    }
    page.family(
        "node_bonding_slaves",
        "Devices that a bond has.",
        Kind::Gauge,
    );
    for (master, slaves, _) in &rows {
        page.sample(&[("master", master)], *slaves);
    }
    page.family(
        "node_bonding_active",
        "Devices of a bond that are up.",
        Kind::Gauge,
    );
    for (master, _, up) in &rows {
        page.sample(&[("master", master)], *up);
    }
    Ok(())
}

pub(super) fn memory_errors(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let controllers: Vec<_> = entries(files, "devices/system/edac/mc", "mc")
        .into_iter()
        .filter(|(_, path)| path.is_dir())
        .collect();
    for (file, name, help) in [
        (
            "ce_count",
            "node_edac_correctable_errors_total",
            "Memory errors that were put right.",
        ),
        (
            "ue_count",
            "node_edac_uncorrectable_errors_total",
            "Memory errors that could not be put right.",
        ),
    ] {
        if !controllers.is_empty() {
            page.family(name, help, Kind::Counter);
        }
        for (controller, path) in &controllers {
            if let Some(value) = files.number(&path.join(file)) {
                page.sample(
                    &[("controller", controller.trim_start_matches("mc"))],
                    value,
                );
            }
        }
    }
    Ok(())
}

pub(super) fn watchdogs(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let dogs = entries(files, "class/watchdog", "watchdog");
    present(&dogs, "watchdog")?;
    for (file, name) in [
        ("access_cs0", "node_watchdog_access_cs0"),
        ("bootstatus", "node_watchdog_bootstatus"),
        ("fw_version", "node_watchdog_fw_version"),
        ("nowayout", "node_watchdog_nowayout"),
        ("pretimeout", "node_watchdog_pretimeout_seconds"),
        ("timeleft", "node_watchdog_timeleft_seconds"),
        ("timeout", "node_watchdog_timeout_seconds"),
    ] {
        let mut open = false;
        for (dog, path) in &dogs {
            let Some(value) = files.number(&path.join(file)) else {
                continue;
            };
            if !open {
                page.family(name, "A field of a hardware watchdog.", Kind::Gauge);
                open = true;
            }
            page.sample(&[("name", dog)], value);
        }
    }
    page.family(
        "node_watchdog_info",
        "Who a hardware watchdog is.",
        Kind::Gauge,
    );
    for (dog, path) in &dogs {
        let said = [
            "identity",
            "options",
            "pretimeout_governor",
            "state",
            "status",
        ]
        .map(|file| (file, word(files, &path.join(file))));
        let labels: Vec<(&str, &str)> = said
            .iter()
            .map(|(file, text)| (*file, text.as_str()))
            .chain([("name", dog.as_str())])
            .collect();
        page.sample(&labels, 1.0);
    }
    Ok(())
}
