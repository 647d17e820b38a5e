//! What the series store says of itself.

use exposition::{Kind, Writer};
use series::Figures;

/// Adds the store's figures to a page.
pub(crate) fn write(page: &mut Writer, figures: &Figures) {
    let flag = |failing: bool| u64::from(failing);
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    for (name, help, kind, value) in [
        (
            "belfry_series",
            "Series in the store.",
            gauge,
            figures.series as u64,
        ),
        (
            "belfry_series_chunk_bytes",
            "Memory that samples take.",
            gauge,
            figures.chunk_bytes,
        ),
        (
            "belfry_series_index_bytes",
            "Memory that series and their index take.",
            gauge,
            figures.index_bytes,
        ),
        (
            "belfry_series_samples_appended_total",
            "Samples taken.",
            counter,
            figures.appended,
        ),
        (
            "belfry_series_shed_total",
            "Series given up to stay within the memory limit.",
            counter,
            figures.shed,
        ),
        (
            "belfry_series_samples_refused_total",
            "Samples refused because there was no room for their series.",
            counter,
            figures.refused,
        ),
        (
            "belfry_series_write_failing",
            "Whether samples could not be written to the disk at the last try.",
            gauge,
            flag(figures.flush_error.is_some()),
        ),
        (
            "belfry_series_archive_bytes",
            "Disk that samples take which are no longer in memory.",
            gauge,
            figures.archive_bytes,
        ),
        (
            "belfry_series_archive_failing",
            "Whether samples could not be put away on the disk at the last try.",
            gauge,
            flag(figures.archive_error.is_some()),
        ),
        (
            "belfry_series_archive_unreadable_total",
            "Reads of samples from the disk that failed or took too long, and were left out.",
            counter,
            figures.archive_unreadable,
        ),
        (
            "belfry_series_rollup_bytes",
            "Disk that roll-ups take.",
            gauge,
            figures.rollup_bytes,
        ),
        (
            "belfry_series_rollup_failing",
            "Whether roll-ups could not be written to the disk at the last try.",
            gauge,
            flag(figures.rollup_error.is_some()),
        ),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        page.single(name, help, kind, value as f64);
    }
    // Times of 1970 would look like facts.
    for (name, help, time_ms) in [
        (
            "belfry_series_rollup_oldest_timestamp_seconds",
            "Beginning of the oldest day with roll-ups.",
            figures.rollup_oldest_ms,
        ),
        (
            "belfry_series_rollup_done_timestamp_seconds",
            "Up to when all samples are rolled up.",
            figures.rollup_done_ms,
        ),
    ] {
        if let Some(time_ms) = time_ms {
            page.single(name, help, gauge, super::seconds(time_ms));
        }
    }
}
