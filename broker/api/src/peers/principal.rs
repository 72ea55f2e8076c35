//! A principal as one node gives it to another with a forwarded request.
//! Core (`DefaultKafkaPrincipalBuilder.serialize`).
//!
//! ```text
//! | version i16 = 0 | type (varint length + 1) | name (varint length + 1) | token authenticated u8 | tags varint |
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_security::KafkaPrincipal;

const VERSION: i16 = 0;

pub fn encode(principal: &KafkaPrincipal) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    let (kind, name) = principal.as_str().split_once(':').unwrap_or(("User", principal.as_str()));
    for part in [kind, name] {
        put_length(&mut bytes, part.len() + 1);
        bytes.put_slice(part.as_bytes());
    }
    bytes.put_u8(0);
    bytes.put_u8(0);
    bytes.freeze()
}

/// `None` where it is no principal of a version that is known. Tagged fields are left aside.
pub fn decode(mut bytes: Bytes) -> Option<KafkaPrincipal> {
    if bytes.try_get_i16().ok()? != VERSION {
        return None;
    }
    let mut part = || {
        let length = length(&mut bytes)?.checked_sub(1)?;
        if bytes.len() < length {
            return None;
        }
        String::from_utf8(bytes.split_to(length).to_vec()).ok()
    };
    let (kind, name) = (part()?, part()?);
    if kind.contains(':') {
        return None;
    }
    bytes.try_get_u8().ok()?;
    KafkaPrincipal::parse(&format!("{kind}:{name}")).ok()
}

/// Seven bits a byte, the lowest first.
fn put_length(bytes: &mut BytesMut, mut length: usize) {
    while length >= 0x80 {
        bytes.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.put_u8(length as u8);
}

fn length(bytes: &mut Bytes) -> Option<usize> {
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = bytes.try_get_u8().ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_written_as_kafka_s_own_nodes_write_it() {
        let bytes = encode(&KafkaPrincipal::ANONYMOUS);
        assert_eq!(&bytes[..], b"\x00\x00\x05User\x0aANONYMOUS\x00\x00");
        let long = KafkaPrincipal::parse(&format!("User:{}", "x:".repeat(200))).expect("a principal");
        for principal in [KafkaPrincipal::ANONYMOUS, long] {
            let bytes = encode(&principal);
            assert_eq!(decode(bytes.clone()), Some(principal));
            for end in 0..bytes.len() - 1 {
                assert_eq!(decode(bytes.slice(..end)), None, "{end}");
            }
        }
    }

    #[test]
    fn another_version_and_a_type_with_a_colon_are_no_principal() {
        let mut other = BytesMut::from(&encode(&KafkaPrincipal::ANONYMOUS)[..]);
        other[1] = 1;
        assert_eq!(decode(other.freeze()), None);
        assert_eq!(decode(Bytes::from_static(b"\x00\x00\x03a:\x02b\x00\x00")), None);
    }
}
