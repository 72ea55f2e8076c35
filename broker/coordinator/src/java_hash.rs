//! Java's `String.hashCode` and `Uuid.hashCode`, and the order in which its hash tables show what they hold.
//! Core. The hash places a group on a partition of `__consumer_offsets`; the order decides what an assignor of Kafka's
//! gives to whom.

use std::cmp::Ordering;

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

/// Kafka's `Uuid.hashCode`: its four words, folded.
pub fn uuid_hash(id: &uuid::Uuid) -> i32 {
    let (high, low) = id.as_u64_pair();
    let folded = high ^ low;
    ((folded >> 32) as u32 ^ folded as u32) as i32
}

/// Kafka's `Uuid.compareTo`: two signed numbers.
pub fn uuid_order(left: &uuid::Uuid, right: &uuid::Uuid) -> Ordering {
    let signed = |id: &uuid::Uuid| {
        let (high, low) = id.as_u64_pair();
        (high as i64, low as i64)
    };
    signed(left).cmp(&signed(right))
}

/// `String.compareTo`: by UTF-16 units, which is another order than that of UTF-8 bytes.
pub fn string_order(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

/// The buckets of a `HashMap` that was made for `initial` and got `len` entries, one after another.
pub fn grown_capacity(initial: usize, len: usize) -> usize {
    let mut capacity = initial.next_power_of_two();
    while len > capacity * 3 / 4 {
        capacity *= 2;
    }
    capacity
}

/// The buckets of a `HashMap` made without a number.
pub const DEFAULT_CAPACITY: usize = 16;

/// The buckets of a `HashSet` that was made of a collection (up to Java 18; later ones take half as many for 12, 24,
/// 48 and so on).
pub fn copied_capacity(len: usize) -> usize {
    let wanted = (len as f32 / 0.75) as usize + 1;
    wanted.max(DEFAULT_CAPACITY).next_power_of_two()
}

/// Orders as a hash table lists what was put in it in the order in which it is here. (More than eight in one bucket
/// make a tree, in Java; its order is not followed.)
pub fn order_as_listed<T>(items: &mut [T], capacity: usize, hash: impl Fn(&T) -> i32) {
    items.sort_by_cached_key(|item| bucket(hash(item), capacity));
}

/// Where a `HashMap` puts a hash.
fn bucket(hash: i32, capacity: usize) -> usize {
    let hash = hash as u32;
    (hash ^ (hash >> 16)) as usize & (capacity - 1)
}

/// `TopicPartition.hashCode`.
fn partition_hash(partition: &TopicPartition) -> i32 {
    partition_hash_of(partition.topic.as_str(), partition.partition.0)
}

fn partition_hash_of(topic: &str, index: i32) -> i32 {
    31i32.wrapping_add(index).wrapping_mul(31).wrapping_add(string_hash(topic))
}

/// Orders as a `ConcurrentHashMap` by partitions of the topic, which grew by these, lists them. It grows one entry before
/// a `HashMap` does.
pub fn order_as_in_concurrent_map<T>(items: &mut [T], topic: &str, index: impl Fn(&T) -> i32) {
    let capacity = grown_capacity(DEFAULT_CAPACITY, items.len() + 1);
    order_as_listed(items, capacity, |item| partition_hash_of(topic, index(item)));
}

/// Orders as Kafka's `TimelineHashMap` lists what was put in it in the order in which it is here: of those that share a
/// slot, the last comes first.
pub fn order_as_in_timeline<T>(items: &mut [T], hash: impl Fn(&T) -> i32) {
    const FIBONACCI: i64 = -7_046_029_254_386_353_131;
    let mut capacity_log2 = 1;
    while items.len() as f32 * 0.75 > (1u64 << capacity_log2) as f32 {
        capacity_log2 += 1;
    }
    let slot = |item: &T| (i64::from(hash(item)).wrapping_mul(FIBONACCI) as u64) >> (64 - capacity_log2);
    items.reverse();
    items.sort_by_key(slot);
}

/// The partitions as a `HashSet` that grew by them lists them. Two in one bucket keep their order here;
/// there it is that of their coming.
pub fn in_hash_order<'a>(
    partitions: impl ExactSizeIterator<Item = &'a TopicPartition>,
) -> Vec<&'a TopicPartition> {
    let mut ordered: Vec<&TopicPartition> = partitions.collect();
    let capacity = grown_capacity(DEFAULT_CAPACITY, ordered.len());
    order_as_listed(&mut ordered, capacity, |partition| partition_hash(partition));
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
    fn tables_grow_as_java_s_do() {
        let grown: Vec<usize> = [0, 12, 13, 24, 25].map(|len| grown_capacity(DEFAULT_CAPACITY, len)).into();
        assert_eq!(grown, [16, 16, 32, 32, 64]);
        assert_eq!([0, 1, 2, 3, 7].map(|len| grown_capacity(len, len)), [1, 2, 4, 4, 16]);
        assert_eq!([0, 11, 12, 24, 25].map(copied_capacity), [16, 16, 32, 64, 64]);
    }

    #[test]
    fn texts_and_ids_are_compared_as_java_compares_them() {
        // A pair of surrogates is below U+FFFD in UTF-16, and above it in UTF-8.
        assert_eq!(string_order("\u{1F600}", "\u{FFFD}"), Ordering::Less);
        let high = uuid::Uuid::from_u128(1 << 127);
        assert_eq!(uuid_order(&high, &uuid::Uuid::nil()), Ordering::Less);
        assert_eq!(uuid_hash(&high), i32::MIN);
    }

    #[test]
    fn a_group_is_placed_as_kafka_places_it() {
        assert_eq!(partition_for("hello", 50), 22);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        // A negative hash, seen in a directory of Apache Kafka's.
        assert_eq!(partition_for("closed", 5), 2);
    }

    #[test]
    fn a_concurrent_map_lists_its_partitions_as_java_s_does() {
        let listed = |count: i32| {
            let mut indexes: Vec<i32> = (0..count).collect();
            order_as_in_concurrent_map(&mut indexes, "__consumer_offsets", |index| *index);
            indexes
        };
        // Printed by a Java program that puts `TopicPartition`s of Kafka 4.3.1 into one.
        assert_eq!(listed(5), [0, 3, 4, 1, 2]);
        assert_eq!(listed(11), [0, 9, 10, 7, 8, 5, 6, 3, 4, 1, 2]);
        assert_eq!(listed(12), [11, 9, 10, 0, 7, 8, 5, 6, 3, 4, 1, 2]);
        assert_eq!(listed(24)[..8], [15, 13, 11, 9, 23, 21, 19, 17]);
        assert_eq!(listed(50)[..12], [13, 46, 9, 42, 21, 17, 30, 26, 5, 38, 1, 34]);
        assert_eq!(listed(100)[..8], [79, 13, 46, 87, 21, 54, 63, 96]);
    }

    #[test]
    fn groups_of_a_shard_are_listed_as_a_timeline_map_of_kafka_lists_them() {
        let listed = |count: usize| {
            let mut numbers: Vec<usize> = (0..count).collect();
            order_as_in_timeline(&mut numbers, |number| string_hash(&format!("group-{number}")));
            numbers
        };
        // Printed by a Java program that puts these names into Kafka's own class.
        assert_eq!(listed(2), [1, 0]);
        assert_eq!(listed(5), [3, 1, 0, 2, 4]);
        assert_eq!(listed(12), [1, 6, 3, 8, 0, 5, 11, 2, 7, 4, 10, 9]);
    }

    #[test]
    fn a_timeline_map_lists_by_slots() {
        // As ConsumerGroupDescribe of Kafka 4.3.1 lists them.
        let mut members = ["member-1", "member-2"];
        order_as_in_timeline(&mut members, |id| string_hash(id));
        assert_eq!(members, ["member-2", "member-1"], "they share a slot");
        order_as_in_timeline::<&str>(&mut [], |id| string_hash(id));
    }
}
