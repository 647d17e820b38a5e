//! Rules that can never fire here, because nothing that is collected has what they read.

use promql::Engine;
use rules::Reads;
use serde_json::{Value, json};
use series::Store;

/// What had no sample for so long is not there, unless a rule looks back further.
const SPAN_MS: i64 = 3_600_000;

/// Which these are. To be asked where waiting is allowed: every selector is looked up.
pub(crate) fn page(reads: &Reads, store: &Store, engine: &Engine, now_ms: i64) -> Value {
    let found = reads.unmatched(store, engine, now_ms - SPAN_MS, now_ms);
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
