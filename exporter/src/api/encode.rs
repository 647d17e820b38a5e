//! Families of what was counted.

use exposition::{Kind, format_value};

use super::tally::{BOUNDS, METHODS, Place, Tally};
use crate::pieces::Sheet;

/// Writes everything that was counted of one log.
pub(super) fn encode(tally: &Tally, now_ms: i64, sheet: &mut Sheet) {
    let places = || {
        let hosts = tally.places.iter();
        hosts.flat_map(|(host, paths)| {
            paths
                .iter()
                .map(move |(path, place)| ([("host", &**host), ("path", &**path)], place))
        })
    };
    let help = "Requests, as the access log tells of them; a method or host that is not told apart is `other`.";
    let mut family = sheet.family("belfry_http_requests_total", help, Kind::Counter);
    for (labels, place) in places() {
        for (method, status, count) in &place.counts {
            let method = METHODS.get(usize::from(*method)).unwrap_or(&"other");
            let code = status.to_string();
            let labels = [labels[0], labels[1], ("method", method), ("code", &code)];
            family.sample(&labels, *count as f64);
        }
    }
    if places().any(|(_, place)| place.timed > 0) {
        let help = "How long answering requests took, as the access log tells.";
        let name = "belfry_http_request_duration_seconds";
        let mut family = sheet.family(name, help, Kind::Histogram);
        for (labels, place) in places().filter(|(_, place)| place.timed > 0) {
            times(place, labels, |suffix, labels, value| {
                family.suffixed(suffix, labels, value);
            });
        }
    }
    let help = "Bytes of the answers, as the access log tells.";
    let mut family = sheet.family("belfry_http_response_bytes_total", help, Kind::Counter);
    for (labels, place) in places() {
        family.sample(&labels, place.bytes as f64);
    }
    for (name, help, value) in [
        (
            "belfry_access_log_lines_total",
            "Lines read of the access log.",
            tally.lines,
        ),
        (
            "belfry_access_log_unreadable_lines_total",
            "Lines of the access log that could not be read, or were too long.",
            tally.unreadable,
        ),
        (
            "belfry_access_log_rotations_total",
            "Times that the file of the access log was replaced or cut.",
            tally.rotations,
        ),
    ] {
        sheet.single(name, help, Kind::Counter, value as f64);
    }
    if let Some(last_ms) = tally.last_ms {
        let age = (now_ms - last_ms).max(0) as f64 / 1000.0;
        let help = "How long ago the last line of the access log came.";
        sheet.single("belfry_access_log_line_age_seconds", help, Kind::Gauge, age);
    }
}

fn times<'a>(
    place: &Place,
    labels: [(&'a str, &'a str); 2],
    mut write: impl FnMut(&str, &[(&str, &str)], f64),
) {
    let mut count = 0;
    for (bound, here) in BOUNDS.iter().zip(place.times) {
        count += here;
        let bound = format_value(*bound);
        write(
            "_bucket",
            &[labels[0], labels[1], ("le", &bound)],
            count as f64,
        );
    }
    let all = place.timed as f64;
    write("_bucket", &[labels[0], labels[1], ("le", "+Inf")], all);
    write("_sum", &labels, place.seconds);
    write("_count", &labels, all);
}
