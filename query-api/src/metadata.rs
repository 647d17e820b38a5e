//! What metrics mean: type, help and unit of each family.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::targets::Map;
use crate::{Metadata, selectors};

#[derive(Serialize, PartialEq)]
struct Meaning<'a> {
    r#type: &'a str,
    help: &'a str,
    unit: &'a str,
}

impl<'a> From<&'a Metadata> for Meaning<'a> {
    fn from(metadata: &'a Metadata) -> Self {
        Self {
            r#type: metadata.kind,
            help: &metadata.help,
            unit: &metadata.unit,
        }
    }
}

/// A limit that may be absent or negative, which is no limit.
fn limit(ask: &Ask, name: &str) -> Result<Option<usize>, Failure> {
    let text = ask.form.get(name);
    if text.is_empty() {
        return Ok(None);
    }
    let number: i64 = text
        .parse()
        .map_err(|_| Failure::BadData(format!("{name} must be a number")))?;
    Ok(usize::try_from(number).ok())
}

/// `/metadata`: by family, whatever its targets say.
pub(crate) fn families(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let most = limit(ask, "limit")?.unwrap_or(usize::MAX);
    let most_each = limit(ask, "limit_per_metric")?.filter(|limit| *limit > 0);
    let metric = ask.form.get("metric");
    let metadata = (api.source.metadata)();
    let mut families: BTreeMap<&str, Vec<Meaning<'_>>> = BTreeMap::new();
    for one in &metadata {
        if !metric.is_empty() && one.family != metric {
            continue;
        }
        if !families.contains_key(&*one.family) && families.len() >= most {
            continue;
        }
        let meanings = families.entry(&one.family).or_default();
        let meaning = Meaning::from(one);
        if !meanings.contains(&meaning) && meanings.len() < most_each.unwrap_or(usize::MAX) {
            meanings.push(meaning);
        }
    }
    Answer::json(&families)
}

#[derive(Serialize)]
struct Told<'a> {
    target: Map<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<&'a str>,
    #[serde(flatten)]
    meaning: Meaning<'a>,
}

/// `/targets/metadata`: as each target says it.
pub(crate) fn by_target(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let most = limit(ask, "limit")?.unwrap_or(usize::MAX);
    let metric = ask.form.get("metric");
    let matchers = match ask.form.get("match_target") {
        "" => Vec::new(),
        text => selectors::selector(text).map_err(|err| Failure::parameter("match_target", err))?,
    };
    let metadata = (api.source.metadata)();
    let wanted = metadata
        .iter()
        .filter(|one| metric.is_empty() || one.family == metric)
        .filter(|one| matchers.iter().all(|matcher| matcher.matches(&one.target)));
    let told: Vec<_> = wanted
        .take(most)
        .map(|one| Told {
            target: Map(&one.target),
            metric: metric.is_empty().then_some(&one.family),
            meaning: one.into(),
        })
        .collect();
    Answer::json(&told)
}
