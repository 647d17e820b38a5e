//! The page: what is known of backups, as samples.

use std::io;

use exposition::{Kind, Writer};

use crate::{Copies, Coverage, Volume, Watch};

type Read = Result<Copies, io::Error>;

/// Writes the page from what was read; a folder that could not be read has
/// samples that say so, and none that look like a backup.
#[must_use]
pub fn page(watched: &[(&Watch, Read)], volumes: &[(Volume, Coverage)]) -> String {
    let mut page = Writer::new();
    let each = |page: &mut Writer,
                name: &str,
                help: &str,
                value: &dyn Fn(&Watch, &Read) -> Option<f64>| {
        if !watched.is_empty() {
            page.family(name, help, Kind::Gauge);
        }
        for (watch, read) in watched {
            if let Some(value) = value(watch, read) {
                page.sample(&[("job_name", &watch.name)], value);
            }
        }
    };
    each(
        &mut page,
        "belfry_backup_folder_readable",
        "Whether the folder of copies could be read.",
        &|_, read| Some(f64::from(u8::from(read.is_ok()))),
    );
    each(
        &mut page,
        "belfry_backup_max_age_seconds",
        "How old the newest copy may become, from the configuration.",
        &|watch, _| Some(watch.max_age.as_secs_f64()),
    );
    each(
        &mut page,
        "belfry_backup_last_success_timestamp_seconds",
        "Time of the newest copy that is large enough; 0 when there is none.",
        &|_, read| {
            read.as_ref().ok().map(|copies| {
                copies
                    .newest
                    .map_or(0.0, |(time_ms, _)| number(time_ms) / 1e3)
            })
        },
    );
    each(
        &mut page,
        "belfry_backup_size_bytes",
        "Size of the newest copy.",
        &|_, read| read.as_ref().ok()?.newest.map(|(_, bytes)| count(bytes)),
    );
    each(
        &mut page,
        "belfry_backup_copies",
        "How many copies there are.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.count)),
    );
    each(
        &mut page,
        "belfry_backup_copies_bytes",
        "Size of all copies.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.bytes)),
    );
    each(
        &mut page,
        "belfry_backup_copies_too_small",
        "Files that are too small to be a copy.",
        &|_, read| read.as_ref().ok().map(|copies| count(copies.too_small)),
    );
    if !volumes.is_empty() {
        page.family(
            "belfry_backup_volume_coverage",
            "What is known of a volume's backup: backed_up, excluded or unknown.",
            Kind::Gauge,
        );
    }
    for (volume, coverage) in volumes {
        let labels = [
            ("volume", volume.name.as_str()),
            ("project", volume.project.as_str()),
            ("coverage", coverage.as_str()),
        ];
        page.sample(&labels, 1.0);
    }
    page.finish()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes and counts far below 2^53"
)]
fn count(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_read_has_no_copy() {
        let watch = Watch {
            name: "db".into(),
            ..Watch::default()
        };
        let lost = page(&[(&watch, Err(io::ErrorKind::NotFound.into()))], &[]);
        assert!(lost.contains("belfry_backup_folder_readable{job_name=\"db\"} 0\n"));
        assert!(!lost.contains("belfry_backup_last_success_timestamp_seconds{"));
        let copies = Copies {
            count: 1,
            bytes: 5,
            too_small: 0,
            newest: Some((1_500, 5)),
        };
        let read = page(&[(&watch, Ok(copies))], &[]);
        assert!(
            read.contains("belfry_backup_last_success_timestamp_seconds{job_name=\"db\"} 1.5\n")
        );
    }

    #[test]
    fn nothing_configured_is_an_empty_page() {
        assert_eq!(page(&[], &[]), "");
    }
}
