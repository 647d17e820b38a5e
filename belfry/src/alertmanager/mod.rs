//! `belfry alertmanager`: the alerter alone, under Alertmanager's flags and with
//! its configuration file, beside a Prometheus that is there already.
//!
//! [`Alone::start`] is the wiring. Nothing here watches or evaluates anything. What
//! people and programs ask beyond Alertmanager's API, and the summaries of what was
//! held back, are those of the whole Belfry ([`app::Desk`], [`app::Notices`]).

mod configuration;
mod flags;
mod metrics;
mod page;
mod router;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alerter::{Alerter, Parts, Rendered};
use anyhow::Context as _;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use flags::Flags;

use crate::daemon::{self, Signals};
use crate::exit::{self, Exit};
use crate::state::State;
use crate::web::{self, Door};
use crate::{app, http, log, out};
use configuration::Source;

/// How long mails under way may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Runs until a signal ends it.
pub(crate) fn run(flags: &Flags) -> Exit {
    let refused = |reason: &dyn std::fmt::Display| {
        out::error(format_args!("{reason}"));
        exit::USAGE
    };
    if let Err(reason) = flags.refusal() {
        return refused(&reason);
    }
    let door = match web::door(flags.web_config.as_deref()) {
        Ok(door) => door,
        Err(reason) => return refused(&reason),
    };
    let source = match Source::read(flags) {
        Ok(source) => source,
        Err(reason) => return refused(&reason),
    };
    let log = log::start(flags.level(), flags.log_format);
    daemon::run(&log, 16, serve(flags, source, door))
}

async fn serve(flags: &Flags, source: Source, door: Option<Arc<Door>>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let scheme = web::scheme(door.as_ref());
    let mut alone = Alone::start(flags, source, door).await?;
    for note in flags.notes() {
        tracing::info!("{note}");
    }
    for address in &alone.addresses {
        out::line(format_args!("alertmanager listens on {scheme}://{address}"));
    }
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                // What was refused is logged where it is found.
                let shared = Arc::clone(&alone.shared);
                tokio::spawn(async move { shared.reload().await });
            }
            () = alone.shared.alerter.ended() => anyhow::bail!("the alerter has ended by itself"),
            Some(ended) = alone.servers.join_next() => {
                ended.context("a server failed")??;
                anyhow::bail!("a server has ended by itself");
            }
        }
    }
    alone.stop().await;
    Ok(())
}

/// What the requests share.
pub(crate) struct Shared {
    alerter: alerter::Handle,
    flags: Flags,
    external_url: String,
    started_ms: i64,
    loaded: Mutex<Loaded>,
    desk: Arc<app::Desk>,
    notices: Arc<app::Notices>,
    /// Which mails besides messages are wanted.
    wants: Arc<Mutex<app::Wants>>,
    /// Whether all listeners are on the loopback interface.
    loopback: bool,
}

/// How the last reading of the file went.
#[derive(Debug, Clone, Copy)]
struct Loaded {
    succeeded: bool,
    succeeded_ms: i64,
    hash: u64,
}

struct Alone {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    servers: JoinSet<anyhow::Result<&'static str>>,
    stop: CancellationToken,
    /// Holds the folder.
    _state: State,
}

