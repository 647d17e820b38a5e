//! Protobuf, as much as a write request needs: nothing is copied, nothing is
//! held, and every length is looked at before it is believed.

/// The bytes are no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken(&'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.0)
    }
}

const CUT: Broken = Broken("unexpected end of message");
const KIND: Broken = Broken("a field of the wrong type");

/// One field's value.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, in order.
#[derive(Debug, Clone)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for at in 0..10 {
            let (&byte, rest) = self.0.split_first().ok_or(CUT)?;
            self.0 = rest;
            // The tenth byte has room for one bit.
            if at == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken("a number of more than 64 bits"))
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Broken> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                let bytes = self.bytes(8)?.try_into().map_err(|_| CUT)?;
                Value::Fixed(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Other)?,
            _ => return Err(Broken("a field of an unknown type")),
        };
        match key >> 3 {
            0 | 0x2000_0000.. => Err(Broken("a field with an impossible number")),
            number => Ok((number, value)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// The messages in a repeated field.
fn messages(bytes: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], Broken>> {
    Fields(bytes).filter_map(move |field| match field {
        Ok((number, Value::Bytes(bytes))) if number == wanted => Some(Ok(bytes)),
        Ok((number, _)) if number == wanted => Some(Err(KIND)),
        Ok(_) => None,
        Err(err) => Some(Err(err)),
    })
}

/// One `TimeSeries`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series<'a>(&'a [u8]);

/// The series of a `WriteRequest`. Metadata and exemplars are passed over.
pub(super) fn request(bytes: &[u8]) -> impl Iterator<Item = Result<Series<'_>, Broken>> {
    messages(bytes, 1).map(|bytes| bytes.map(Series))
}

impl<'a> Series<'a> {
    /// How many native histograms it has; what is in them is not read.
    pub(super) fn histograms(self) -> usize {
        messages(self.0, 4).flatten().count()
    }

    /// Fails when any part of it is broken.
    pub(super) fn check(self) -> Result<(), Broken> {
        self.labels().try_for_each(|label| label.map(drop))?;
        self.samples().try_for_each(|sample| sample.map(drop))?;
        messages(self.0, 4).try_for_each(|histogram| histogram.map(drop))
    }

    /// Names and values.
    pub(super) fn labels(self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Broken>> {
        messages(self.0, 1).map(|label| {
            let mut pair = (&[][..], &[][..]);
            for field in Fields(label?) {
                match field? {
                    (1, Value::Bytes(name)) => pair.0 = name,
                    (2, Value::Bytes(value)) => pair.1 = value,
                    (1 | 2, _) => return Err(KIND),
                    _ => {}
                }
            }
            Ok(pair)
        })
    }

    /// Times in milliseconds and values, whose bits are kept.
    pub(super) fn samples(self) -> impl Iterator<Item = Result<(i64, f64), Broken>> {
        messages(self.0, 2).map(|sample| {
            let mut pair = (0, 0.0);
            for field in Fields(sample?) {
                match field? {
                    (1, Value::Fixed(bits)) => pair.1 = f64::from_bits(bits),
                    (2, Value::Varint(time)) => pair.0 = time.cast_signed(),
                    (1 | 2, _) => return Err(KIND),
                    _ => {}
                }
            }
            Ok(pair)
        })
    }
}
