//! Samples on their way to a store of the same process, without a page in between.

/// Samples in the order of a page: how a page would spell each series, and its value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// All spellings, one behind the other.
    text: String,
    rows: Vec<Row>,
    /// What a page says of its families.
    pub(crate) families: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    /// Where its spelling ends; it begins where the one before ends.
    end: usize,
    value: f64,
}

impl Rows {
    /// Adds a sample, whose series `spell` writes behind what is there.
    pub(crate) fn push(&mut self, value: f64, spell: impl FnOnce(&mut String)) {
        spell(&mut self.text);
        let end = self.text.len();
        self.rows.push(Row { end, value });
    }

    /// The lines of a page that say what its families are.
    #[must_use]
    pub fn families(&self) -> &str {
        &self.families
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each series as a page spells it, everything before the value, and the value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        let mut begin = 0;
        self.rows.iter().map(move |row| {
            let key = &self.text[begin..row.end];
            begin = row.end;
            (key, row.value)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Spelled, Writer};

    #[test]
    fn rows_are_what_stands_on_the_page() {
        let write = |page: &mut Writer| {
            page.single("a", "A.", Kind::Gauge, f64::NAN);
            page.family("b", "B {b=\"c\"} 1", Kind::Histogram);
            page.spelled(
                "_bucket",
                &Spelled::new(&[("x", "1}\n"), ("y", "")]),
                &[("le", "0.1")],
                2.0,
            );
            page.suffixed("_sum", &[], 0.1 + 0.2);
            page.family("c", "C.", Kind::Counter);
        };
        let mut page = Writer::new();
        write(&mut page);
        let rows = Writer::rows(write);
        let (keys, values): (Vec<_>, Vec<_>) = rows.iter().unzip();
        assert_eq!(keys, ["a", r#"b_bucket{x="1}\n",le="0.1"}"#, "b_sum"]);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [2.0, 0.1 + 0.2]);
        assert_eq!(rows.len(), 3);
        let page = page.finish();
        let (said, lines): (Vec<_>, Vec<_>) = page.lines().partition(|line| line.starts_with('#'));
        let lines = lines.into_iter();
        assert!(lines.zip(keys).all(|(line, key)| line.starts_with(key)));
        assert_eq!(rows.families().lines().collect::<Vec<_>>(), said);
    }
}
