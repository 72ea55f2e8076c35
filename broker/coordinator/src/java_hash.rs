//! Java's `String.hashCode`: it places a group on a partition of `__consumer_offsets`.
//! Core.

/// Over UTF-16 units, wrapping.
pub fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition that holds a group's records (Kafka's `Utils.abs`: the sign bit is dropped).
pub fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    (string_hash(group_id) & i32::MAX) % partition_count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_java_s() {
        assert_eq!(string_hash(""), 0);
        assert_eq!(string_hash("hello"), 99_162_322);
        assert_eq!(string_hash("polygenelubricants"), i32::MIN);
        // Two UTF-16 units: 0xD83D * 31 + 0xDE00.
        assert_eq!(string_hash("\u{1F600}"), 0xD83D * 31 + 0xDE00);
    }

    #[test]
    fn a_group_is_placed_as_kafka_places_it() {
        assert_eq!(partition_for("hello", 50), 22);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }
}
