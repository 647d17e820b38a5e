//! The certificate that should be served, where it lies on the disk: one that
//! was renewed there and is not served means that somebody was not reloaded.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::Instant;

use super::aside::aside;
use super::certificate::Certificate;
use super::samples::Samples;

/// Folders within folders that are searched, and files in all.
const DEEP: usize = 6;
const FILES: usize = 5000;
/// A file that is longer, in bytes, holds no certificate.
const LONGEST: u64 = 256 << 10;

/// A certificate on the disk.
#[derive(Debug)]
struct OnDisk {
    der: Vec<u8>,
    certificate: Certificate,
}

/// Compares what is served with what lies at `path`: a file, or a folder in which
/// the newest one for `host` counts. Returns when that ends, if it is newer.
pub(super) async fn compare(
    served: Option<&CertificateDer<'_>>,
    path: PathBuf,
    host: String,
    deadline: Instant,
    samples: &mut Samples,
) -> Option<jiff::Timestamp> {
    // The disk may hang.
    let found = aside(deadline, move || search(&path, &host))
        .await
        .flatten();
    samples.flag("belfry_probe_ssl_disk_found", found.is_some());
    let found = found?;
    let same = served.is_some_and(|served| found.der == served.as_ref());
    samples.flag("belfry_probe_ssl_disk_same", same);
    let (on_disk, served) = (found.certificate, Certificate::read(served?)?);
    #[expect(clippy::cast_precision_loss, reason = "seconds far below 2^53")]
    samples.set(
        "belfry_probe_ssl_disk_expiry_timestamp_seconds",
        on_disk.not_after as f64,
    );
    // An older one on the disk was not renewed; that is another matter.
    let newer = !same && on_disk.not_before >= served.not_before;
    samples.flag("belfry_probe_ssl_not_reloaded", newer);
    jiff::Timestamp::from_second(on_disk.not_after)
        .ok()
        .filter(|_| newer)
}

fn search(path: &Path, host: &str) -> Option<OnDisk> {
    if !path.is_dir() {
        return read(path);
    }
    let mut folders = vec![(path.to_owned(), 0)];
    let mut newest: Option<OnDisk> = None;
    let mut left = FILES;
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .ok()
            .into_iter()
            .flatten()
            .flatten()
        {
            if left == 0 {
                return newest;
            }
            left -= 1;
            // A link to a folder may lead round in a circle; one to a file does not.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < DEEP {
                    folders.push((entry.path(), depth + 1));
                }
                continue;
            }
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if !matches!(ending, Some("pem" | "crt" | "cer" | "cert")) {
                continue;
            }
            let found = read(&path).filter(|one| one.certificate.is_for(host));
            if let Some(found) = found
                && newest
                    .as_ref()
                    .is_none_or(|have| have.certificate.not_before < found.certificate.not_before)
            {
                newest = Some(found);
            }
        }
    }
    newest
}

/// The first certificate of a file.
fn read(path: &Path) -> Option<OnDisk> {
    // What is no plain file may never end.
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > LONGEST {
        return None;
    }
    let first = CertificateDer::pem_file_iter(path).ok()?.next()?.ok()?;
    Some(OnDisk {
        certificate: Certificate::read(&first)?,
        der: first.to_vec(),
    })
}
