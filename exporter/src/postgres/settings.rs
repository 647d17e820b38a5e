//! The server's settings as families: seconds and bytes instead of its units.

use std::collections::BTreeSet;

use exposition::Kind;

use super::rows::Rows;
use crate::pieces::Sheet;

/// Every setting that is a number or a switch; those that our connection set
/// for itself as they were before.
pub(super) const SQL: &str = "SELECT name,
      CASE WHEN source = 'session' THEN reset_val ELSE setting END AS setting,
      coalesce(unit, '') AS unit FROM pg_settings
    WHERE vartype IN ('bool', 'integer', 'real') ORDER BY name";

/// Writes one family for each setting.
pub(super) fn encode(rows: &Rows, sheet: &mut Sheet) {
    let mut seen = BTreeSet::new();
    for row in rows.iter() {
        let (Some(name), Some(setting)) = (row.get("name"), row.get("setting")) else {
            continue;
        };
        let Some((value, suffix)) = value(setting, row.get("unit").unwrap_or_default()) else {
            continue;
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let plain_name = name.replace(|letter| !plain(letter), "_");
        let family = format!("pg_settings_{plain_name}{suffix}");
        // Two settings of extensions may differ in a dot only.
        if seen.insert(family.clone()) {
            let help = format!("The setting {name}.");
            sheet.single(&family, &help, Kind::Gauge, value);
        }
    }
}

/// The value in base units, and what the name of its family ends in. A value
/// below zero means "off" or "automatic" and has no unit.
fn value(setting: &str, unit: &str) -> Option<(f64, &'static str)> {
    let number: f64 = match setting {
        "on" => 1.0,
        "off" => 0.0,
        text => text.parse().ok()?,
    };
    let (scale, suffix) = scale(unit)?;
    let value = if number < 0.0 { number } else { number * scale };
    Some((value, suffix))
}

fn scale(unit: &str) -> Option<(f64, &'static str)> {
    if unit.is_empty() {
        return Some((1.0, ""));
    }
    let kib = 1024.0;
    let (count, name) = unit.split_at(unit.find(|letter: char| !letter.is_ascii_digit())?);
    let count: f64 = if count.is_empty() {
        1.0
    } else {
        count.parse().ok()?
    };
    let (scale, suffix) = match name {
        "us" => (1e-6, "_seconds"),
        "ms" => (1e-3, "_seconds"),
        "s" => (1.0, "_seconds"),
        "min" => (60.0, "_seconds"),
        "h" => (3600.0, "_seconds"),
        "d" => (86_400.0, "_seconds"),
        "B" => (1.0, "_bytes"),
        "kB" => (kib, "_bytes"),
        "MB" => (kib * kib, "_bytes"),
        "GB" => (kib * kib * kib, "_bytes"),
        "TB" => (kib * kib * kib * kib, "_bytes"),
        _ => return None,
    };
    Some((count * scale, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_become_seconds_and_bytes() {
        for (setting, unit, wanted) in [
            ("100", "", Some((100.0, ""))),
            ("on", "", Some((1.0, ""))),
            ("off", "", Some((0.0, ""))),
            ("200", "ms", Some((0.2, "_seconds"))),
            ("5", "min", Some((300.0, "_seconds"))),
            ("16384", "8kB", Some((134_217_728.0, "_bytes"))),
            ("80", "MB", Some((83_886_080.0, "_bytes"))),
            ("-1", "kB", Some((-1.0, "_bytes"))),
            ("-1", "ms", Some((-1.0, "_seconds"))),
            ("1", "furlong", None),
            ("many", "", None),
        ] {
            assert_eq!(value(setting, unit), wanted, "{setting} {unit}");
        }
    }

    #[test]
    fn names_that_become_one_are_written_once() {
        let cell = |text: &str| Some(text.to_owned());
        let rows = Rows {
            names: vec!["name".into(), "setting".into(), "unit".into()],
            cells: vec![
                cell("a.b"),
                cell("1"),
                cell(""),
                cell("a_b"),
                cell("2"),
                cell(""),
            ],
        };
        let mut sheet = Sheet::new(&"".into());
        encode(&rows, &mut sheet);
        let page = crate::pieces::page(&[std::sync::Arc::new(sheet.finish())]);
        assert!(page.ends_with("pg_settings_a_b 1\n"), "{page}");
    }
}
