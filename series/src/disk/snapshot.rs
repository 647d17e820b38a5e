//! Everything at one time, in one file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::sync::atomic::Ordering;

use super::record::{self, MAGIC};
use super::{Folder, SNAPSHOT, UNFINISHED, entry};
use crate::Store;
use crate::codec::{push_signed, push_varint};

/// A record is closed when it is longer than this.
const RECORD: usize = 256 << 10;

/// Writes a snapshot that covers all segments up to `number`, and gives its
/// length. The old one stays until the new one is whole and on the disk. With
/// `mend` samples need no longer be written to the log once they are here.
pub(super) fn write(store: &Store, folder: &Folder, number: u64, mend: bool) -> io::Result<u64> {
    let unfinished = folder.0.join(UNFINISHED);
    let written = write_to(store, folder, number, mend);
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    let bytes = written?;
    fs::rename(&unfinished, folder.0.join(SNAPSHOT))?;
    folder.sync()?;
    Ok(bytes)
}

fn write_to(store: &Store, folder: &Folder, number: u64, mend: bool) -> io::Result<u64> {
    fs::create_dir_all(&folder.0)?;
    let file = File::create(folder.0.join(UNFINISHED))?;
    let mut out = Counted {
        file: BufWriter::with_capacity(1 << 16, file),
        bytes: 0,
    };
    out.bytes(MAGIC)?;

    let mut head = vec![entry::HEAD];
    push_varint(&mut head, number);
    push_varint(&mut head, store.read().next_id());
    out.record(&head)?;

    let mut series_count = 0;
    let mut payload = vec![entry::CHUNKS];
    // In each record, for without it the times would be wrong.
    push_signed(&mut payload, store.clock());
    let empty = payload.len();
    for page in store.pages() {
        for series in page {
            // The samples are copied under their lock, and written without it.
            let before = payload.len();
            entry::push_series(&mut payload, series.id, &series.labels);
            if !series.lock().write_to(&mut payload, mend) {
                payload.truncate(before);
                continue;
            }
            series_count += 1;
            if payload.len() > RECORD {
                out.record(&payload)?;
                payload.truncate(empty);
            }
        }
    }
    if payload.len() > empty {
        out.record(&payload)?;
    }

    let mut end = vec![entry::END];
    push_signed(&mut end, store.clock());
    push_varint(&mut end, series_count);
    push_signed(&mut end, store.cut.load(Ordering::Relaxed));
    out.record(&end)?;
    out.file.flush()?;
    out.file.get_ref().sync_all()?;
    Ok(out.bytes)
}

struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Counted {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn record(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut record = Vec::with_capacity(payload.len() + 16);
        record::push(&mut record, payload);
        self.bytes(&record)
    }
}
