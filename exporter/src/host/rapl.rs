//! Energy that processors count: `/sys/class/powercap`.

use std::collections::BTreeMap;

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files, names};

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/powercap");
    let mut found = Gathered::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for zone in names(&folder) {
        let path = folder.join(&zone);
        let Some(name) = files
            .word(&path.join("name"))
            .map(std::borrow::Cow::into_owned)
        else {
            continue;
        };
        // A processor of several dies has zones like `package-0-die-1`, which are no number.
        let (name, index) = match name.split_once('-') {
            Some((name, index)) if index.parse::<usize>().is_ok() => {
                (name.to_owned(), index.to_owned())
            }
            _ => {
                let count = seen.entry(name.clone()).or_default();
                *count += 1;
                (name, (*count - 1).to_string())
            }
        };
        // Its readers could learn secrets, so that it is for root alone.
        let Some(energy) = files.number(&path.join("energy_uj")) else {
            continue;
        };
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        };
        let name: String = name.chars().map(plain).collect();
        let labels = [("index", &*index), ("path", &*path.to_string_lossy())];
        let family = format!("node_rapl_{name}_joules_total");
        found.add(
            &family,
            "Energy in joules, since it last began at 0.",
            &labels,
            energy / 1e6,
        );
    }
    if found.is_empty() {
        return Err(Failure::Absent("counters of energy".into()));
    }
    found.write(page);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_zone_is_told_by_name_and_number() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("class/powercap");
        for (zone, name, energy) in [
            ("intel-rapl:0", "package-0", Some("2000000")),
            ("intel-rapl:0:0", "core", Some("1500000")),
            ("intel-rapl:1", "package-1", None),
            ("intel-rapl:1:0", "core", Some("500000")),
            ("intel-rapl:2", "package-0-die-1", Some("1000000")),
        ] {
            std::fs::create_dir_all(folder.join(zone)).unwrap();
            std::fs::write(folder.join(zone).join("name"), name).unwrap();
            if let Some(energy) = energy {
                std::fs::write(folder.join(zone).join("energy_uj"), energy).unwrap();
            }
        }
        let page = super::super::tests::page(tree.path(), read);
        let told: Vec<_> = page
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                (
                    line.split(',').next().unwrap(),
                    line.rsplit(' ').next().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("node_rapl_core_joules_total{index=\"0\"", "1.5"),
                ("node_rapl_core_joules_total{index=\"1\"", "0.5"),
                ("node_rapl_package_0_die_1_joules_total{index=\"0\"", "1"),
                ("node_rapl_package_joules_total{index=\"0\"", "2"),
            ]
        );
    }
}
