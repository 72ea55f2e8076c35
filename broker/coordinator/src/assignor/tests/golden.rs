//! Random groups that `protocol-tests/golden` made, and what Apache Kafka's own assignors gave to their members.
//! Core. The files' lines are described in `Assignments.java` and `TaskAssignments.java` there.

use std::io::Read;

use super::super::streams::{StreamsGroupSpec, StreamsMemberSpec, SubtopologySpec, Tasks, TasksTuple};
use super::*;

const UNIFORM: &[u8] = include_bytes!("../golden/uniform.txt.gz");
const RANGE: &[u8] = include_bytes!("../golden/range.txt.gz");
const STICKY: &[u8] = include_bytes!("../golden/sticky.txt.gz");

/// By member, by topic or subtopology, its partitions.
type Owned = BTreeMap<usize, BTreeMap<usize, BTreeSet<i32>>>;

/// The lines of one group: those of its members and what they read, and those of owners by their first word.
#[derive(Default)]
struct Golden {
    lines: Vec<Vec<String>>,
    owned: BTreeMap<String, Owned>,
}

fn groups(compressed: &[u8]) -> Vec<Golden> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).expect("a golden file");
    let mut groups: Vec<Golden> = Vec::new();
    for line in text.lines() {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match words[0].as_str() {
            "group" => groups.push(Golden { lines: vec![words], ..Golden::default() }),
            "topic" | "subtopology" | "member" => groups.last_mut().expect("a group").lines.push(words),
            _ => groups.last_mut().expect("a group").add_owners(&words),
        }
    }
    groups
}

impl Golden {
    fn add_owners(&mut self, words: &[String]) {
        let of_word = self.owned.entry(words[0].clone()).or_default();
        let topic = words[1].parse().expect("a place");
        for (owners, partition) in words[2..].iter().zip(0..) {
            for owner in owners.split('+').filter(|owner| *owner != "-") {
                let of_owner = of_word.entry(owner.parse().expect("a place")).or_default();
                of_owner.entry(topic).or_default().insert(partition);
            }
        }
    }

    fn head(&self) -> &str {
        &self.lines[0][1]
    }

    fn of(&self, word: &str) -> impl Iterator<Item = &[String]> {
        self.lines.iter().filter(move |line| line[0] == word).map(|line| &line[1..])
    }

    /// What a member has, with the names of topics.
    fn owned<K: Ord + Clone>(&self, word: &str, member: usize, names: &[K]) -> BTreeMap<K, BTreeSet<i32>> {
        let of_member = self.owned.get(word).and_then(|owned| owned.get(&member));
        let by_place = of_member.into_iter().flatten();
        by_place.map(|(place, partitions)| (names[*place].clone(), partitions.clone())).collect()
    }

    fn consumers(&self) -> (GroupSpec, Topics, BTreeMap<MemberId, Assignment>) {
        let id = |word: &str| TopicId::parse(word).expect("a topic id");
        let ids: Vec<TopicId> = self.of("topic").map(|words| id(&words[1])).collect();
        let there = self.of("topic").filter(|words| words[2] != "gone").map(|words| {
            let spec = TopicSpec {
                name: TopicName::new(&words[0]),
                partition_count: words[2].parse().expect("a number"),
            };
            (id(&words[1]), spec)
        });
        let mut members = BTreeMap::new();
        let mut target = BTreeMap::new();
        for (place, words) in self.of("member").enumerate() {
            let read = words[2..].iter().map(|word| ids[word.parse::<usize>().expect("a place")]);
            let member = MemberSubscription {
                instance_id: (words[1] != "-").then(|| Arc::from(&*words[1])),
                topics: Arc::new(read.collect()),
                current: Arc::new(self.owned("current", place, &ids)),
            };
            members.insert(MemberId::new(&words[0]), member);
            target.insert(MemberId::new(&words[0]), self.owned("target", place, &ids));
        }
        let subscription_type = match self.head() {
            "homogeneous" => SubscriptionType::Homogeneous,
            _ => SubscriptionType::Heterogeneous,
        };
        (GroupSpec { members, subscription_type }, there.collect(), target)
    }

    fn streams(&self) -> (StreamsGroupSpec, BTreeMap<MemberId, TasksTuple>) {
        let ids: Vec<String> = self.of("subtopology").map(|words| words[0].clone()).collect();
        let subtopologies = self.of("subtopology").map(|words| {
            let task_count = words[1].parse().expect("a number");
            (words[0].clone(), SubtopologySpec { task_count, is_stateful: words[2] == "stateful" })
        });
        let mut members = BTreeMap::new();
        let mut target = BTreeMap::new();
        for (place, words) in self.of("member").enumerate() {
            let tuple = |active: &str, standby: &str| TasksTuple {
                active: self.owned(active, place, &ids),
                standby: self.owned(standby, place, &ids),
                warmup: Tasks::new(),
            };
            let current = Arc::new(tuple("current-active", "current-standby"));
            let member = StreamsMemberSpec { process_id: Arc::from(&*words[1]), current };
            members.insert(MemberId::new(&words[0]), member);
            target.insert(MemberId::new(&words[0]), tuple("active", "standby"));
        }
        let spec = StreamsGroupSpec {
            members,
            subtopologies: subtopologies.collect(),
            num_standby_replicas: self.head().parse().expect("a number"),
        };
        (spec, target)
    }
}

fn check_consumers(assignor: ConsumerAssignor, compressed: &[u8]) {
    let groups = groups(compressed);
    assert!(groups.len() > 2_000, "{} groups", groups.len());
    for (number, golden) in groups.iter().enumerate() {
        let (group, topics, target) = golden.consumers();
        assert!(!group.members.is_empty());
        let assigned = assignor.assign(&group, &topics).expect("Kafka had no error");
        assert!(assigned == target, "group {number}: {assigned:?} is not {target:?}");
    }
}

#[test]
fn uniform_assigns_as_kafka_does() {
    check_consumers(ConsumerAssignor::Uniform, UNIFORM);
}

#[test]
fn range_assigns_as_kafka_does() {
    check_consumers(ConsumerAssignor::Range, RANGE);
}

#[test]
fn tasks_are_assigned_as_kafka_does() {
    let groups = groups(STICKY);
    assert!(groups.len() > 2_000, "{} groups", groups.len());
    for (number, golden) in groups.iter().enumerate() {
        let (group, target) = golden.streams();
        let assigned = group.assign().expect("Kafka had no error");
        assert!(assigned == target, "group {number}: {assigned:?} is not {target:?}");
    }
}
