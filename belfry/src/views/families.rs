//! Types and texts of the families of a page, as Prometheus' API tells them.

use std::collections::BTreeMap;

use exposition::{Entry, Format, Labels};
use query_api::Metadata;

/// What a page of a target says of its families.
pub(crate) fn families(format: Format, page: &str, job: &str, instance: &str) -> Vec<Metadata> {
    let target = Labels::from_pairs([("job", job), ("instance", instance)]);
    let mut families: BTreeMap<&str, Metadata> = BTreeMap::new();
    let said = page.split('\n').filter(|line| line.starts_with('#'));
    for entry in said.filter_map(|line| format.line(line).ok().flatten()) {
        let name = match entry {
            Entry::Help(name, _) | Entry::Type(name, _) | Entry::Unit(name, _) => name,
            Entry::Sample(_) => continue,
        };
        let family = families.entry(name).or_insert_with(|| Metadata {
            target: target.clone(),
            family: name.to_owned(),
            kind: "unknown",
            help: String::new(),
            unit: String::new(),
        });
        match entry {
            Entry::Help(_, help) => family.help = help,
            Entry::Unit(_, unit) => unit.clone_into(&mut family.unit),
            Entry::Type(_, exposition::Kind::Untyped) | Entry::Sample(_) => {}
            Entry::Type(_, kind) => family.kind = kind.as_str(),
        }
    }
    families.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_tell_type_help_and_unit() {
        let text = "# HELP a_total It's so.\n# TYPE a_total counter\na_total 1\n# TYPE b untyped\n";
        let open = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n";
        let told = |format, page| -> Vec<(String, &str, String, String)> {
            families(format, page, "j", "i")
                .into_iter()
                .map(|one| (one.family, one.kind, one.help, one.unit))
                .collect()
        };
        let own = str::to_owned;
        assert_eq!(
            told(Format::Text, text),
            [
                (own("a_total"), "counter", own("It's so."), String::new()),
                (own("b"), "unknown", String::new(), String::new()),
            ]
        );
        assert_eq!(
            told(Format::OpenMetrics, open),
            [(own("a_seconds"), "gauge", String::new(), own("seconds"))]
        );
    }
}
