//! The page of figures, under Alertmanager's names.

use exposition::{Kind, Writer};

use super::Shared;
use crate::app;

/// All families.
pub(super) async fn page(shared: &Shared) -> String {
    let loaded = *shared.loaded();
    let mut page = Writer::new();
    let version = [
        ("version", "0.34.0"),
        ("revision", concat!("belfry ", env!("CARGO_PKG_VERSION"))),
        ("branch", ""),
        ("goversion", ""),
    ];
    page.family(
        "alertmanager_build_info",
        "The version that runs.",
        Kind::Gauge,
    )
    .sample(&version, 1.0);
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    for (name, help, value) in [
        (
            "alertmanager_config_hash",
            "Changes with the text of the configuration.",
            loaded.hash as f64,
        ),
        (
            "alertmanager_config_last_reload_successful",
            "Whether the configuration was taken when it was last read.",
            f64::from(u8::from(loaded.succeeded)),
        ),
        (
            "alertmanager_config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken.",
            seconds(loaded.succeeded_ms),
        ),
        (
            "alertmanager_cluster_enabled",
            "Whether it works with others.",
            0.0,
        ),
    ] {
        page.single(name, help, Kind::Gauge, value);
    }
    shared.notices.write_figures(&mut page);
    app::process_figures(&mut page, shared.started_ms);
    let mut text = page.finish();
    text.push_str(&shared.alerter.metrics().await.unwrap_or_default());
    text
}
