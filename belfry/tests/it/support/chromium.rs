//! A real browser without a window: what a page looks like, how wide it is, what it says.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::devtools::DevTools;
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// A running Chromium with one page.
pub(crate) struct Chromium {
    // First, so that the browser ends before its folder.
    _process: Process,
    devtools: DevTools,
    page: String,
    _scratch: Scratch,
}

impl Chromium {
    /// Starts the browser with an empty profile.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new();
        let mut devtools = DevTools::prepare(&scratch.path);
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$0" "$@" 3<requests 4>answers"#])
            .arg(program::find("chromium", "chromium"))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!(
                "--user-data-dir={}",
                scratch.path.join("profile").display()
            ))
            .arg("about:blank")
            .env("HOME", &scratch.path)
            .env("TMPDIR", &scratch.path)
            .current_dir(&scratch.path);
        let process = Process::spawn("chromium", &mut command, &scratch.path.join("chromium.log"));
        let target = devtools.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let page = devtools.call(None, "Target.attachToTarget", attach)["sessionId"]
            .as_str()
            .unwrap()
            .to_owned();
        devtools.call(Some(&page), "Page.enable", json!({}));
        let lifecycle = json!({ "enabled": true });
        devtools.call(Some(&page), "Page.setLifecycleEventsEnabled", lifecycle);
        Self {
            _process: process,
            devtools,
            page,
            _scratch: scratch,
        }
    }

    /// Shows a page in a window of this size, in CSS pixels, and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&mut self, url: &str, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(
            opened["errorText"].is_null(),
            "{url}: {}",
            opened["errorText"]
        );
        // Of this document: one that was left may have been loaded only now.
        let document = &opened["loaderId"];
        self.devtools.event("Page.lifecycleEvent", |event| {
            event["name"] == "load" && event["loaderId"] == *document
        });
    }

    /// The same for a page that has to fit: nobody scrolls it sideways.
    #[track_caller]
    pub(crate) fn open_fitting(&mut self, url: &str, width: u32, height: u32) {
        self.open(url, width, height);
        let wide = self.document_width();
        assert!(wide <= u64::from(width), "{url}: {wide} wide at {width}");
    }

    /// Prefers the dark colours of pages from now on, or the light ones.
    #[track_caller]
    pub(crate) fn prefer_dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let feature = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": feature }));
    }

    /// The value of a JavaScript expression in the page; a promise is waited for.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// The width that the document takes; more than the window's means scrolling sideways.
    #[track_caller]
    pub(crate) fn document_width(&mut self) -> u64 {
        self.evaluate("document.documentElement.scrollWidth")
            .as_u64()
            .expect("a width")
    }

    /// The document as it stands, with what scripts made of it.
    #[track_caller]
    pub(crate) fn html(&mut self) -> String {
        self.evaluate("document.documentElement.outerHTML")
            .as_str()
            .expect("a document")
            .to_owned()
    }

    /// Writes what the window shows into a PNG file.
    #[track_caller]
    pub(crate) fn screenshot(&mut self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let data = answer["data"].as_str().expect("a picture");
        let bytes = data_encoding::BASE64
            .decode(data.as_bytes())
            .expect("a picture in base64");
        std::fs::write(file, bytes).expect("a file for the picture");
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.devtools.call(Some(&self.page), method, parameters)
    }
}
