//! Labels that the configuration names: what no series can be labelled with is refused
//! where it stands, since a page with one such label is taken by nobody.

use std::collections::BTreeMap;

use exposition::LONGEST_VALUE;

/// A target or a heartbeat has no more labels of its own, beside [`MOST_MATCHED`] and
/// those that all have: a series with more than 64 is taken by nobody.
const MOST: usize = 40;
/// One step of a talk adds no more labels from what matched.
pub(crate) const MOST_MATCHED: usize = 16;
/// A label's name is no longer, in bytes.
const LONGEST_NAME: usize = 512;

/// What is wrong with labels where those that are `taken` are there already, as (what
/// stands behind the key of their owner, message).
pub(crate) fn faults(labels: &BTreeMap<String, String>, taken: &[&str]) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |key: String, message: String| faults.push((key, message));
    if labels.len() > MOST {
        fault(".labels".to_owned(), format!("more than {MOST} labels"));
    }
    for (name, value) in labels {
        if value.len() > LONGEST_VALUE {
            fault(format!(".labels.{name}"), too_long("a value"));
        }
        if let Some(message) = too_long_a_name(name) {
            fault(".labels".to_owned(), message);
        } else if !is_name(name) || taken.contains(&name.as_str()) {
            let message = format!("{name:?} cannot be a label here");
            fault(".labels".to_owned(), message);
        }
    }
    faults
}

/// Says so of a name that is too long, without it.
pub(crate) fn too_long_a_name(name: &str) -> Option<String> {
    let message = || format!("a label's name is longer than {LONGEST_NAME} bytes");
    (name.len() > LONGEST_NAME).then(message)
}

/// Says so of something that becomes a label's value.
pub(crate) fn too_long(what: &str) -> String {
    format!("{what} becomes a label and is no longer than {LONGEST_VALUE} bytes")
}

/// Whether a text can name a label.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    first
        && !text.starts_with("__")
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
