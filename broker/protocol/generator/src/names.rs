//! From Kafka's names to Rust's.
//! Core.

/// `TopicId` and `topicId` become `topic_id`, `KRaftVersion` becomes `k_raft_version`, as in the
/// kafka-protocol crate, whose types ours stand beside.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase();
        let before_lower = at > 0 && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_lower || before_lower) {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    match out.as_str() {
        "type" | "match" | "enum" | "struct" | "ref" | "move" => format!("_{out}"),
        _ => out,
    }
}

/// A type's name: as it is, with a capital first.
pub fn pascal(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_look_like_the_crates() {
        assert_eq!(snake("TopicId"), "topic_id");
        assert_eq!(snake("preferredReadReplica"), "preferred_read_replica");
        assert_eq!(snake("KRaftVersionRecord"), "k_raft_version_record");
        assert_eq!(snake("ISR"), "isr");
        assert_eq!(snake("Type"), "_type");
        assert_eq!(pascal("taskIds"), "TaskIds");
    }
}
