//! Pages that both scrape, in our case by the code that Belfry scrapes with.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use rules::{Clients, Discovery, Intake, PrometheusFile};
use series::Store;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;

/// Phases of the page without times.
const PHASES: usize = 10;
/// In these the page fails: with a status, and with a line that breaks off.
const FAILING: [usize; 2] = [2, 5];

/// What one of the two is told.
type Answer = (StatusCode, String);

#[derive(Default)]
struct Told {
    /// With times, each told once to each of the two.
    timed: Vec<String>,
    told: [usize; 2],
    /// Without, told as often as they ask.
    live: Option<Answer>,
    seen: [usize; 2],
}

/// What is served.
#[derive(Clone)]
pub(super) struct Pages {
    address: String,
    state: Arc<Mutex<Told>>,
}

pub(super) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_millis() as i64
}

impl Pages {
    /// Serves these one after the other at `/timed`, and what the phases say at `/live`.
    pub(super) async fn serve(timed: Vec<String>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Told {
            timed,
            ..Told::default()
        };
        let pages = Self {
            address: listener.local_addr().unwrap().to_string(),
            state: Arc::new(Mutex::new(state)),
        };
        let router = Router::new().route("/{page}", get(answer));
        let router = router.with_state(pages.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        pages
    }

    /// How both scrape them: without `job` and `instance`, as what is sent.
    pub(super) fn config(&self) -> String {
        let job = |page: &str| {
            format!(
                "- job_name: {page}\n  metrics_path: /{page}\n  static_configs: [{{targets: ['{}']}}]\n  \
                 metric_relabel_configs: [{{regex: job|instance, action: labeldrop}}]\n",
                self.address
            )
        };
        format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1m}}\n\
             scrape_configs:\n{}{}",
            job("timed"),
            job("live")
        )
    }

    /// Tells all pages; returns a time within each phase of the one without times,
    /// and whether that one is in order then.
    pub(super) async fn phases(&self, chance: &mut Chance) -> Vec<(i64, bool)> {
        let mut times = Vec::new();
        for phase in 0..PHASES {
            {
                let mut state = self.state.lock().unwrap();
                state.live = Some(live(phase, chance));
                state.seen = [0, 0];
            }
            // The first has been taken in when the second is asked for.
            self.until(|state| state.seen.iter().all(|seen| *seen >= 2))
                .await;
            times.push((now_ms(), !FAILING.contains(&phase)));
            // What was asked for before that time has been answered when the next is.
            self.until(|state| state.seen.iter().all(|seen| *seen >= 4))
                .await;
        }
        self.until(|state| state.told.iter().all(|told| *told > state.timed.len() + 1))
            .await;
        times
    }

    async fn until(&self, holds: impl Fn(&Told) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !holds(&self.state.lock().unwrap()) {
            assert!(Instant::now() < deadline, "the pages are not scraped");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn answer(
    State(pages): State<Pages>,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let agent = headers.get("user-agent").map(|agent| agent.as_bytes());
    let whose = usize::from(agent.is_some_and(|agent| agent.starts_with(b"Prometheus/")));
    let mut state = pages.state.lock().unwrap();
    if page == "live" {
        state.seen[whose] += 1;
        return state.live.clone().unwrap_or_default();
    }
    let at = state.told[whose];
    state.told[whose] += 1;
    (
        StatusCode::OK,
        state.timed.get(at).cloned().unwrap_or_default(),
    )
}

/// A page of a phase: some of the series, or a failure of some kind.
fn live(phase: usize, chance: &mut Chance) -> Answer {
    let mut page = String::new();
    for name in ["live", "live_total"] {
        for (a, b) in [
            ("1", "x"),
            ("1", "y"),
            ("2", "x"),
            ("2", "y"),
            ("3", "x"),
            ("3", ""),
        ] {
            if chance.percent(30) {
                continue;
            }
            let number = chance.below(40) as f64 / 4.0 - 3.0;
            let value = chance.of(&[number, number, number, number, f64::NAN, f64::INFINITY]);
            let value = exposition::format_value(value);
            page += &format!("{name}{{a=\"{a}\",b=\"{b}\"}} {value}\n");
            if chance.percent(10) {
                // The first of two counts.
                page += &format!("{name}{{a=\"{a}\",b=\"{b}\"}} 77\n");
            }
        }
    }
    match phase {
        2 => (StatusCode::INTERNAL_SERVER_ERROR, page),
        // In front: of a page that breaks later 2.42 does not end what stands before.
        5 => (StatusCode::OK, format!("live{{a=\"1\n{page}")),
        7 => (StatusCode::OK, String::new()),
        _ => (StatusCode::OK, page),
    }
}

/// Scrapes them into a store as this configuration says, until told to stop.
pub(super) fn scrape(config: &str, store: Arc<Store>, stop: &CancellationToken) {
    let read = PrometheusFile::read("prometheus.yml".as_ref(), config, &|_| None);
    let file = read.unwrap_or_else(|faults| panic!("{faults:?}"));
    let found = Discovery::default().look(&file.jobs, &[], file.scrape_interval, false);
    assert_eq!((found.targets.len(), found.faults.len()), (2, 0));
    let clients = Clients::default();
    for target in found.targets {
        let client = clients.of(&target);
        let (store, stop) = (Arc::clone(&store), stop.clone());
        tokio::spawn(async move {
            let mut intake = Intake::new(target.target.clone());
            let take = |page: Result<&rules::Fetched, &str>, took: Duration| {
                intake.take(page, now_ms() - took.as_millis() as i64, took, &store);
            };
            target.run(&client, now_ms(), &stop, take).await;
        });
    }
}
