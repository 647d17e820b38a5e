//! Sensors: `/sys/class/hwmon`.

use std::collections::BTreeMap;
use std::path::Path;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};

/// One reading: the chip, the sensor (`temp1`), and the value.
type Reading = (String, String, f64);

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/hwmon");
    let monitors = names(&folder);
    if monitors.is_empty() {
        return Err(Failure::Absent("sensors".into()));
    }
    let mut families: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
    let mut chips = Vec::new();
    let mut labels = Vec::new();
    for monitor in monitors {
        let path = folder.join(&monitor);
        let chip = chip(&path, files).unwrap_or(monitor);
        if let Some(name) = files.word(&path.join("name")) {
            chips.push((chip.clone(), clean(&name)));
        }
        for file in names(&path) {
            if let Some((kind, number, item)) = split(&file) {
                let sensor = format!("{kind}{number}");
                if item == "label" {
                    let text = files
                        .word(&path.join(&file))
                        .unwrap_or_default()
                        .into_owned();
                    labels.push((chip.clone(), sensor, text));
                } else if let Some((family, factor)) = family(kind, item)
                    && let Some(value) = files.number(&path.join(&file))
                {
                    families.entry(family).or_default().push((
                        chip.clone(),
                        sensor,
                        value * factor,
                    ));
                }
            }
        }
    }
    page.family(
        "node_hwmon_chip_names",
        "What a chip calls itself.",
        Kind::Gauge,
    );
    for (chip, name) in &chips {
        page.sample(&[("chip", chip), ("chip_name", name)], 1.0);
    }
    page.family(
        "node_hwmon_sensor_label",
        "What a sensor measures.",
        Kind::Gauge,
    );
    for (chip, sensor, label) in &labels {
        page.sample(&[("chip", chip), ("label", label), ("sensor", sensor)], 1.0);
    }
    for (name, readings) in &families {
        let kind = if name.ends_with("_total") {
            Kind::Counter
        } else {
            Kind::Gauge
        };
        page.family(name, "A reading of a hardware sensor.", kind);
        for (chip, sensor, value) in readings {
            page.sample(&[("chip", chip), ("sensor", sensor)], *value);
        }
    }
    Ok(())
}

/// The name that stays the same over boots: bus and device of the chip, else
/// what the chip calls itself.
fn chip(path: &Path, files: &mut Files<'_>) -> Option<String> {
    if let Ok(device) = std::fs::canonicalize(path.join("device")) {
        let name = device.file_name()?.to_string_lossy().into_owned();
        let bus = device.parent()?.file_name()?.to_string_lossy().into_owned();
        return Some(format!("{}_{}", clean(&bus), clean(&name)));
    }
    files.word(&path.join("name")).map(|name| clean(&name))
}

fn clean(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '_');
    let lower = name.to_ascii_lowercase();
    lower
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect()
}

/// `temp1_crit_alarm` is temp, 1, crit_alarm.
fn split(file: &str) -> Option<(&str, &str, &str)> {
    let digits = file.find(|letter: char| letter.is_ascii_digit())?;
    let (kind, rest) = file.split_at(digits);
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, item) = rest.split_at(end);
    let known = [
        "temp",
        "fan",
        "in",
        "curr",
        "power",
        "energy",
        "humidity",
        "freq",
        "intrusion",
    ];
    if !known.contains(&kind) {
        return None;
    }
    match item.strip_prefix('_') {
        Some(item) if !item.is_empty() => Some((kind, number, item)),
        None if item.is_empty() => Some((kind, number, "input")),
        _ => None,
    }
}

/// The family of an item and the factor to its base unit.
fn family(kind: &str, item: &str) -> Option<(String, f64)> {
    let plain = [
        "alarm",
        "fault",
        "beep",
        "enable",
        "type",
        "pulses",
        "div",
        "manual",
        "output",
        "tolerance",
    ];
    let plain_end = plain
        .iter()
        .find(|end| item == **end || item.ends_with(&format!("_{end}")));
    if plain_end.is_some() && !(kind == "temp" && item == "crit_alarm") {
        let item = item.replace("beep", "beep_enabled");
        return Some((format!("node_hwmon_{kind}_{item}"), 1.0));
    }
    let (unit, factor) = match kind {
        "temp" => ("celsius", 1e-3),
        "in" => ("volts", 1e-3),
        "curr" => ("amps", 1e-3),
        "power" => ("watt", 1e-6),
        "energy" => ("joule_total", 1e-6),
        "humidity" => ("ratio", 1e-5),
        "fan" => ("rpm", 1.0),
        "freq" => ("freq_mhz", 1e-6),
        _ => return None,
    };
    // An alarm, but the peer gives it a unit and with it a factor.
    match item {
        "input" => Some((format!("node_hwmon_{kind}_{unit}"), factor)),
        _ => Some((format!("node_hwmon_{kind}_{item}_{unit}"), factor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_families_in_base_units() {
        for (file, want) in [
            ("temp1_input", Some(("node_hwmon_temp_celsius", 1e-3))),
            ("temp12_crit", Some(("node_hwmon_temp_crit_celsius", 1e-3))),
            (
                "temp1_crit_alarm",
                Some(("node_hwmon_temp_crit_alarm_celsius", 1e-3)),
            ),
            ("temp1_alarm", Some(("node_hwmon_temp_alarm", 1.0))),
            ("fan2_min", Some(("node_hwmon_fan_min_rpm", 1.0))),
            (
                "power1_average",
                Some(("node_hwmon_power_average_watt", 1e-6)),
            ),
            (
                "energy1_input",
                Some(("node_hwmon_energy_joule_total", 1e-6)),
            ),
            ("in0_beep", Some(("node_hwmon_in_beep_enabled", 1.0))),
            ("uevent", None),
        ] {
            let got = split(file).and_then(|(kind, _, item)| family(kind, item));
            assert_eq!(
                got.as_ref().map(|(name, factor)| (name.as_str(), *factor)),
                want,
                "{file}"
            );
        }
    }

    #[test]
    fn a_chip_is_named_by_its_device() {
        let tree = tempfile::tempdir().unwrap();
        let device = tree.path().join("devices/platform/coretemp.0");
        let monitor = tree.path().join("class/hwmon/hwmon0");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::create_dir_all(&monitor).unwrap();
        std::os::unix::fs::symlink(&device, monitor.join("device")).unwrap();
        std::fs::write(monitor.join("temp1_input"), "45000\n").unwrap();
        std::fs::write(monitor.join("temp1_label"), "Package id 0\n").unwrap();
        let host = super::super::tests::host(tree.path());
        let mut page = Writer::new();
        read(&host.0, &mut Files::new(&host.0.roots), &mut page).unwrap();
        let page = page.finish();
        assert!(page.contains(
            "node_hwmon_temp_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 45\n"
        ));
        assert!(page.contains("label=\"Package id 0\""));
    }
}
