//! `/status` and `/receivers`.

use axum::response::Response;

use super::answer::{self, Failure};
use super::query::Query;
use crate::Handle;
use crate::json;
use crate::matcher::all_match;

/// The Alertmanager that this speaks like; clients compare it with their own.
const VERSION: &str = "0.34.0";

pub(super) async fn receivers(handle: &Handle, query: &Query) -> Result<Response, Failure> {
    let owners = query.matchers("receiver_matchers")?;
    let plan = handle.ask(|glance| glance.alerter.plan()).await?;
    let mut out = Vec::new();
    let wanted = plan
        .receivers
        .iter()
        .filter(|it| all_match(&owners, &it.labels));
    json::list(&mut out, wanted, |out, receiver| {
        out.push(b'{');
        json::key(out, "labels");
        json::set(out, &receiver.labels);
        json::key(out, "name");
        json::text(out, &receiver.name);
        out.push(b'}');
    });
    Ok(answer::done(out))
}

pub(super) async fn status(handle: &Handle) -> Result<Response, Failure> {
    let plan = handle.ask(|glance| glance.alerter.plan()).await?;
    let mut out = b"{\"cluster\":{\"peers\":[],\"status\":\"disabled\"}".to_vec();
    json::key(&mut out, "config");
    out.push(b'{');
    json::key(&mut out, "original");
    json::text(&mut out, &plan.original);
    out.push(b'}');
    json::key(&mut out, "uptime");
    json::time(&mut out, handle.started_ms());
    json::key(&mut out, "versionInfo");
    out.push(b'{');
    for (name, value) in [
        ("branch", ""),
        ("buildDate", ""),
        ("buildUser", ""),
        ("goVersion", ""),
        ("revision", concat!("belfry ", env!("CARGO_PKG_VERSION"))),
        ("version", VERSION),
    ] {
        json::key(&mut out, name);
        json::text(&mut out, value);
    }
    out.extend_from_slice(b"}}");
    Ok(answer::done(out))
}
