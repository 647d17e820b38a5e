//! Pages packed, or in another form: what many ask for is made once.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::wanted::{Coding, Form};
use crate::app::Text;

/// So many forms and packings of pages are remembered.
const MOST: usize = 8;

/// What was packed last.
#[derive(Debug, Default)]
pub(super) struct Packed(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    texts: Vec<Weak<str>>,
    form: Form,
    coding: Coding,
    body: Bytes,
}

impl Packed {
    /// These texts, one after the other. Those who ask for the same at once
    /// wait for one packing.
    pub(super) fn pack(&self, texts: &[Text], form: Form, coding: Coding) -> Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |one: &Kept| {
            let mut pairs = one.texts.iter().zip(texts);
            (one.form, one.coding, one.texts.len()) == (form, coding, texts.len())
                && pairs.all(|(a, b)| a.ptr_eq(&Arc::downgrade(b)))
        };
        if let Some(one) = kept.iter().find(|one| same(one)) {
            return one.body.clone();
        }
        let open: Text;
        let pieces = match form {
            Form::Classic => texts,
            Form::OpenMetrics => {
                open = exposition::open_metrics(texts.iter().map(|text| &**text)).into();
                std::slice::from_ref(&open)
            }
        };
        let body = match coding {
            Coding::Plain => pieces.concat().into(),
            Coding::Gzip => gzip(pieces),
            Coding::Zstd => zstd(&pieces.concat()),
        };
        // The pages of a moment ago are asked for no more.
        kept.retain(|one| one.texts.iter().all(|text| text.strong_count() > 0));
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Kept {
            texts: texts.iter().map(Arc::downgrade).collect(),
            form,
            coding,
            body: body.clone(),
        });
        body
    }
}

fn zstd(text: &str) -> Bytes {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(text.as_bytes(), level).into()
}

fn gzip(texts: &[Text]) -> Bytes {
    // The fastest level: the usual one makes a page a fifth smaller in five times the time.
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for text in texts {
        // Writing to memory does not fail.
        let _ = packer.write_all(text.as_bytes());
    }
    packer.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn texts_are_packed_once_and_come_out_whole() {
        let packed = Packed::default();
        let gzipped = |texts: &[Text]| packed.pack(texts, Form::Classic, Coding::Gzip);
        let (one, two): (Text, Text) = ("one 1\n".into(), "two 2\n".into());
        let first = gzipped(&[one.clone(), two.clone()]);
        let again = gzipped(&[one.clone(), two.clone()]);
        assert_eq!(first.as_ptr(), again.as_ptr());
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(&*first);
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one 1\ntwo 2\n");
        // Equal, but made anew.
        let other = gzipped(&["one 1\n".into(), two]);
        assert_ne!(first.as_ptr(), other.as_ptr());
        assert_eq!(first, other);
        assert_ne!(gzipped(&[one]), first);
    }

    #[test]
    fn zstd_and_open_metrics_come_out_whole() {
        let packed = Packed::default();
        let page: Text = "# TYPE a_total counter\na_total 1\n".repeat(1000).into();
        let body = packed.pack(std::slice::from_ref(&page), Form::Classic, Coding::Zstd);
        assert!(body.len() < page.len() / 10);
        let mut text = String::new();
        let mut reader = ruzstd::decoding::StreamingDecoder::new(&*body).unwrap();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, *page);
        let open = packed.pack(&[page], Form::OpenMetrics, Coding::Plain);
        assert!(open.starts_with(b"# TYPE a counter\n") && open.ends_with(b"# EOF\n"));
    }
}
