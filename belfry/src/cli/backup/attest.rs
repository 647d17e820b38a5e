//! `belfry backup attest`: a key that is kept elsewhere is brought here once, and
//! shown to open what is encrypted.

use std::io::Read as _;
use std::path::Path;

use backup::Setup;
use backup::age::Identity;

use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn run(setup: &Setup, identity: &Path) -> Exit {
    let (setup, identity) = (setup.clone(), identity.to_owned());
    // What is read may be a terminal, at which somebody may give up.
    let reading = tokio::task::spawn_blocking(move || attested(&setup, &identity));
    match reading.await.unwrap_or_else(|err| Err(err.to_string())) {
        Ok(opened) => {
            for recipient in opened {
                out::line(format_args!("opens   {recipient}"));
            }
            out::line("It is attested for 180 days. Take the key away from here again.");
            exit::OK
        }
        Err(err) => super::unable(&err),
    }
}

fn attested(setup: &Setup, identity: &Path) -> Result<Vec<String>, String> {
    let text = if identity == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|err| err.to_string())?;
        text
    } else {
        let failed = |err: std::io::Error| format!("{}: {err}", identity.display());
        let ours = std::fs::canonicalize(&setup.config.identity_file);
        let given = std::fs::canonicalize(identity).map_err(failed)?;
        if ours.is_ok_and(|ours| ours == given) {
            return Err(
                "that is the key that lies on this host; the one that counts lies elsewhere"
                    .to_owned(),
            );
        }
        std::fs::read_to_string(identity).map_err(failed)?
    };
    let keys = Identity::file(&text).map_err(|err| err.to_string())?;
    backup::attest::attest(setup, &keys, super::now_ms())
}
