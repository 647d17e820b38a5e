//! A host to watch: an engine with twenty containers that have something to do, and a sink for mail.

use std::path::Path;

use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::sink::{Act, Sink};

/// Counts a little, writes a little, sleeps a second.
const WORK: &str = "trap 'exit 0' TERM; while :; do \
    i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; \
    echo $i >/tmp/written; sleep 1 & wait $!; done";

/// Networks here have room for a dozen containers.
const PROJECTS: [&str; 2] = ["shop", "blog"];
const EACH: usize = 10;

/// The engine with its containers, and the mail server.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) sink: Sink,
}

impl Host {
    /// Two compose projects with ten containers each, every one in its project's network.
    pub(crate) fn start() -> Self {
        let engine = Engine::start();
        engine.docker(&["tag", crate::support::engine::IMAGE, "bench/worker:1"]);
        for project in PROJECTS {
            engine.create_network(project);
            for number in 0..EACH {
                let service = format!("service-{number}");
                engine.run(
                    &Container::named(&format!("{project}-{service}-1"))
                        .image("bench/worker:1")
                        .compose(project, &service)
                        .network(project)
                        .option("--memory", "64m")
                        .option("--tmpfs", "/tmp:size=1m")
                        .script(WORK),
                );
            }
        }
        let sink = Sink::start(&[Act::Accept]);
        Self { engine, sink }
    }

    /// The names of the containers.
    pub(crate) fn containers() -> impl Iterator<Item = String> {
        PROJECTS
            .iter()
            .flat_map(|project| (0..EACH).map(move |n| format!("{project}-service-{n}-1")))
    }

    /// The configuration, with defaults for all but the places of things and `rest`.
    pub(crate) fn config(&self, rest: &str) -> String {
        format!(
            "host: bench\nexporter: {{engine: {:?}}}\n\
             mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none}}\n{rest}",
            self.engine.socket(),
            self.sink.port()
        )
    }

    /// A Belfry to start, of this binary.
    pub(crate) fn belfry(&self, binary: &Path, rest: &str) -> Launch {
        Launch::with(&self.config(rest)).binary(binary)
    }
}
