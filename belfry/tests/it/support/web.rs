//! An application behind real reverse proxies, nginx and Caddy, each with its
//! access log.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::claim::{self, Claim};
use super::http;
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// An application that answers as its path says: `/500/...` is an error,
/// `/slow/...` and `/slower/...` take their time, anything else is well. It lives as long as the test.
pub(crate) struct App {
    pub(crate) port: u16,
}

impl App {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("our own address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        Self { port }
    }
}

fn answer(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
    }
    let path = first.split(' ').nth(1)?;
    let first = path.split('/').nth(1)?;
    // What it says of itself is the point; nobody waits for this.
    match first {
        "slow" => thread::sleep(Duration::from_millis(1200)),
        "slower" => thread::sleep(Duration::from_millis(6000)),
        _ => {}
    }
    let status = first.parse().unwrap_or(200_u16);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789"
    )
    .ok()
}

/// A running proxy in front of an application.
pub(crate) struct Web {
    process: Process,
    port: Claim,
    scratch: Scratch,
}

impl Web {
    /// nginx, with an access log in this format, and its status at `/status`.
    #[track_caller]
    pub(crate) fn nginx(app: &App, format: &str) -> Self {
        let (scratch, port) = (Scratch::new(), claim::port());
        let folder = scratch.path.display();
        let config = format!(
            "daemon off; worker_processes 1; pid {folder}/nginx.pid; user root; error_log {folder}/error.log;
             events {{}}
             http {{
               log_format test {format};
               access_log {folder}/access.log test;
               client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
               uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
               server {{
                 listen 127.0.0.1:{};
                 location = /status {{ stub_status; access_log off; }}
                 location / {{ proxy_pass http://127.0.0.1:{}; proxy_read_timeout 30s; }}
               }}
             }}",
            port.number, app.port
        );
        let file = scratch.file("nginx.conf", &config);
        let mut command = Command::new(program::find("nginx", "nginx-light"));
        command.arg("-c").arg(file).arg("-p").arg(&scratch.path);
        let log = scratch.path.join("nginx.log");
        let process = Process::spawn("nginx", &mut command, &log);
        let mut web = Self {
            process,
            port,
            scratch,
        };
        web.wait_until_it_serves("/status");
        web
    }

    /// Caddy, with an access log in JSON, and its metrics at [`Web::admin`].
    #[track_caller]
    pub(crate) fn caddy(app: &App) -> (Self, Claim) {
        let (scratch, port, admin) = (Scratch::new(), claim::port(), claim::port());
        let config = format!(
            "{{
               admin 127.0.0.1:{}
               servers {{
                 metrics
               }}
             }}
             http://127.0.0.1:{} {{
               log {{
                 output file {}
               }}
               abort /abort
               reverse_proxy 127.0.0.1:{}
             }}\n",
            admin.number,
            port.number,
            scratch.path.join("access.log").display(),
            app.port
        );
        let file = scratch.file("Caddyfile", &config);
        let mut command = Command::new(program::find("caddy", "caddy"));
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(file)
            .env("HOME", &scratch.path)
            .env("XDG_CONFIG_HOME", &scratch.path)
            .env("XDG_DATA_HOME", &scratch.path);
        let log = scratch.path.join("caddy.log");
        let process = Process::spawn("caddy", &mut command, &log);
        let mut web = Self {
            process,
            port,
            scratch,
        };
        let address = format!("127.0.0.1:{}", admin.number);
        web.process.ready("caddy should serve its metrics", || {
            http::get(&address, "/metrics").ok()
        });
        (web, admin)
    }

    #[track_caller]
    fn wait_until_it_serves(&mut self, path: &str) {
        let address = self.address();
        self.process
            .ready("the proxy should serve", || http::get(&address, path).ok());
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    /// The access log.
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.path.join("access.log")
    }

    /// Asks for a path so many times; returns how often.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str, times: u64) -> u64 {
        for _ in 0..times {
            http::get(&self.address(), path).expect("an answer");
        }
        times
    }

    /// Renames the log as logrotate does, and tells nginx to open it anew.
    #[track_caller]
    pub(crate) fn rename_log(&mut self, name: &str) {
        fs::rename(self.log(), self.beside(name)).expect("a rename in one folder");
    }

    /// Tells nginx to open its log anew.
    pub(crate) fn reopen_log(&mut self) {
        self.process.signal(Signal::USR1);
    }

    /// Copies the log and cuts it, as logrotate's `copytruncate` does.
    #[track_caller]
    pub(crate) fn cut_log(&self, name: &str) {
        fs::copy(self.log(), self.beside(name)).expect("a copy");
        let log = fs::File::options().write(true).open(self.log());
        log.expect("the log").set_len(0).expect("a cut");
    }

    fn beside(&self, name: &str) -> PathBuf {
        Path::new(&self.scratch.path).join(name)
    }
}