impl Alone {
    async fn start(flags: &Flags, source: Source, door: Option<Arc<Door>>) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for address in flags.addresses() {
            listeners.push(listen(&address).await?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr);
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let state = State::open(&flags.storage_path).await?;
        if let Some(reason) = &state.in_memory {
            tracing::error!(
                "the storage path cannot be used, so a restart will forget everything: {reason}"
            );
        }
        let external_url = flags.external_url(addresses.first(), web::scheme(door.as_ref()));
        let now_ms = now_ms();
        let wants = Arc::new(Mutex::new(app::Wants::alone(&source.config)));
        let key = state
            .key()
            .context("cannot make a key for links in messages")?;
        let tickets = Arc::new(app::Tickets::new(&key));
        let alerter = Alerter::start(Parts {
            config: source.config,
            mail: alerter::Mail::default(),
            external_url: external_url.clone(),
            pool: state.pool.clone(),
            // Every mail has a template here.
            render: Arc::new(|_| Rendered {
                subject: String::new(),
                text: String::new(),
                html: String::new(),
            }),
            clock: Arc::new(self::now_ms),
            ack_link: Some(tickets.links()),
        });
        let alerter = Box::pin(alerter)
            .await
            .context("cannot start the alerter")?;
        let desk = app::Desk::alone(alerter.clone(), tickets, self::now_ms, site());
        let of = Arc::clone(&wants);
        let wanted = move || *of.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = app::Notices::alone(Arc::clone(&desk), state.pool.clone(), wanted);
        let notices = Arc::new(notices);
        let shared = Arc::new(Shared {
            desk,
            notices: Arc::clone(&notices),
            wants,
            loopback: addresses.iter().all(|it| it.ip().is_loopback()),
            alerter,
            flags: flags.clone(),
            external_url,
            started_ms: now_ms,
            loaded: Mutex::new(Loaded {
                succeeded: true,
                succeeded_ms: now_ms,
                hash: source.hash,
            }),
        });
        // Not before: who reads it finds somebody there.
        if let (Some(folder), Some(address)) = (&state.folder, addresses.first())
            && let Err(err) = folder.write_place(*address, &flags.prefix(&shared.external_url))
        {
            tracing::warn!("cannot write down the address: {err}");
        }
        let stop = CancellationToken::new();
        let mut servers = JoinSet::new();
        let told = stop.clone();
        servers.spawn(async move {
            notices.run(told).await;
            Ok("notices")
        });
        let router = router::router(&shared);
        for listener in listeners {
            let (router, door) = (router.clone(), door.clone());
            servers.spawn(http::serve(listener, router, door, stop.clone()));
        }
        Ok(Self {
            shared,
            addresses,
            servers,
            stop,
            _state: state,
        })
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.shared.alerter.stop(GRACE).await;
        // Clients that do not go away are cut off.
        let drained = async { while self.servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, drained).await;
    }
}

impl Shared {
    /// Reads the file again. A faulty one changes nothing.
    async fn reload(&self) -> Result<(), String> {
        let result = self.try_reload().await;
        let mut loaded = self.loaded();
        loaded.succeeded = result.is_ok();
        match result {
            Ok(hash) => {
                loaded.hash = hash;
                loaded.succeeded_ms = now_ms();
                tracing::info!("another configuration is in force");
                Ok(())
            }
            Err(reason) => {
                tracing::error!("the configuration is refused, the old one stays: {reason}");
                Err(reason)
            }
        }
    }

    async fn try_reload(&self) -> Result<u64, String> {
        let flags = self.flags.clone();
        let read = tokio::task::spawn_blocking(move || Source::read(&flags)).await;
        let source = read.map_err(|err| err.to_string())??;
        let mail = alerter::Mail::default();
        let reloaded = self.alerter.reload(&source.config, &mail).await;
        reloaded.map_err(|err| err.to_string())?;
        let wants = app::Wants::alone(&source.config);
        *self.wants.lock().unwrap_or_else(PoisonError::into_inner) = wants;
        Ok(source.hash)
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens on an address, or on what it means where that cannot be.
async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let mut listener = TcpListener::bind(address).await;
    if let Err(err) = &listener
        && let Some(instead) = without_ipv6(address, err)
    {
        listener = TcpListener::bind(instead).await;
    }
    listener.with_context(|| format!("cannot listen on {address}"))
}

/// What `[::]`, any address of this host, is where the kernel knows no IPv6.
fn without_ipv6(address: &str, err: &io::Error) -> Option<String> {
    let port = address.strip_prefix("[::]:")?;
    let unknown = err.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error());
    unknown.then(|| format!("0.0.0.0:{port}"))
}

/// This host, and its time zone: there is no file of our own that names others.
fn site() -> app::Site {
    let name = rustix::system::uname();
    app::Site {
        host: name.nodename().to_string_lossy().into_owned(),
        zone: jiff::tz::TimeZone::system(),
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_is_one_of_ipv4_only_where_the_kernel_knows_no_other() {
        let unknown = io::Error::from(Errno::AFNOSUPPORT);
        let taken = io::Error::from(Errno::ADDRINUSE);
        for (address, err, instead) in [
            ("[::]:9093", &unknown, Some("0.0.0.0:9093")),
            ("[::]:9093", &taken, None),
            ("[::1]:9093", &unknown, None),
            ("127.0.0.1:9093", &unknown, None),
        ] {
            assert_eq!(without_ipv6(address, err).as_deref(), instead, "{address}");
        }
    }
}
