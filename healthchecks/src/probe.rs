//! Probes: looking at services from outside, under blackbox_exporter's names.
//!
//! A [`Module`] says how to look, in the grammar of `blackbox.yml`; [`run`] looks
//! once and returns what was measured and, if it failed, a [`Reason`] of a closed
//! set. A [`Board`] holds what is looked at, when it is due, and what came of it.
//! Every step has a deadline and every answer a bound; nothing here alerts.

mod aside;
mod board;
mod celery;
mod certificate;
mod command;
mod config;
pub mod discover;
mod disk;
mod dns;
mod docker;
mod domain;
mod grpc;
mod hash;
mod http;
mod icmp;
mod message;
mod module;
mod page;
mod pattern;
mod program;
mod reason;
mod resolve;
mod samples;
mod server;
mod stapled;
mod stream;
mod systemd;
mod talk;
mod tcp;
mod tls;
mod track;
mod trust;
mod verdict;
mod websocket;
pub mod wire;

use std::path::Path;
use std::time::Duration;

use exposition::{Spelled, Writer};
use tokio::time::Instant;

pub use aside::aside_in;
pub use board::{Board, Due};
pub use config::{Allowed, Config, Loaded, Site, Target};
pub use http::fetch;
pub use module::{Http, Module, Prober, Protocol, shipped};
pub use page::View;
pub use reason::{Failure, Reason};
pub use samples::Samples;
pub use track::Track;
pub use verdict::Verdict;

/// What one probe brought.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was measured.
    pub samples: Samples,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The page that `/probe` answers with.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = Writer::new();
        samples::write(&mut page, &[(&Spelled::default(), &self.samples)]);
        page.finish()
    }
}

impl Module {
    /// Whether it runs a program, writes somewhere, or reaches the sockets of this host, so that
    /// only the configuration may ask for it.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(
            self.prober,
            Prober::Command | Prober::Systemd | Prober::Celery | Prober::Docker
        )
    }

    /// Whether a look by it only sends, waits and reads: no patterns and no unpacking, which
    /// may keep a processor busy for long, and no handshake of TLS but one that a redirect
    /// leads to, of a millisecond.
    #[must_use]
    pub fn only_waits(&self, target: &str) -> bool {
        match self.prober {
            Prober::Http => self.http.only_waits(target),
            Prober::Tcp => !self.tcp.tls && self.tcp.query_response.is_empty(),
            Prober::Icmp => true,
            Prober::Redis => !self.server.tls,
            _ => false,
        }
    }

    /// Says where the certificate lies that should be served.
    pub fn compare_with(&mut self, certificate: &Path) {
        for tls in [
            &mut self.http.tls_config,
            &mut self.tcp.tls_config,
            &mut self.grpc.tls_config,
            &mut self.websocket.tls_config,
            &mut self.server.tls_config,
        ] {
            certificate.clone_into(&mut tls.certificate_on_disk);
        }
    }
}

/// Looks once. It ends within `timeout`, and a little.
pub async fn run(target: &str, module: &Module, timeout: Duration) -> Outcome {
    let began = Instant::now();
    let deadline = began + timeout;
    let mut samples = Samples::default();
    // A hundred probes at once are a hundred such futures.
    let looked = match module.prober {
        Prober::Http => Box::pin(http::probe(target, &module.http, deadline, &mut samples)).await,
        Prober::Tcp => Box::pin(tcp::probe(target, &module.tcp, deadline, &mut samples)).await,
        Prober::Dns => Box::pin(dns::probe(target, &module.dns, deadline, &mut samples)).await,
        Prober::Icmp => Box::pin(icmp::probe(target, &module.icmp, deadline, &mut samples)).await,
        Prober::Grpc => Box::pin(grpc::probe(target, &module.grpc, deadline, &mut samples)).await,
        Prober::Websocket => {
            Box::pin(websocket::probe(
                target,
                &module.websocket,
                deadline,
                &mut samples,
            ))
            .await
        }
        prober @ (Prober::Postgres | Prober::Redis | Prober::Smtp) => {
            Box::pin(server::probe(
                prober,
                target,
                &module.server,
                deadline,
                &mut samples,
            ))
            .await
        }
        prober => Box::pin(beside(prober, target, module, deadline, &mut samples)).await,
    };
    let took = began.elapsed();
    samples.flag("probe_success", looked.is_ok());
    samples.set("probe_duration_seconds", took.as_secs_f64());
    samples.set("probe_timeout_seconds", timeout.as_secs_f64());
    Outcome {
        samples,
        failure: looked.err(),
        took,
    }
}

/// The probers of what is no server of one protocol.
async fn beside(
    prober: Prober,
    target: &str,
    module: &Module,
    deadline: Instant,
    samples: &mut Samples,
) -> reason::Step<()> {
    match prober {
        Prober::Domain => domain::probe(target, &module.domain, deadline, samples).await,
        Prober::Celery => celery::probe(target, &module.celery, deadline, samples).await,
        Prober::Docker => docker::probe(target, &module.docker, deadline, samples).await,
        Prober::Systemd => systemd::probe(target, &module.systemd, deadline, samples).await,
        _ => command::probe(&module.command, deadline, samples).await,
    }
}
