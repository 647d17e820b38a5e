//! What there is: series, label names, label values.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use exposition::Labels;

use crate::answer::{Answer, Notes};
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::{json, selectors, times};

/// `/series`: label sets.
pub(crate) fn series(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    if ask.form.all("match[]").next().is_none() {
        return Err(Failure::BadData("no match[] parameter provided".into()));
    }
    let limit = times::limit(&ask.form)?;
    let (from, to, _) = times::bounds(&ask.form)?;
    let mut found: Vec<Labels> = Vec::new();
    let refused = |what| Failure::parameter("match[]", what);
    let sets = selectors::each(ask, refused, |matchers| {
        found.append(&mut api.source.store.series_history(matchers, from, to));
    })?;
    if sets > 1 {
        found.sort_unstable();
        found.dedup();
    }
    let mut notes = Notes::default();
    if found.len() > limit {
        found.truncate(limit);
        notes.truncated();
    }
    let write = |out: &mut Vec<u8>, labels: Labels| json::labels(out, &labels);
    Ok(Answer::rows(b"[", found.into_iter(), write, b"]", &notes))
}

/// `/labels`: label names.
pub(crate) fn names(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    list(api, ask, None)
}

/// `/label/{name}/values`: the values of one label.
pub(crate) fn values(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let name = unescape(&ask.name);
    if name.is_empty() {
        return Err(Failure::BadData(format!("invalid label name: {name:?}")));
    }
    list(api, ask, Some(&name))
}

/// Names, or the values of a label.
fn list(api: &Api, ask: &Ask, label: Option<&str>) -> Result<Answer, Failure> {
    let limit = times::limit(&ask.form)?;
    let (from, to, bounded) = times::bounds(&ask.form)?;
    let store = &api.source.store;
    let mut found: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut look = |matchers: &[series::Matcher]| {
        // Only with a stated time do samples need to be looked at.
        if bounded {
            let series = store.series_history(matchers, from, to);
            found.extend(shared(&series, label));
        } else if let Some(label) = label {
            found.extend(store.values(label, matchers));
        } else {
            found.extend(store.labels(matchers));
        }
    };
    if selectors::each(ask, Failure::BadData, &mut look)? == 0 {
        look(&[]);
    }
    let mut notes = Notes::default();
    if found.len() > limit {
        notes.truncated();
    }
    let rows = found.into_iter().take(limit);
    let write = |out: &mut Vec<u8>, text: Arc<str>| json::string(out, &text);
    Ok(Answer::rows(b"[", rows, write, b"]", &notes))
}

/// Names or values of these series. Series share their labels, so most are
/// told apart by where they are.
fn shared(series: &[Labels], label: Option<&str>) -> BTreeSet<Arc<str>> {
    let mut seen = HashSet::new();
    let labels = series.iter().flat_map(Labels::shared);
    let texts = labels
        .filter(|one| label.is_none_or(|label| one.name() == label))
        .filter(|one| seen.insert(one.address()))
        .map(|one| label.map_or_else(|| one.name(), |_| one.value()));
    let texts: BTreeSet<&str> = texts.collect();
    texts.into_iter().map(Arc::from).collect()
}

/// `U__a_2e_b` is `a.b`: names outside the old alphabet, as addresses can spell
/// them. Whatever is not spelled so is itself.
fn unescape(name: &str) -> String {
    let decode = || {
        let mut rest = name.strip_prefix("U__")?;
        let mut out = String::new();
        while let Some((plain, behind)) = rest.split_once('_') {
            out.push_str(plain);
            if let Some(behind) = behind.strip_prefix('_') {
                out.push('_');
                rest = behind;
                continue;
            }
            let (code, behind) = behind.split_once('_')?;
            out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
            rest = behind;
        }
        out.push_str(rest);
        Some(out)
    };
    decode().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__a_2e_b", "a.b"),
            ("U__a__b", "a_b"),
            ("U__snow_2603_", "snow\u{2603}"),
            ("U__a_b", "U__a_b"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__", ""),
        ] {
            assert_eq!(unescape(escaped), name, "{escaped}");
        }
    }
}
