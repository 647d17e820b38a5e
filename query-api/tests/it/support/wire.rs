//! Write requests, built by hand: protobuf as remote_write 1.0 has it.

/// One series of a request.
pub(crate) struct Series {
    pub(crate) labels: Vec<(String, String)>,
    /// Times in milliseconds and values.
    pub(crate) samples: Vec<(i64, f64)>,
}

impl Series {
    pub(crate) fn new(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        Self {
            labels: labels.iter().map(owned).collect(),
            samples: samples.to_vec(),
        }
    }
}

/// The bytes of a request, not yet packed.
pub(crate) fn request(series: &[Series]) -> Vec<u8> {
    let mut out = Vec::new();
    for one in series {
        let mut inner = Vec::new();
        for (name, value) in &one.labels {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut inner, 1, &label);
        }
        for (time, value) in &one.samples {
            let mut sample = vec![1 << 3 | 1];
            sample.extend(value.to_bits().to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, time.cast_unsigned());
            field(&mut inner, 2, &sample);
        }
        field(&mut out, 1, &inner);
    }
    out
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
