//! What the binary knows of itself: completions, the manual page, the version.

use clap::CommandFactory as _;

use super::Cli;
use crate::exit::{self, Exit};
use crate::out;

/// Prints shell completions.
pub(super) fn completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "belfry", &mut script);
    out::text(String::from_utf8_lossy(&script));
    exit::OK
}

/// Prints the manual page.
pub(super) fn man() -> Exit {
    let mut page = Vec::new();
    match clap_mangen::Man::new(Cli::command()).render(&mut page) {
        Ok(()) => {
            out::text(String::from_utf8_lossy(&page));
            exit::OK
        }
        Err(err) => {
            out::error(format_args!("belfry: cannot write the manual page: {err}"));
            exit::CRITICAL
        }
    }
}

/// Prints the version.
pub(super) fn version(json: bool) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if json {
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        out::line(serde_json::json!({ "version": version, "target": target }));
    } else {
        out::line(format_args!("belfry {version}"));
    }
    exit::OK
}
