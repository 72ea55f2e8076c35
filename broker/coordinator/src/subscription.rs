//! The topics in a consumer's subscription, as far as every version of it agrees.
//! Core. A subscription opens with its version (int16) and the array of topic names (version 0's prefix).

/// The topics, or `None` when the bytes are not a subscription.
pub fn topics(mut subscription: &[u8]) -> Option<Vec<String>> {
    let version = i16::from_be_bytes(take(&mut subscription)?);
    if version < 0 {
        return None;
    }
    let count = i32::from_be_bytes(take(&mut subscription)?);
    // Every name takes two bytes at least.
    if count < 0 || count as usize > subscription.len() / 2 {
        return None;
    }
    (0..count).map(|_| name(&mut subscription)).collect()
}

fn name(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(i16::from_be_bytes(take(bytes)?)).ok()?;
    let (name, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(name.to_vec()).ok()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_garbage_is_refused() {
        let bytes = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff";
        assert_eq!(topics(bytes), Some(vec!["a".to_owned(), "bc".to_owned()]));
        for cut in 0..bytes.len() - 4 {
            assert_eq!(topics(&bytes[..cut]), None);
        }
        assert_eq!(topics(b"\0\0\x7f\xff\xff\xff"), None);
        assert_eq!(topics(b""), None);
    }
}
