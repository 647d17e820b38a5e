//! A folder of pages that other programs write: `*.prom`.
//!
//! A file with a fault is left out whole, as Prometheus would do with a page.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use exposition::{Entry, Kind, NAME, Sample, Writer, parse};

use super::Machine;
use crate::files::{Failure, Files, names};

/// A family of one or several files.
#[derive(Debug)]
struct Family {
    help: String,
    kind: Kind,
    samples: Vec<Sample>,
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let mut families = BTreeMap::new();
    let mut times = Vec::new();
    let mut failed = false;
    if let Some(folder) = &machine.textfiles {
        for name in names(folder)
            .into_iter()
            .filter(|name| name.ends_with(".prom"))
        {
            let path = folder.join(&name);
            let whole = files
                .text(&path)
                .is_ok_and(|text| take(&text, &mut families));
            if !whole {
                failed = true;
                continue;
            }
            let changed = std::fs::metadata(&path)
                .and_then(|about| about.modified())
                .ok();
            if let Some(since) = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
                times.push((path.display().to_string(), since.as_secs_f64()));
            }
        }
    }
    for (name, family) in &families {
        page.family(name, &family.help, family.kind);
        for sample in &family.samples {
            let labels: Vec<_> = sample
                .labels
                .iter()
                .filter(|(label, _)| *label != NAME)
                .collect();
            let suffix = sample
                .labels
                .name()
                .strip_prefix(name.as_str())
                .unwrap_or_default();
            page.suffixed(suffix, &labels, sample.value);
        }
    }
    if !times.is_empty() {
        page.family(
            "node_textfile_mtime_seconds",
            "When a text file was written, in seconds since 1970.",
            Kind::Gauge,
        );
    }
    for (file, time) in &times {
        page.sample(&[("file", file)], *time);
    }
    let failed = f64::from(u8::from(failed));
    page.single(
        "node_textfile_scrape_error",
        "Whether a text file was left out.",
        Kind::Gauge,
        failed,
    );
    Ok(())
}

/// Takes a file's families; false, and nothing taken, when it has a fault.
fn take(text: &str, families: &mut BTreeMap<String, Family>) -> bool {
    let mut own: BTreeMap<String, Family> = BTreeMap::new();
    let blank = || Family {
        help: String::new(),
        kind: Kind::Untyped,
        samples: Vec::new(),
    };
    for entry in parse(text) {
        match entry {
            Ok(Entry::Help(name, help)) => own.entry(name.into()).or_insert_with(blank).help = help,
            Ok(Entry::Type(name, kind)) => own.entry(name.into()).or_insert_with(blank).kind = kind,
            // A time of its own would make the sample look older than the scrape.
            Ok(Entry::Sample(sample)) if sample.time_ms.is_some() => return false,
            Ok(Entry::Sample(sample)) => {
                let name = family_of(sample.labels.name(), &own);
                own.entry(name).or_insert_with(blank).samples.push(sample);
            }
            // This format has none.
            Ok(Entry::Unit(..)) => {}
            Err(_) => return false,
        }
    }
    if own.iter().any(|(name, family)| {
        families
            .get(name)
            .is_some_and(|other| other.kind != family.kind)
    }) {
        return false;
    }
    for (name, family) in own {
        families
            .entry(name)
            .or_insert_with(|| Family {
                samples: Vec::new(),
                help: family.help,
                kind: family.kind,
            })
            .samples
            .extend(family.samples);
    }
    true
}

/// The parts of a histogram or summary belong to the family without the suffix.
fn family_of(name: &str, known: &BTreeMap<String, Family>) -> String {
    let parts = ["_bucket", "_sum", "_count"];
    let short = parts.iter().find_map(|part| name.strip_suffix(part));
    let grouped = |family: &Family| matches!(family.kind, Kind::Histogram | Kind::Summary);
    match short {
        Some(short) if known.get(short).is_some_and(grouped) => short.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_file_is_left_out_and_the_others_are_merged() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.prom",
            "# HELP my_jobs Jobs.\n# TYPE my_jobs gauge\nmy_jobs{queue=\"a\"} 1\n",
        );
        write(
            "b.prom",
            "# TYPE my_jobs gauge\nmy_jobs{queue=\"b\"} 2\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n",
        );
        write("bad.prom", "good 1\nbad bad bad\n");
        write("other.txt", "other 1\n");
        let host = super::super::Host::new(super::super::Config {
            textfiles: Some(folder.path().into()),
            ..Default::default()
        });
        let mut page = Writer::new();
        read(&host.0, &mut Files::new(&host.0.roots), &mut page).unwrap();
        let page = page.finish();
        assert_eq!(page.matches("# TYPE my_jobs gauge").count(), 1);
        for line in [
            "my_jobs{queue=\"a\"} 1\n",
            "my_jobs{queue=\"b\"} 2\n",
            "h_sum 3\n",
            "node_textfile_scrape_error 1\n",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("good 1") && !page.contains("other 1"));
        assert_eq!(page.matches("node_textfile_mtime_seconds{").count(), 2);
    }
}
