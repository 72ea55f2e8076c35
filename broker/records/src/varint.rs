//! Zig-zag varints as records use them (`ByteUtils.readVarint` and friends).
//! Core.

/// Reads a varint of at most 32 bits; `None` when bytes end or it is longer than five bytes.
#[inline]
pub fn read_varint(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(unzigzag_32(u32::from(first)));
    }
    let mut value: u32 = u32::from(first & 0x7f);
    for index in 1..5 {
        let byte = *bytes.get(*at + index)?;
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *at += index + 1;
            return Some(unzigzag_32(value));
        }
    }
    None
}

/// Reads a varint of at most 64 bits; `None` when bytes end or it is longer than ten bytes.
#[inline]
pub fn read_varlong(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(unzigzag_64(u64::from(first)));
    }
    let mut value: u64 = u64::from(first & 0x7f);
    for index in 1..10 {
        let byte = *bytes.get(*at + index)?;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *at += index + 1;
            return Some(unzigzag_64(value));
        }
    }
    None
}

pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// How many bytes `write_varlong` takes.
pub fn varlong_bytes(value: i64) -> usize {
    let value = ((value << 1) ^ (value >> 63)) as u64;
    (70 - value.leading_zeros() as usize) / 7 + usize::from(value == 0)
}

/// How many bytes `write_varint` takes.
pub fn varint_bytes(value: i32) -> usize {
    varlong_bytes(i64::from(value))
}

fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn unzigzag_32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[inline]
pub(crate) fn unzigzag_64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_a_round_trip_and_take_the_bytes_they_say() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::from(i32::MIN)] {
            let mut out = Vec::new();
            write_varint(&mut out, value as i32);
            assert_eq!(out.len(), varint_bytes(value as i32), "{value}");
            assert_eq!(read_varint(&out, &mut 0), Some(value as i32));
        }
        for value in [0, 1, -1, i64::MAX, i64::MIN, 1 << 40] {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            assert_eq!(out.len(), varlong_bytes(value), "{value}");
            assert_eq!(read_varlong(&out, &mut 0), Some(value));
        }
    }

    #[test]
    fn an_endless_or_cut_number_is_none() {
        assert_eq!(read_varint(&[0x80; 6], &mut 0), None);
        assert_eq!(read_varint(&[0x80], &mut 0), None);
        assert_eq!(read_varlong(&[0xff; 11], &mut 0), None);
    }
}
