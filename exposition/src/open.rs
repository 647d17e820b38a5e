//! Classic pages as OpenMetrics text, for those who ask for it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// What is known of a family while its samples are gathered.
#[derive(Debug, Default)]
struct Family<'a> {
    kind: &'a str,
    help: &'a str,
    samples: String,
}

/// These pages in text format 0.0.4, one after the other, as one page of
/// OpenMetrics 1.0. A family that stands on several is written once.
#[must_use]
pub fn open_metrics<'a>(pages: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let lines = || pages.clone().into_iter().flat_map(str::lines);
    let typed = |line: &'a str| line.strip_prefix("# TYPE ")?.split_once(' ');
    let names: HashSet<&str> = lines().filter_map(typed).map(|(name, _)| name).collect();
    let mut order: Vec<&str> = Vec::new();
    let mut families: HashMap<&str, Family<'_>> = HashMap::new();
    let mut open = "";
    let mut enter = |name: &'a str, families: &mut HashMap<&'a str, Family<'a>>| {
        if !families.contains_key(name) {
            order.push(name);
            families.insert(name, Family::default());
        }
    };
    for line in lines() {
        if let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .map(|rest| rest.split_once(' ').unwrap_or((rest, "")))
        {
            enter(name, &mut families);
            families.entry(name).or_default().help = help;
            open = name;
        } else if let Some((name, kind)) = typed(line) {
            enter(name, &mut families);
            families.entry(name).or_default().kind = kind;
            open = name;
        } else if !line.is_empty() && !line.starts_with('#') {
            let name = &line[..line.find(['{', ' ']).unwrap_or(line.len())];
            let of = match belongs(name, open) {
                true => open,
                // A sample that nobody announced is a family by itself.
                false => name,
            };
            enter(of, &mut families);
            sample(line, &mut families.entry(of).or_default().samples);
        }
    }
    let mut page = String::new();
    for name in order {
        if let Some(family) = families.get(name) {
            write_family(name, family, &names, &mut page);
        }
    }
    page.push_str("# EOF\n");
    page
}

/// Whether a sample's name is its family's, or that with a known suffix.
fn belongs(sample: &str, family: &str) -> bool {
    !family.is_empty()
        && sample
            .strip_prefix(family)
            .is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
}

fn write_family(name: &str, family: &Family<'_>, names: &HashSet<&str>, page: &mut String) {
    if family.samples.is_empty() {
        return;
    }
    let (name, kind) = match family.kind {
        // Its samples must end in `_total`, and its name is what is before.
        "counter" => match name.strip_suffix("_total") {
            Some(base) if !names.contains(base) => (base, "counter"),
            _ => (name, "unknown"),
        },
        "gauge" | "histogram" | "summary" => (name, family.kind),
        _ => (name, "unknown"),
    };
    let help = family.help.replace('"', "\\\"");
    let _ = writeln!(page, "# TYPE {name} {kind}");
    if !help.is_empty() {
        let _ = writeln!(page, "# HELP {name} {help}");
    }
    page.push_str(&family.samples);
}

/// A sample's time is in seconds there, in milliseconds here.
fn sample(line: &str, samples: &mut String) {
    let start = match line.rfind('}') {
        Some(end) => end + 1,
        None => line.find(' ').unwrap_or(line.len()),
    };
    let mut words = line[start..].split_ascii_whitespace();
    let (value, time) = (words.next().unwrap_or("NaN"), words.next());
    samples.push_str(line[..start].trim_end());
    samples.push(' ');
    samples.push_str(value);
    if let Some(ms) = time.and_then(|time| time.parse::<i64>().ok()) {
        let sign = if ms < 0 { "-" } else { "" };
        let (seconds, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
        let _ = write!(samples, " {sign}{seconds}.{rest:03}");
    }
    samples.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_lose_their_suffix_in_their_name_and_times_are_seconds() {
        let one = "# HELP a_total Counts \"all\".\n# TYPE a_total counter\na_total{x=\"} 1\"} 3 1500\n\
            # HELP b B.\n# TYPE b gauge\nb 1\nc 2\n\
            # TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\nd_sum 2\nd_count 1\n";
        let two = "# HELP b B.\n# TYPE b gauge\nb{y=\"2\"} 2\n# TYPE e untyped\ne NaN\n# TYPE f counter\nf 1\n\
            # TYPE g_total counter\ng_total 1\n# TYPE g gauge\ng 2\n# HELP empty E.\n# TYPE empty gauge\n";
        assert_eq!(
            open_metrics([one, two]),
            "# TYPE a counter\n# HELP a Counts \\\"all\\\".\na_total{x=\"} 1\"} 3 1.500\n\
             # TYPE b gauge\n# HELP b B.\nb 1\nb{y=\"2\"} 2\n\
             # TYPE c unknown\nc 2\n\
             # TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\nd_sum 2\nd_count 1\n\
             # TYPE e unknown\ne NaN\n# TYPE f unknown\nf 1\n\
             # TYPE g_total unknown\ng_total 1\n# TYPE g gauge\ng 2\n# EOF\n"
        );
        assert_eq!(open_metrics([]), "# EOF\n");
    }
}
