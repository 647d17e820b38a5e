//! An application behind Caddy that fails, is slow, refuses, and is asked no more.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use super::{Watched, quick};
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::claim::{self, Claim};
use crate::support::http;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;

/// An application that answers with the status that it is asked for; /slow takes its time.
fn application() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]);
                let path = request.split(' ').nth(1).unwrap_or_default();
                let mut status = path.trim_start_matches('/');
                if status == "slow" {
                    thread::sleep(Duration::from_secs(6));
                    status = "200";
                }
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                );
            });
        }
    });
    port
}

/// Caddy in front of it.
struct Proxy {
    _process: Process,
    site: Claim,
    admin: Claim,
    _folder: Scratch,
}

impl Proxy {
    fn start() -> Self {
        let folder = Scratch::new();
        let (site, admin) = (claim::port(), claim::port());
        let text = format!(
            "{{\n admin 127.0.0.1:{}\n auto_https off\n servers {{\n metrics\n }}\n}}\n\
             http://127.0.0.1:{} {{\n reverse_proxy 127.0.0.1:{}\n}}\n",
            admin.number,
            site.number,
            application()
        );
        let file = folder.file("Caddyfile", &text);
        let mut command = Command::new(program::find("caddy", "caddy"));
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(file)
            .env("XDG_DATA_HOME", &folder.path)
            .env("XDG_CONFIG_HOME", &folder.path);
        let mut process = Process::spawn("caddy", &mut command, &folder.path.join("log"));
        let address = format!("127.0.0.1:{}", site.number);
        process.ready("caddy should serve", || http::get(&address, "/200").ok());
        Self {
            _process: process,
            site,
            admin,
            _folder: folder,
        }
    }
}

/// What users ask for; 0 is nothing.
fn users(address: &str, count: usize) -> Arc<AtomicU16> {
    let wanted = Arc::new(AtomicU16::new(0));
    for at in 0..count {
        let (wanted, address) = (Arc::clone(&wanted), address.to_owned());
        // Until the test's process ends.
        thread::spawn(move || {
            let mut slowed = false;
            loop {
                let slow = wanted.load(Ordering::Relaxed) == 1;
                if slow && !std::mem::replace(&mut slowed, slow) {
                    // Not all in step, so that in each moment some are answered.
                    thread::sleep(Duration::from_millis(750) * u32::try_from(at).unwrap_or(0));
                }
                let path = match wanted.load(Ordering::Relaxed) {
                    0 => String::new(),
                    1 => "/slow".to_owned(),
                    status => format!("/{status}"),
                };
                if !path.is_empty() {
                    let _ = http::get(&address, &path);
                }
                thread::sleep(Duration::from_millis(200));
            }
        });
    }
    wanted
}

#[test]
fn rules_about_what_is_served_fire_from_caddys_own_metrics() {
    let proxy = Proxy::start();
    let (config, kept) = quick(Setup::new());
    let config = config.replace(
        "rules: {pack: false,",
        &format!(
            "rules: {{pack: false, scrape: [{{job_name: caddy, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}],",
            proxy.admin.number
        ),
    );
    let watched = Watched {
        belfry: Launch::with(&config).start(),
        _kept: kept,
    };
    let wanted = users(&format!("127.0.0.1:{}", proxy.site.number), 8);
    wanted.store(404, Ordering::Relaxed);
    watched.fires(&[("ApiRefuses", "info")], || {});
    wanted.store(502, Ordering::Relaxed);
    watched.fires(
        &[("ApiErrors", "warning"), ("ApiErrors", "critical")],
        || {},
    );
    wanted.store(1, Ordering::Relaxed);
    watched.fires(&[("ApiSlow", "warning"), ("ApiSlow", "critical")], || {});
    wanted.store(0, Ordering::Relaxed);
    watched.fires(&[("ApiSilent", "warning")], || {});
}
