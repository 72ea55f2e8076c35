//! The numbers that name Kafka's APIs.
//! Core.

use std::fmt;

pub use crate::generated::versions::ApiKey;
use crate::generated::versions::ROWS;

impl ApiKey {
    /// How many keys Kafka has given out; they run from 0 without a hole.
    pub const COUNT: usize = ROWS.len();

    /// The key with this number, retired keys included.
    pub fn from_i16(key: i16) -> Option<ApiKey> {
        ROWS.get(usize::try_from(key).ok()?).map(|row| row.key)
    }

    pub fn to_i16(self) -> i16 {
        self as i16
    }

    /// Kafka's name, such as `Produce`.
    pub fn name(self) -> &'static str {
        ROWS[self as usize].name
    }

    /// Every key in the order of its number.
    pub fn all() -> impl Iterator<Item = ApiKey> {
        ROWS.iter().map(|row| row.key)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_number_and_no_other_number_is() {
        assert_eq!(ApiKey::COUNT, 93);
        for (number, key) in ApiKey::all().enumerate() {
            assert_eq!(key.to_i16() as usize, number);
            assert_eq!(ApiKey::from_i16(key.to_i16()), Some(key));
        }
        assert_eq!(ApiKey::from_i16(-1), None);
        assert_eq!(ApiKey::from_i16(93), None);
        assert_eq!(ApiKey::from_i16(i16::MIN), None);
    }

    #[test]
    fn names_are_kafkas() {
        assert_eq!(ApiKey::OffsetForLeaderEpoch.to_string(), "OffsetForLeaderEpoch");
        assert_eq!(ApiKey::from_i16(4).map(ApiKey::name), Some("LeaderAndIsr"));
        assert_eq!(ApiKey::from_i16(92).map(ApiKey::name), Some("DeleteShareGroupOffsets"));
    }
}
