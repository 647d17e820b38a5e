//! Watches a Docker host, pages a person by mail, and proves that its backups
//! restore.

mod app;
mod cli;
mod clock;
mod config;
mod exit;
mod http;
mod out;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
