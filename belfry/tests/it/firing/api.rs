//! An application behind nginx that refuses, fails, is slow, and is left alone.

use std::thread;

use super::Watched;
use crate::setup::Setup;
use crate::support::http;
use crate::support::web::{App, Web};

const JSON: &str = r#"escape=json '{"host":"$host","request":"$request","status":"$status","request_time":"$request_time"}'"#;

#[test]
fn rules_about_what_is_served_fire_from_the_access_log_alone() {
    let app = App::start();
    let nginx = Web::nginx(&app, JSON);
    let watched = Watched::start(Setup::new().exporter(&format!(
        "api: {{logs: [{{file: {:?}, name: shop}}]}}",
        nginx.log()
    )));
    watched.fires(&[("ApiRefuses", "info")], || {
        nginx.ask("/404/x", 5);
    });
    watched.fires(
        &[("ApiErrors", "warning"), ("ApiErrors", "critical")],
        || {
            nginx.ask("/500/x", 5);
        },
    );
    watched.fires(&[("ApiSlow", "warning"), ("ApiSlow", "critical")], || {
        let address = nginx.address();
        thread::spawn(move || http::get(&address, "/slower/x"));
    });
    watched.fires(&[("ApiSilent", "warning")], || {});
}
