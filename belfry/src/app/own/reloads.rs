//! How reading the configuration again went, and what /probe was asked for in vain: under our
//! names, and under those by which rules made for blackbox_exporter ask.

use exposition::{Kind, Writer};

use crate::http;

/// Writes whether the last reload was applied, and when one last was.
pub(crate) fn write(page: &mut Writer, applied: bool, applied_ms: i64) {
    let applied = f64::from(u8::from(applied));
    let when = super::seconds(applied_ms);
    for program in ["belfry", "blackbox_exporter"] {
        page.single(
            &format!("{program}_config_last_reload_successful"),
            "Whether the last reload was applied.",
            Kind::Gauge,
            applied,
        );
        page.single(
            &format!("{program}_config_last_reload_success_timestamp_seconds"),
            "When a configuration was last applied.",
            Kind::Gauge,
            when,
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    page.single(
        "blackbox_module_unknown_total",
        "How often /probe was asked for a module that there is not.",
        Kind::Counter,
        http::unknown_modules() as f64,
    );
}
