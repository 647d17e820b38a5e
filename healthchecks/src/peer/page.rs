//! Peers as samples.

use exposition::{Kind, Writer};

use super::{Config, Peers, Verdict, View};

impl Peers {
    /// Adds the samples to a page.
    pub fn write(&self, me: &str, config: &Config, now_ms: i64, page: &mut Writer) {
        let views = self.views(me, config, now_ms);
        if views.is_empty() || !self.were_asked(config) {
            return;
        }
        type Value = fn(&View) -> bool;
        let families: [(&str, &str, Value); 4] = [
            ("belfry_peer_up", "Whether the peer answers.", |view| {
                view.verdict == Verdict::Up
            }),
            (
                "belfry_peer_dead",
                "1 when nobody sees the peer, and this one is to say so.",
                |view| view.ours,
            ),
            (
                "belfry_peer_link_cut",
                "1 when the peer is not seen from here, and others see it.",
                |view| view.verdict == Verdict::Cut,
            ),
            (
                "belfry_peer_isolated",
                "1 when no peer is seen from here at all.",
                |view| view.verdict == Verdict::Isolated,
            ),
        ];
        for (name, help, value) in families {
            page.family(name, help, Kind::Gauge);
            for view in views.iter().filter(|view| view.verdict != Verdict::New) {
                page.sample(&[("peer", &view.name)], f64::from(u8::from(value(view))));
            }
        }
        page.family(
            "belfry_peer_last_answer_timestamp_seconds",
            "When the peer last answered.",
            Kind::Gauge,
        );
        for view in &views {
            if let Some(answered_ms) = view.answered_ms {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
                page.sample(&[("peer", &view.name)], answered_ms as f64 / 1e3);
            }
        }
        page.family(
            "belfry_peer_last_state_info",
            "How the peer was when it last answered.",
            Kind::Gauge,
        );
        for view in views.iter().filter(|view| view.answered_ms.is_some()) {
            let ready = if view.standing.ready {
                "ready"
            } else {
                "not ready"
            };
            let firing = view.standing.words();
            let labels = [
                ("firing", &*firing),
                ("peer", &*view.name),
                ("ready", ready),
            ];
            page.sample(&labels, 1.0);
        }
    }
}
