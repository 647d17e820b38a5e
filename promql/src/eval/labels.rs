//! `label_replace` and `label_join`.

use exposition::NAME;

use super::{Evaluator, Grid, Table};
use crate::error::{Error, SAME_LABELSET, execution};
use crate::syntax::{Call, Node, Text};

impl Evaluator<'_> {
    pub(super) fn label_replace(&mut self, call: &Call, grid: Grid) -> Result<Table, Error> {
        let (Some(replace), Some(pattern)) = (call.replace(), &call.pattern) else {
            return execution("label_replace() needs literal strings");
        };
        let pattern = match pattern {
            Ok(pattern) => pattern,
            Err(pattern) => {
                return execution(format!(
                    "invalid regular expression in label_replace(): {pattern}"
                ));
            }
        };
        let Some(target) = replace.target.as_name() else {
            let name = replace.target.lossy();
            return execution(format!(
                "invalid destination label name in label_replace(): {name}"
            ));
        };
        let source = replace.source.lossy();
        let mut table = self.table(&call.args[0], grid)?;
        let mut value = String::new();
        let groups = replace.replacement.matches('$').count();
        for row in &mut table.rows {
            let text = row.labels.get(&source);
            let Some(captures) = pattern.captures(text) else {
                continue;
            };
            // Nested calls could double a text two hundred times.
            let most = replace.replacement.len() + text.len().saturating_mul(groups);
            self.budget.take(most)?;
            value.clear();
            captures.expand(&replace.replacement, &mut value);
            row.labels = row.labels.edit().set(target, value.as_str()).build();
            // A name that was set is there to stay.
            row.nameless &= target != NAME;
        }
        table.merge(SAME_LABELSET)
    }

    pub(super) fn label_join(&mut self, args: &[Node], grid: Grid) -> Result<Table, Error> {
        let texts: Vec<&Text> = args[1..].iter().filter_map(Node::text).collect();
        let [target, separator, sources @ ..] = &texts[..] else {
            return execution("label_join() needs literal strings");
        };
        let Some(target) = target.as_name() else {
            let name = target.lossy();
            return execution(format!(
                "invalid destination label name in label_join(): {name}"
            ));
        };
        if let Some(source) = sources.iter().find(|source| source.as_name().is_none()) {
            let name = source.lossy();
            return execution(format!("invalid source label name in label_join(): {name}"));
        }
        let separator = separator.lossy();
        let mut table = self.table(&args[0], grid)?;
        for row in &mut table.rows {
            let values: Vec<&str> = sources
                .iter()
                .filter_map(|source| source.as_name())
                .map(|source| row.labels.get(source))
                .collect();
            let size: usize = values.iter().map(|value| value.len()).sum();
            self.budget.take(size + separator.len() * values.len())?;
            let value = values.join(&separator);
            row.labels = row.labels.edit().set(target, value).build();
            row.nameless &= target != NAME;
        }
        table.merge(SAME_LABELSET)
    }
}
