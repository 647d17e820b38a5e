//! Base 64 with the alphabet for URLs, padded.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            out.push(if at > three.len() {
                '='
            } else {
                char::from(ALPHABET[index])
            });
        }
    }
    out
}

/// The bytes, or where the text is wrong.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    // Go skips line ends.
    let all: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    let mut out = Vec::with_capacity(all.len() / 4 * 3);
    let last = all.len().saturating_sub(4);
    for (at, four) in (0..).step_by(4).zip(all.chunks(4)) {
        let wrong = |within: usize| format!("illegal base64 data at input byte {}", at + within);
        let padding = match four {
            [_, _, b'=', b'='] if at == last => 2,
            [_, _, _, b'='] if at == last => 1,
            _ => 0,
        };
        if four.len() < 4 {
            return Err(wrong(four.len()));
        }
        let mut bits = 0_u32;
        for (within, byte) in four[..4 - padding].iter().enumerate() {
            let digit = ALPHABET.iter().position(|known| known == byte);
            let digit = digit.and_then(|digit| u32::try_from(digit).ok());
            bits |= digit.ok_or_else(|| wrong(within))? << (18 - 6 * within);
        }
        out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    Ok(out)
}
