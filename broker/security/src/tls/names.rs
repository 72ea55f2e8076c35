//! Distinguished names as Java writes them: X500Principal.getName(), which is what Kafka's principals are made of.
//! Core. RFC 2253: the most specific part first, and names for nine attributes alone.

/// Attributes that have a name, by the content of their object identifier.
const NAMED: &[(&str, &[u8])] = &[
    ("CN", &[0x55, 4, 3]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("UID", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1]),
    ("DC", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25]),
];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// Kinds of text that Java writes as text: UTF8, printable, T61, IA5, general, universal and BMP strings.
const TEXTS: &[u8] = &[0x0C, 0x13, 0x14, 0x16, 0x1B, 0x1C, 0x1E];
/// Escaped wherever they stand (AVA.toRFC2253String).
const ESCAPED: &str = ",=+<>#;\"\\";

/// One element of DER.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// A name in DER as text; nothing when it is no name.
pub fn distinguished_name(name: &[u8]) -> Option<String> {
    let (name, rest) = element(name)?;
    if name.tag != SEQUENCE || !rest.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let mut rest = name.content;
    while !rest.is_empty() {
        let (part, next) = element(rest)?;
        if part.tag != SET {
            return None;
        }
        parts.push(relative(part.content)?);
        rest = next;
    }
    parts.reverse();
    Some(parts.join(","))
}

/// One part, of one attribute or several.
fn relative(mut rest: &[u8]) -> Option<String> {
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let (attribute, next) = element(rest)?;
        if attribute.tag != SEQUENCE {
            return None;
        }
        let (kind, after) = element(attribute.content)?;
        let (value, end) = element(after)?;
        if kind.tag != OBJECT_IDENTIFIER || !end.is_empty() {
            return None;
        }
        attributes.push(written(&kind, &value)?);
        rest = next;
    }
    Some(attributes.join("+"))
}

fn written(kind: &Element<'_>, value: &Element<'_>) -> Option<String> {
    let named = NAMED.iter().find(|(_, identifier)| *identifier == kind.content);
    match named {
        Some((name, _)) if TEXTS.contains(&value.tag) => {
            Some(format!("{name}={}", escaped(&String::from_utf8_lossy(value.content))))
        }
        Some((name, _)) => Some(format!("{name}=#{}", hex(value.whole))),
        None => Some(format!("{}=#{}", dotted(kind.content)?, hex(value.whole))),
    }
}

fn escaped(text: &str) -> String {
    let mut inner = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => inner.push_str("\\00"),
            c => {
                if ESCAPED.contains(c) {
                    inner.push('\\');
                }
                inner.push(c);
            }
        }
    }
    let is_outer = |c: char| c == ' ' || c == '\r';
    let lead = inner.len() - inner.trim_start_matches(is_outer).len();
    let trail = inner.trim_end_matches(is_outer).len();
    let mut outer = String::with_capacity(inner.len());
    for (place, c) in inner.char_indices() {
        if place < lead || place >= trail {
            outer.push('\\');
        }
        outer.push(c);
    }
    outer
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object identifier in numbers.
fn dotted(content: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in content {
        number = number.checked_mul(128)?.checked_add(u64::from(byte & 0x7F))?;
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    let ends = content.last().is_some_and(|byte| byte & 0x80 == 0);
    ends.then(|| numbers.join("."))
}

/// The first element and what stands behind it.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after) = bytes.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7F => (usize::from(first), after),
        0x81..=0x84 => {
            let (digits, after) = after.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = &bytes[..bytes.len() - rest.len()];
    Some((Element { tag, content, whole }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in DER with what X500Principal.getName() made of them; see `golden/SslNames.java`.
    const GOLDEN: &str = include_str!("golden/names.txt");

    #[test]
    fn names_are_written_as_java_writes_them() {
        let mut count = 0;
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let (der, expected) = line.split_once(' ').expect("two columns");
            let bytes = |text: &str| -> Vec<u8> {
                let digits: Vec<u8> = text.bytes().collect();
                let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
                digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
            };
            let expected = String::from_utf8(bytes(expected)).expect("text");
            assert_eq!(distinguished_name(&bytes(der)), Some(expected), "{der}");
            count += 1;
        }
        assert!(count >= 200, "{count} names");
    }

    #[test]
    fn what_is_no_name_has_no_text() {
        for bytes in
            [&[][..], &[0x30, 2, 0x31], &[0x31, 0], &[0x30, 2, 0x30, 0], &[0x30, 0x85, 1, 1, 1, 1, 1]]
        {
            assert_eq!(distinguished_name(bytes), None, "{bytes:?}");
        }
        assert_eq!(distinguished_name(&[0x30, 0]).as_deref(), Some(""));
    }
}
