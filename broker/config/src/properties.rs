//! Java's `.properties` format: separators, comments, continued lines and escapes as java.util.Properties reads them.
//! Core.

/// One key with its value and the line it begins on (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub value: String,
    pub line: usize,
}

/// Reads a whole file. The only thing that can be wrong is a `\u` escape without four hexadecimal digits.
pub fn parse(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split(&logical);
        let malformed = |_| MalformedEscape { line };
        properties.push(Property {
            key: unescape(key).map_err(malformed)?,
            value: unescape(value).map_err(malformed)?,
            line,
        });
    }
    Ok(properties)
}

/// A `\u` that is not followed by four hexadecimal digits; Java refuses the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits")]
pub struct MalformedEscape {
    pub line: usize,
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines without comments and blank ones, joined where an odd number of backslashes ends one.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let normalized = text.replace("\r\n", "\n");
    for (index, natural) in normalized.split(['\n', '\r']).enumerate() {
        let natural = natural.trim_start_matches(BLANK);
        let (start, mut logical) = match open.take() {
            Some(begun) => begun,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            logical.push_str(&natural[..natural.len() - 1]);
            open = Some((start, logical));
        } else {
            logical.push_str(natural);
            lines.push((start, logical));
        }
    }
    lines.extend(open.filter(|(_, logical)| !logical.is_empty()));
    lines
}

/// The key ends at the first `=`, `:` or blank that is not escaped; one `=` or `:` may follow the blanks.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '=' || c == ':' || BLANK.contains(&c) {
            let rest = line[at..].trim_start_matches(BLANK);
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..at], rest.trim_start_matches(BLANK));
        }
    }
    (line, "")
}

fn unescape(text: &str) -> Result<String, ()> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0u16; 2];
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => units.push(9),
            Some('n') => units.push(10),
            Some('f') => units.push(12),
            Some('r') => units.push(13),
            Some('u') => units.push(hexadecimal(&mut chars)?),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut buffer)),
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Result<u16, ()> {
    let mut unit = 0u32;
    for _ in 0..4 {
        let digit = chars.next().and_then(|c| c.to_digit(16)).ok_or(())?;
        unit = unit * 16 + digit;
    }
    u16::try_from(unit).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|p| (p.key, p.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn separators_and_comments() {
        let text = "# c\n! c\n\n  a=1\nb : 2\nc 3\nd\t=\t4 \ne\nf==x\ng=h=i\n";
        let expected =
            [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4 "), ("e", ""), ("f", "=x"), ("g", "h=i")];
        assert_eq!(pairs(text), expected.map(|(k, v)| pair(k, v)));
    }

    #[test]
    fn continued_lines_and_escapes() {
        assert_eq!(
            pairs("a=1,\\\n   2,\\\r\n\t3\r\nb=x\\\\\nc=y"),
            [pair("a", "1,2,3"), pair("b", "x\\"), pair("c", "y")]
        );
        assert_eq!(pairs("k\\=\\:\\ 1=\\u0041\\t\\q\\#"), [pair("k=: 1", "A\tq#")]);
        assert_eq!(pairs("smile=\\ud83d\\ude00"), [pair("smile", "😀")]);
        assert_eq!(pairs("a=1\\\n# not a comment"), [pair("a", "1# not a comment")]);
        assert_eq!(pairs("a=1\\"), [pair("a", "1")]);
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        assert_eq!(parse("a=1\nb=\\u00g0\n"), Err(MalformedEscape { line: 2 }));
    }

    #[test]
    fn lines_are_counted_as_people_count_them() {
        let lines: Vec<usize> = parse("# x\na=1\r\nb=\\\n 2\nc=3").unwrap().iter().map(|p| p.line).collect();
        assert_eq!(lines, [2, 3, 5]);
    }
}
