//! Relabelling rules as a configuration file has them.

use regex::{Regex, RegexBuilder};
use settings::{Node, Reader, Value};

settings::section! {
    /// Rules that change, keep or drop label sets, in Prometheus' grammar.
    pub struct Relabel {
        /// The labels whose values are looked at.
        pub source_labels: Vec<String> = vec![],
        /// What stands between these values when they are joined.
        pub separator: String = ";".into(),
        /// What the joined values, or for labelmap, labeldrop and labelkeep the names, have to match as a whole.
        pub regex: Pattern = Pattern::default(),
        /// By what hashmod divides.
        pub modulus: u64 = 0,
        /// The label that is written.
        pub target_label: String = String::new(),
        /// What is written; `$1` stands for a group of the match.
        pub replacement: String = "$1".into(),
        /// What is done.
        pub action: Action = Action::Replace,
    }
}

settings::choice! {
    /// What a relabelling rule does.
    pub enum Action {
        /// Writes the replacement to the target label where the values match.
        Replace = "replace",
        /// Drops what does not match.
        Keep = "keep",
        /// Drops what matches.
        Drop = "drop",
        /// Drops what is not equal to the target label.
        KeepEqual = "keepequal",
        /// Drops what is equal to the target label.
        DropEqual = "dropequal",
        /// Writes a part of the values' hash.
        HashMod = "hashmod",
        /// Copies labels whose names match, under the replacement's name.
        LabelMap = "labelmap",
        /// Removes labels whose names match.
        LabelDrop = "labeldrop",
        /// Removes labels whose names do not match.
        LabelKeep = "labelkeep",
        /// Writes the values in small letters.
        Lowercase = "lowercase",
        /// Writes the values in capital letters.
        Uppercase = "uppercase",
    }
}

impl Relabel {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        use Action::{
            DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, Lowercase, Replace, Uppercase,
        };
        let action = self.action.as_str();
        let mut faults = Vec::new();
        let writes = matches!(
            self.action,
            Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual
        );
        if writes && self.target_label.is_empty() {
            faults.push(("action", format!("{action} needs a target_label")));
        }
        if self.action == HashMod && self.modulus == 0 {
            faults.push(("action", "hashmod needs a modulus".to_owned()));
        }
        let plain = Self::default();
        if matches!(self.action, KeepEqual | DropEqual)
            && (self.regex != plain.regex
                || self.separator != plain.separator
                || self.replacement != plain.replacement)
        {
            let message = format!("{action} takes only source_labels and target_label");
            faults.push(("action", message));
        }
        if matches!(self.action, LabelDrop | LabelKeep)
            && (!self.source_labels.is_empty() || !self.target_label.is_empty())
        {
            faults.push(("action", format!("{action} takes only regex")));
        }
        faults
    }
}

/// A regular expression in Go's spelling, which has to match the whole text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// The largest compiled pattern, in bytes.
const MOST_BYTES: usize = 1 << 20;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let spelt = re2::rust_regex(text).map_err(|err| err.to_string())?;
        let regex = RegexBuilder::new(&format!("^(?s:{spelt})$"))
            .size_limit(MOST_BYTES)
            .build()
            .map_err(|err| err.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Default for Pattern {
    fn default() -> Self {
        static ANY: std::sync::LazyLock<Option<Pattern>> =
            std::sync::LazyLock::new(|| Pattern::new("(.*)").ok());
        match &*ANY {
            Some(any) => any.clone(),
            None => unreachable!("a constant pattern is valid"),
        }
    }
}

impl Value for Pattern {
    fn kind() -> String {
        "regular expression".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::decode(node, reader)?;
        match Self::new(&text) {
            Ok(pattern) => Some(pattern),
            Err(err) => {
                reader.fault(&node.place, format!("bad regular expression: {err}"));
                None
            }
        }
    }

    fn show(&self) -> String {
        self.text.clone()
    }
}
