//! Batteries, mains and what else supplies power: `/sys/class/power_supply`.

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use super::hardware::{entries, present, word};
use crate::files::{Failure, Files};

/// The kernel counts in millionths.
const MICRO: f64 = 1e6;

/// File, what the family is called behind `node_power_supply_`, what it is divided by, help.
const NUMBERS: [(&str, &str, f64, &str); 10] = [
    ("online", "online", 1.0, "Whether the supply is plugged in."),
    ("present", "present", 1.0, "Whether the battery is there."),
    ("capacity", "capacity", 1.0, "Charge in per cent."),
    ("cycle_count", "cyclecount", 1.0, "Times it was charged."),
    ("energy_full", "energy_full", MICRO, "Watt hours when full."),
    (
        "energy_full_design",
        "energy_full_design",
        MICRO,
        "Watt hours when full, as it was made.",
    ),
    ("energy_now", "energy_watthour", MICRO, "Watt hours now."),
    ("power_now", "power_watt", MICRO, "Watts now."),
    (
        "voltage_min_design",
        "voltage_min_design",
        MICRO,
        "The least volts, as it was made.",
    ),
    ("voltage_now", "voltage_volt", MICRO, "Volts now."),
];

const WORDS: [&str; 7] = [
    "capacity_level",
    "manufacturer",
    "model_name",
    "serial_number",
    "status",
    "technology",
    "type",
];

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let supplies = entries(files, "class/power_supply", "");
    present(&supplies, "power supply")?;
    let mut found = Gathered::default();
    for (supply, path) in &supplies {
        for (file, name, divisor, help) in NUMBERS {
            if let Some(value) = files.number(&path.join(file)) {
                let name = format!("node_power_supply_{name}");
                found.add(&name, help, &[("power_supply", supply)], value / divisor);
            }
        }
        let said = WORDS.map(|name| (name, word(files, &path.join(name))));
        let mut labels = vec![("power_supply", &**supply)];
        labels.extend(said.iter().map(|(name, text)| (*name, &**text)));
        let name = "node_power_supply_info";
        found.add(name, "A supply and what it says of itself.", &labels, 1.0);
    }
    found.write(page);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supply_is_told_in_volts_watts_and_hours() {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("AC/online", "1\n"),
            ("AC/type", "Mains\n"),
            ("BAT0/energy_now", "36500000\n"),
            ("BAT0/voltage_now", "11500000\n"),
            ("BAT0/cycle_count", "7\n"),
            ("BAT0/status", "Discharging\n"),
            ("BAT0/power_now", "unknown\n"),
        ] {
            let path = tree.path().join("class/power_supply").join(file);
            super::super::tests::put(&path, text);
        }
        let page = super::super::tests::page(tree.path(), read);
        for line in [
            "node_power_supply_online{power_supply=\"AC\"} 1\n",
            "node_power_supply_info{power_supply=\"AC\",type=\"Mains\"} 1\n",
            "node_power_supply_energy_watthour{power_supply=\"BAT0\"} 36.5\n",
            "node_power_supply_voltage_volt{power_supply=\"BAT0\"} 11.5\n",
            "node_power_supply_cyclecount{power_supply=\"BAT0\"} 7\n",
            "node_power_supply_info{power_supply=\"BAT0\",status=\"Discharging\"} 1\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("power_watt"));
    }
}
