//! A listing of open uploads as R2 gives it: in the order of keys, a thousand at once,
//! after the one that it is told to go on after. The server behind tells ten thousand.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;

/// What a listing tells that was begun, with how many at once.
pub(super) struct Pages {
    /// By key and id.
    all: Mutex<Vec<(String, String, String)>>,
    at_once: AtomicUsize,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            all: Mutex::default(),
            at_once: AtomicUsize::new(1000),
        }
    }
}

impl Pages {
    pub(super) fn tell(&self, most: usize) {
        self.at_once.store(most, Ordering::Relaxed);
    }

    /// The page that was asked for, of what the server tells of all.
    pub(super) fn page(&self, query: &HashMap<String, String>, answer: &[u8]) -> Bytes {
        let marker = |name: &str| {
            let text = query.get(name).cloned().unwrap_or_default();
            text.replace("%2F", "/").replace("%3D", "=")
        };
        let after = (marker("key-marker"), marker("upload-id-marker"));
        let mut all = self.all.lock().unwrap();
        if after.0.is_empty() {
            *all = read(&String::from_utf8_lossy(answer));
        }
        let is_next = |(key, id, _): &&(String, String, String)| (key, id) > (&after.0, &after.1);
        let mut left = all.iter().filter(is_next);
        let at_once = self.at_once.load(Ordering::Relaxed);
        let page: Vec<_> = left.by_ref().take(at_once).collect();
        let mut text = String::from("<ListMultipartUploadsResult>");
        let is_more = left.next().is_some();
        if let Some((key, id, _)) = page.last().filter(|_| is_more) {
            text.push_str(&format!(
                "<NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>"
            ));
        }
        text.push_str(&format!("<IsTruncated>{is_more}</IsTruncated>"));
        text.extend(page.iter().map(|(_, _, upload)| upload.as_str()));
        text.push_str("</ListMultipartUploadsResult>");
        text.into()
    }
}

fn read(answer: &str) -> Vec<(String, String, String)> {
    let value = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let uploads = answer.split_inclusive("</Upload>");
    let uploads = uploads.filter_map(|text| text.find("<Upload>").map(|at| &text[at..]));
    let mut all: Vec<_> = uploads
        .map(|text| (value(text, "Key"), value(text, "UploadId"), text.to_owned()))
        .collect();
    all.sort();
    all
}
