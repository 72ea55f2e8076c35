//! Walks a body before anything decodes it, so that no claimed count can cost memory.
//! Core. The walk itself allocates nothing; `generated::layouts` says what stands where in requests and responses.
//!
//! The kafka-protocol crate reserves whatever count the wire claims. Here every count is held
//! against the bytes that remain (an element takes at least its smallest size), every length must
//! lie within the body, and elements are counted over the whole request.

use ottla_model::limits::{REQUEST_ELEMENTS_MAX, REQUEST_NESTING_MAX, RESPONSE_ELEMENTS_MAX};

use crate::api_key::ApiKey;
use crate::generated::layouts::{DEPTH, PROGRAMS, REQUESTS, RESPONSES};

const _: () = {
    let mut row = 1;
    while row < REQUESTS.len() {
        assert!((REQUESTS[row - 1].key as i16) < REQUESTS[row].key as i16, "the rows are searched by key");
        row += 1;
    }
};
const _: () = assert!(DEPTH <= REQUEST_NESTING_MAX, "a definition nests deeper than the guard may walk");

/// Why a body must not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("{key} has no version {version} to decode")]
    Version { key: ApiKey, version: i16 },
    #[error("the body ends too early, at byte {at}")]
    Truncated { at: usize },
    #[error("a count of {count} at byte {at} cannot fit into the {remaining} bytes that remain")]
    Count { at: usize, count: u64, remaining: usize },
    #[error("a length of {len} before byte {at} cannot be")]
    Length { at: usize, len: i64 },
    #[error("null before byte {at}, where null is not allowed")]
    Null { at: usize },
    #[error("a varint before byte {at} is too long")]
    Varint { at: usize },
    #[error("a tagged field before byte {at} is not as long as it says")]
    TagSize { at: usize },
    #[error("more than {max} elements")]
    Elements { max: usize },
}

/// One step of a walk. A number refers to a program in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Fields of a fixed size.
    Skip(u32),
    String,
    NullableString,
    CompactString,
    CompactNullableString,
    Bytes,
    NullableBytes,
    CompactBytes,
    CompactNullableBytes,
    Array(u16),
    NullableArray(u16),
    CompactArray(u16),
    CompactNullableArray(u16),
    /// A struct after a byte that says whether it is there.
    Optional(u16),
    /// Tagged fields; those listed are decoded by their type, others are opaque.
    Tags(&'static [(u32, u16)]),
}

/// How to walk one struct or element.
#[derive(Debug)]
pub(crate) struct Program {
    pub ops: &'static [Op],
    /// Fewest bytes it can take.
    pub min: u32,
    /// Whether decoding makes it bigger than its bytes (structs, strings), so that it counts.
    pub counted: bool,
}

/// The programs of one API, one for each version from `min_version`.
#[derive(Debug)]
pub(crate) struct Layouts {
    pub key: ApiKey,
    pub min_version: i16,
    pub programs: &'static [u16],
}

/// What a walk found in a body that is safe to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Bytes of the body proper; what follows is ignored.
    pub len: usize,
    /// Elements that take memory of their own when decoded.
    pub elements: usize,
}

/// Refuses a body that is not a whole, bounded request of this version. Trailing bytes are fine.
pub fn check(key: ApiKey, version: i16, body: &[u8]) -> Result<(), GuardError> {
    walk(key, version, body).map(|_| ())
}

/// As [`check`], and says how much there is.
pub fn walk(key: ApiKey, version: i16, body: &[u8]) -> Result<Walked, GuardError> {
    walk_of(&REQUESTS, key, version, body, REQUEST_ELEMENTS_MAX)
}

/// As [`check`], for the answer of another broker or controller.
pub fn check_response(key: ApiKey, version: i16, body: &[u8]) -> Result<(), GuardError> {
    walk_of(&RESPONSES, key, version, body, RESPONSE_ELEMENTS_MAX).map(|_| ())
}

fn walk_of(
    layouts: &[Layouts],
    key: ApiKey,
    version: i16,
    body: &[u8],
    elements_max: usize,
) -> Result<Walked, GuardError> {
    let program = program(layouts, key, version).ok_or(GuardError::Version { key, version })?;
    let mut walk = Walk { body, at: 0, end: body.len(), elements: 0, elements_max };
    walk.run(program)?;
    assert!(walk.at <= body.len() && walk.end == body.len(), "a walk stays within its body");
    Ok(Walked { len: walk.at, elements: walk.elements })
}

