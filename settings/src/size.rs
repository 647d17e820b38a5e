//! Sizes in bytes.

use crate::{Node, Reader, Value, value::scalar};

/// A number of bytes, written `64MiB`, `1GB` or a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl Size {
    /// So many mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| ())?;
        let unit = text[digits..].trim_start();
        let factor = match unit {
            "" => 1,
            _ => UNITS.iter().find(|(name, _)| *name == unit).ok_or(())?.1,
        };
        number.checked_mul(factor).map(Self).ok_or(())
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = UNITS[..4]
            .iter()
            .rev()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match whole {
            Some((unit, factor)) => write!(out, "{}{unit}", self.0 / factor),
            None => write!(out, "{}", self.0),
        }
    }
}

impl Value for Size {
    fn kind() -> String {
        "size".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = scalar(node, reader, "a size such as 64MiB")?;
        let size = text.parse().ok();
        if size.is_none() {
            let said = reader.quote(node);
            let message = format!("{said} is not a size; write 64MiB, 1GB or a number of bytes");
            reader.fault(&node.place, message);
        }
        size
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("1 GB", 1_000_000_000),
            ("12", 12),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for text in ["", "MiB", "1 mib", "-1", "1.5GiB", "99999999TiB"] {
            assert_eq!(text.parse::<Size>(), Err(()), "{text}");
        }
        assert_eq!(Size::mib(64).to_string(), "64MiB");
        assert_eq!(Size(1500).to_string(), "1500");
    }
}
