//! Java's `String.hashCode`, and the order in which its `HashSet` of partitions shows what it holds.
//! Core. The hash places a group on a partition of `__consumer_offsets`.

use ottla_model::TopicPartition;

/// Over UTF-16 units, wrapping.
pub fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition that holds the records of a group or a transactional id. Kafka's `Utils.abs`: the absolute
/// value, and 0 for the one number that has none.
pub fn partition_for(id: &str, partition_count: i32) -> i32 {
    string_hash(id).checked_abs().unwrap_or(0) % partition_count.max(1)
}

/// `TopicPartition.hashCode`, spread as a `HashMap` spreads it.
fn spread_hash(partition: &TopicPartition) -> u32 {
    let first = 31i32.wrapping_add(partition.partition.0);
    let hash = first.wrapping_mul(31).wrapping_add(string_hash(partition.topic.as_str())) as u32;
    hash ^ (hash >> 16)
}

/// The partitions as a `HashSet` that grew by them lists them. Two in one bucket keep their order here;
/// there it is that of their coming.
pub fn in_hash_order<'a>(
    partitions: impl ExactSizeIterator<Item = &'a TopicPartition>,
) -> Vec<&'a TopicPartition> {
    let mut capacity = 16;
    while partitions.len() > capacity * 3 / 4 {
        capacity *= 2;
    }
    let mut ordered: Vec<&TopicPartition> = partitions.collect();
    ordered.sort_by_key(|partition| spread_hash(partition) as usize & (capacity - 1));
    ordered
}

#[cfg(test)]
mod tests {
    use ottla_model::{PartitionIndex, TopicName};

    use super::*;

    #[test]
    fn partitions_are_in_the_order_that_kafka_listed_them_in() {
        let set = |topic: &str, indexes: &[i32]| -> Vec<TopicPartition> {
            let name = TopicName::new(topic);
            indexes.iter().map(|index| TopicPartition::new(name.clone(), PartitionIndex(*index))).collect()
        };
        let order = |partitions: &[TopicPartition], topic: &str| -> Vec<i32> {
            let of = in_hash_order(partitions.iter()).into_iter();
            of.filter(|one| one.topic.as_str() == topic).map(|one| one.partition.0).collect()
        };
        assert_eq!(order(&set("fence-many", &[0, 3, 7]), "fence-many"), [7, 3, 0]);
        let mut many = set("fence-many", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        many.extend(set("fence-more", &[0, 1, 4]));
        many.extend(set("fence", &[0, 1]));
        many.extend(set("__consumer_offsets", &[3]));
        assert_eq!(order(&many, "fence-many"), [9, 10, 11, 5, 6, 7, 8, 1, 2, 3, 4, 0]);
        assert_eq!(order(&many, "fence-more"), [0, 1, 4]);
        assert_eq!(order(&many, "fence"), [1, 0]);
    }

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
        // A negative hash, seen in a directory of Apache Kafka's.
        assert_eq!(partition_for("closed", 5), 2);
    }
}