fn program(layouts: &[Layouts], key: ApiKey, version: i16) -> Option<&'static Program> {
    let row = layouts.binary_search_by_key(&key, |row| row.key).ok()?;
    let row = &layouts[row];
    let at = usize::try_from(i32::from(version) - i32::from(row.min_version)).ok()?;
    Some(&PROGRAMS[usize::from(*row.programs.get(at)?)])
}

struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    /// Where the walk must stop: the body's end, or that of the tagged field it is in.
    end: usize,
    elements: usize,
    elements_max: usize,
}

impl Walk<'_> {
    fn run(&mut self, program: &'static Program) -> Result<(), GuardError> {
        for op in program.ops {
            match *op {
                Op::Skip(bytes) => self.skip(bytes as usize)?,
                Op::String => self.string(false, false)?,
                Op::NullableString => self.string(false, true)?,
                Op::CompactString => self.string(true, false)?,
                Op::CompactNullableString => self.string(true, true)?,
                Op::Bytes => self.bytes(false, false)?,
                Op::NullableBytes => self.bytes(false, true)?,
                Op::CompactBytes => self.bytes(true, false)?,
                Op::CompactNullableBytes => self.bytes(true, true)?,
                Op::Array(element) => self.array(element, false, false)?,
                Op::NullableArray(element) => self.array(element, false, true)?,
                Op::CompactArray(element) => self.array(element, true, false)?,
                Op::CompactNullableArray(element) => self.array(element, true, true)?,
                Op::Optional(content) => self.optional(content)?,
                Op::Tags(known) => self.tags(known)?,
            }
        }
        Ok(())
    }

    fn remaining(&self) -> usize {
        self.end - self.at
    }

    fn skip(&mut self, bytes: usize) -> Result<(), GuardError> {
        if bytes > self.remaining() {
            return Err(GuardError::Truncated { at: self.end });
        }
        self.at += bytes;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], GuardError> {
        let from = self.at;
        self.skip(N)?;
        self.body[from..from + N].try_into().map_err(|_| GuardError::Truncated { at: from })
    }

    fn varint(&mut self) -> Result<u32, GuardError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(GuardError::Varint { at: self.at })
    }

    /// A 32-bit or compact length; `None` is null.
    fn len(&mut self, compact: bool, nullable: bool) -> Result<Option<usize>, GuardError> {
        let len =
            if compact { i64::from(self.varint()?) - 1 } else { i64::from(i32::from_be_bytes(self.take()?)) };
        self.not_negative(len, nullable)
    }

    fn not_negative(&self, len: i64, nullable: bool) -> Result<Option<usize>, GuardError> {
        match usize::try_from(len) {
            Ok(len) => Ok(Some(len)),
            Err(_) if len == -1 && nullable => Ok(None),
            Err(_) if len == -1 => Err(GuardError::Null { at: self.at }),
            Err(_) => Err(GuardError::Length { at: self.at, len }),
        }
    }

    fn string(&mut self, compact: bool, nullable: bool) -> Result<(), GuardError> {
        let len = if compact {
            self.len(true, nullable)?
        } else {
            let len = i64::from(i16::from_be_bytes(self.take()?));
            self.not_negative(len, nullable)?
        };
        match len {
            // Kafka refuses longer ones although a compact length could say more.
            Some(len) if len > i16::MAX as usize => Err(GuardError::Length { at: self.at, len: len as i64 }),
            Some(len) => self.skip(len),
            None => Ok(()),
        }
    }

    fn bytes(&mut self, compact: bool, nullable: bool) -> Result<(), GuardError> {
        match self.len(compact, nullable)? {
            Some(len) => self.skip(len),
            None => Ok(()),
        }
    }

    fn array(&mut self, element: u16, compact: bool, nullable: bool) -> Result<(), GuardError> {
        let Some(count) = self.len(compact, nullable)? else { return Ok(()) };
        let element = &PROGRAMS[usize::from(element)];
        let least = count as u64 * u64::from(element.min);
        if least > self.remaining() as u64 {
            return Err(GuardError::Count { at: self.at, count: count as u64, remaining: self.remaining() });
        }
        if element.counted {
            self.count(count)?;
        }
        if let [Op::Skip(bytes)] = element.ops {
            return self.skip(count * *bytes as usize);
        }
        for _ in 0..count {
            self.run(element)?;
        }
        Ok(())
    }

    fn count(&mut self, elements: usize) -> Result<(), GuardError> {
        self.elements += elements;
        let max = self.elements_max;
        if self.elements > max { Err(GuardError::Elements { max }) } else { Ok(()) }
    }

    /// The crate takes every mark but 1 for absent, Kafka every mark below 0; where they would
    /// differ the body is refused.
    fn optional(&mut self, content: u16) -> Result<(), GuardError> {
        match i8::from_be_bytes(self.take()?) {
            1 => self.run(&PROGRAMS[usize::from(content)]),
            -1 => Ok(()),
            mark => Err(GuardError::Length { at: self.at, len: i64::from(mark) }),
        }
    }

    fn tags(&mut self, known: &'static [(u32, u16)]) -> Result<(), GuardError> {
        let count = self.varint()? as usize;
        if count == 0 {
            return Ok(());
        }
        // A tagged field takes at least its tag and its size.
        if count as u64 * 2 > self.remaining() as u64 {
            return Err(GuardError::Count { at: self.at, count: count as u64, remaining: self.remaining() });
        }
        self.count(count)?;
        for _ in 0..count {
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            let from = self.at;
            self.skip(size)?;
            if let Some((_, value)) = known.iter().find(|(known, _)| *known == tag) {
                self.tagged_value(*value, from)?;
            }
        }
        Ok(())
    }

    /// Walks the value again from its start; it must fill its bytes exactly, because the crate
    /// reads it by its type and not by its size.
    fn tagged_value(&mut self, value: u16, from: usize) -> Result<(), GuardError> {
        let (outer_end, value_end) = (self.end, self.at);
        assert!(from <= value_end && value_end <= outer_end, "a tagged field is within its struct");
        (self.at, self.end) = (from, value_end);
        self.run(&PROGRAMS[usize::from(value)])?;
        if self.at != value_end {
            return Err(GuardError::TagSize { at: self.at });
        }
        self.end = outer_end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claimed_counts_are_held_against_the_bytes_that_remain() {
        let refused = check(ApiKey::Metadata, 1, b"\x7f\xff\xff\xff");
        assert_eq!(refused, Err(GuardError::Count { at: 4, count: 0x7fff_ffff, remaining: 0 }));
        let refused = check(ApiKey::Metadata, 12, b"\xff\xff\xff\xff\x0f");
        assert_eq!(refused, Err(GuardError::Count { at: 5, count: 0xffff_fffe, remaining: 0 }));
        // Two topics of no bytes would need four bytes for their lengths.
        assert!(matches!(check(ApiKey::Metadata, 1, b"\0\0\0\x02\0\0\0"), Err(GuardError::Count { .. })));
        assert_eq!(walk(ApiKey::Metadata, 1, b"\0\0\0\x02\0\0\0\0"), Ok(Walked { len: 8, elements: 2 }));
    }

    #[test]
    fn tagged_fields_must_be_there_and_as_long_as_they_say() {
        // Metadata v12: null topics, two booleans, then tags.
        assert_eq!(check(ApiKey::Metadata, 12, b"\0\x01\0\0"), Ok(()));
        assert_eq!(check(ApiKey::Metadata, 12, b"\0\x01\0\x01\x63\x02ab"), Ok(()));
        assert!(matches!(
            check(ApiKey::Metadata, 12, b"\0\x01\0\x01\x63\x03ab"),
            Err(GuardError::Truncated { .. })
        ));
        assert!(matches!(check(ApiKey::Metadata, 12, b"\0\x01\0\x05\x63\0"), Err(GuardError::Count { .. })));
    }

    #[test]
    fn a_version_without_messages_is_refused() {
        for (key, version) in [
            (ApiKey::Produce, 2),
            (ApiKey::InitProducerId, 7),
            (ApiKey::LeaderAndIsr, 0),
            (ApiKey::Metadata, -1),
        ] {
            assert_eq!(check(key, version, &[0; 64]), Err(GuardError::Version { key, version }));
        }
    }

    #[test]
    fn elements_are_counted_over_the_whole_request() {
        let topics = REQUEST_ELEMENTS_MAX + 1;
        let mut body = (topics as i32).to_be_bytes().to_vec();
        body.resize(4 + topics * 2, 0);
        let max = REQUEST_ELEMENTS_MAX;
        assert_eq!(check(ApiKey::Metadata, 1, &body), Err(GuardError::Elements { max }));
    }

    #[test]
    fn every_decodable_version_has_a_layout() {
        for row in crate::versions::all() {
            let Some(range) = row.decodable else { continue };
            for version in range.min..=range.max {
                assert!(program(&REQUESTS, row.key, version).is_some(), "{} v{version}", row.name);
                assert!(program(&RESPONSES, row.key, version).is_some(), "{} v{version}", row.name);
            }
            assert!(program(&REQUESTS, row.key, range.min - 1).is_none());
            assert!(program(&REQUESTS, row.key, range.max + 1).is_none());
        }
    }
}
