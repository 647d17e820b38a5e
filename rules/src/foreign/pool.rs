//! From what was found for a job to the targets that are scraped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exposition::LabelsBuilder;
use reqwest::Url;
use settings::{format_duration, parse_duration};

use super::discovery::{Dropped, Labels, Scrapes};
use super::tls::Reach;
use super::{Foreign, Job, Refused};
use crate::scrape::Origin;
use crate::{Target, relabel};

/// Adds the targets of one job. Two that come out the same are one.
pub(super) fn add(job: &Job, found: Vec<Labels>, every: Duration, out: &mut Scrapes) {
    let metric_relabel: Arc<[relabel::Relabel]> = job.metric_relabel_configs.as_slice().into();
    let reach = Reach::now(&job.tls_config, job.follow_redirects);
    let before = out.targets.len();
    for labels in found {
        let discovered = with_settings(job, labels, every);
        let mut builder = LabelsBuilder::default();
        for (name, value) in &discovered {
            builder.set(name.as_str(), value.as_str());
        }
        if !relabel::apply(&job.relabel_configs, &mut builder) {
            out.dropped.push(Dropped {
                pool: job.name().to_owned(),
                discovered,
            });
            continue;
        }
        match target(job, &discovered, &builder, (&metric_relabel, &reach)) {
            Ok(target) => {
                if !out.targets.iter().any(|had| had.is_same(&target)) {
                    out.targets.push(target);
                }
            }
            Err(fault) => {
                out.faults.push(format!("job {}: {fault}", job.name()));
            }
        }
    }
    let count = out.targets.len() - before;
    if job.target_limit > 0 && count > job.target_limit {
        // As Prometheus has it, in its words: all of them fail, so that it is noticed.
        let limit = job.target_limit;
        let fault = format!("target_limit exceeded (number of targets: {count}, limit: {limit})");
        for target in &mut out.targets[before..] {
            target.fault = Some(Refused(fault.clone()));
        }
        out.faults.push(format!("job {}: {fault}", job.name()));
    }
}

/// What was found together with what the job says, as relabelling sees it.
fn with_settings(job: &Job, mut labels: Labels, every: Duration) -> Labels {
    let every = job.every(every);
    let mut add = |name: &str, value: String| {
        let slot = labels.entry(name.to_owned()).or_default();
        if slot.is_empty() {
            *slot = value;
        }
    };
    add("job", job.name().to_owned());
    add("__scheme__", job.scheme.as_str().to_owned());
    add("__metrics_path__", job.metrics_path().to_owned());
    add("__scrape_interval__", format_duration(every));
    add("__scrape_timeout__", format_duration(job.patience(every)));
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            add(&format!("__param_{name}"), first.clone());
        }
    }
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// A target from its labels behind relabelling.
fn target(
    job: &Job,
    discovered: &Labels,
    labels: &LabelsBuilder,
    (metric_relabel, reach): (&Arc<[relabel::Relabel]>, &Reach),
) -> Result<Foreign, String> {
    let address = labels.get("__address__");
    if address.is_empty() {
        return Err("a target has no address".into());
    }
    let url = url(job, labels)?;
    let time = |name: &str| {
        let text = labels.get(name);
        parse_duration(text)
            .filter(|time| !time.is_zero())
            .ok_or_else(|| format!("{address}: {name} is not a duration: {text:?}"))
    };
    let (every, timeout) = (time("__scrape_interval__")?, time("__scrape_timeout__")?);
    if timeout > every {
        return Err(format!(
            "{address}: the timeout is longer than the interval: {} and {}",
            format_duration(timeout),
            format_duration(every)
        ));
    }
    let mut own: BTreeMap<String, String> = labels
        .build()
        .iter()
        .filter(|(name, _)| !name.starts_with("__"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let instance = own.remove("instance").unwrap_or_else(|| address.to_owned());
    Ok(Foreign {
        target: Target {
            job: own.remove("job").unwrap_or_default(),
            instance,
            labels: own,
            honor_labels: job.honor_labels,
            honor_timestamps: job.honor_timestamps,
            track_timestamps_staleness: job.track_timestamps_staleness,
            relabel: Arc::clone(metric_relabel),
            limits: job.limits(),
            origin: Some(Arc::new(Origin {
                pool: job.name().to_owned(),
                url: url.clone(),
                discovered: discovered.clone(),
                every,
                timeout,
            })),
        },
        url,
        every,
        timeout,
        fault: None,
        asking: job.asking(),
        reach: reach.clone(),
    })
}

fn url(job: &Job, labels: &LabelsBuilder) -> Result<String, String> {
    let address = labels.get("__address__");
    let scheme = labels.get("__scheme__");
    if !matches!(scheme, "http" | "https") {
        return Err(format!("{address}: {scheme:?} is neither http nor https"));
    }
    if address.contains('/') {
        return Err(format!("{address:?} is no host and port"));
    }
    let mut url = Url::parse(&format!("{scheme}://{address}"))
        .map_err(|err| format!("{address:?} is no host and port: {err}"))?;
    url.set_path(labels.get("__metrics_path__"));
    let mut params = job.params.clone();
    for (name, value) in labels.build().iter() {
        let Some(name) = name.strip_prefix("__param_") else {
            continue;
        };
        // Relabelling sees and changes the first value only.
        let values = params.entry(name.to_owned()).or_default();
        values.splice(..values.len().min(1), [value.to_owned()]);
    }
    if params.values().any(|values| !values.is_empty()) {
        let mut query = url.query_pairs_mut();
        for (name, values) in &params {
            for value in values {
                query.append_pair(name, value);
            }
        }
    }
    Ok(url.into())
}
