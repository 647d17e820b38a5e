//! Rules that can never fire here, because nothing that is collected has what they read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Watch;

/// What had no sample for so long is not there, unless a rule looks back further.
const SPAN_MS: i64 = 3_600_000;

/// Which these are. To be asked where waiting is allowed: every selector is looked up.
pub(crate) fn page(watch: &Arc<Watch>) -> Value {
    let (reads, now_ms) = {
        let rules = watch.rules();
        (rules.reads(), watch.clock.now_ms())
    };
    let found = reads.unmatched(&watch.store, &watch.engine(), now_ms - SPAN_MS, now_ms);
    let found: Vec<_> = found
        .iter()
        .map(|one| {
            json!({
                "file": &*one.file,
                "group": one.group,
                "rule": one.rule,
                "missing": one.missing,
            })
        })
        .collect();
    json!({ "rules": reads.rules(), "unmatched": found })
}
