//! Quoted strings and characters, as Go's strconv unquotes them.

/// The text between double quotes.
pub(super) fn string(quoted: &str) -> Option<String> {
    unquote(quoted, '"')
}

/// The one character between single quotes.
pub(super) fn char(quoted: &str) -> Option<char> {
    let text = unquote(quoted, '\'')?;
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn unquote(quoted: &str, quote: char) -> Option<String> {
    let inner = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        rest = &rest[escape.len_utf8()..];
        let mut digits = |count: usize, base: u32, lead: &str| {
            let digits = rest.get(..count)?;
            rest = &rest[count..];
            let all = format!("{lead}{digits}");
            let fits = all.chars().all(|c| c.is_digit(base));
            u32::from_str_radix(&all, base).ok().filter(|_| fits)
        };
        let plain = match escape {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' => b'\\',
            _ if escape == quote => u8::try_from(quote).ok()?,
            'x' => u8::try_from(digits(2, 16, "")?).ok()?,
            '0'..='7' => u8::try_from(digits(2, 8, escape.encode_utf8(&mut [0; 4]))?).ok()?,
            'u' | 'U' => {
                let code = digits(if escape == 'u' { 4 } else { 8 }, 16, "")?;
                let c = char::from_u32(code)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        bytes.push(plain);
    }
    // Single bytes above 0x7f are no text by themselves.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
