//! What an assignment costs for 1,000 members and 10,000 partitions: of a new group, and when one of its members leaves.
//! Shell: it looks at the clock. `cargo bench -p ottla-coordinator`

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use ottla_coordinator::assignor::streams::{StreamsGroupSpec, StreamsMemberSpec, SubtopologySpec};
use ottla_coordinator::assignor::{
    ConsumerAssignor, GroupSpec, MemberSubscription, SubscriptionType, TopicSpec, Topics,
};
use ottla_env::Rng;
use ottla_env::memory::SeededRng;
use ottla_model::{MemberId, TopicId, TopicName};

const MEMBERS: usize = 1_000;
const PARTITIONS: usize = 10_000;

fn id(rng: &SeededRng) -> uuid::Uuid {
    uuid::Uuid::from_u64_pair(rng.next_u64(), rng.next_u64())
}

fn topics(count: usize, rng: &SeededRng) -> Topics {
    let specs = (0..count).map(|number| {
        let name = TopicName::new(&format!("topic-{number}"));
        (TopicId(id(rng)), TopicSpec { name, partition_count: (PARTITIONS / count) as i32 })
    });
    specs.collect()
}

/// With `overlap`, members read half of the topics each, and no two the same ones.
fn group(topics: &Topics, overlap: bool, rng: &SeededRng) -> GroupSpec {
    let all: Arc<BTreeSet<TopicId>> = Arc::new(topics.keys().copied().collect());
    let members = (0..MEMBERS).map(|_| {
        let half = || all.iter().filter(|_| rng.below(2) == 0).copied().collect();
        let read = if overlap { Arc::new(half()) } else { all.clone() };
        (MemberId::new(&id(rng).to_string()), MemberSubscription { topics: read, ..Default::default() })
    });
    let members: BTreeMap<_, _> = members.collect();
    GroupSpec { subscription_type: SubscriptionType::of(&members), members }
}

fn consumers(bench: &mut Criterion) {
    for (topic_count, overlap) in [(1, false), (100, false), (1_000, false), (100, true)] {
        for assignor in ConsumerAssignor::ALL {
            let rng = SeededRng::new(1);
            let topics = topics(topic_count, &rng);
            let mut group = group(&topics, overlap, &rng);
            let kind = if overlap { "of half the" } else { "of" };
            let name = format!("{} {kind} {topic_count} topics", assignor.name());
            bench.bench_function(&format!("{name}, new"), |b| {
                b.iter(|| black_box(assignor.assign(&group, &topics)))
            });
            for (id, assignment) in assignor.assign(&group, &topics).expect("all are there") {
                group.members.get_mut(&id).expect("a member").current = Arc::new(assignment);
            }
            group.members.pop_first();
            bench.bench_function(&format!("{name}, one leaves"), |b| {
                b.iter(|| black_box(assignor.assign(&group, &topics)))
            });
        }
    }
}

fn streams(bench: &mut Criterion) {
    let rng = SeededRng::new(2);
    let subtopologies = (0..10).map(|number| {
        (format!("{number}"), SubtopologySpec { task_count: (PARTITIONS / 10) as i32, is_stateful: true })
    });
    let processes: Vec<Arc<str>> = (0..MEMBERS / 4).map(|_| Arc::from(id(&rng).to_string())).collect();
    let members = (0..MEMBERS).map(|number| {
        let process_id = processes[number % processes.len()].clone();
        (MemberId::new(&id(&rng).to_string()), StreamsMemberSpec { process_id, current: Arc::default() })
    });
    let mut group = StreamsGroupSpec {
        members: members.collect(),
        subtopologies: subtopologies.collect(),
        num_standby_replicas: 1,
    };
    bench.bench_function("sticky, new", |b| b.iter(|| black_box(group.assign())));
    for (id, tasks) in group.assign().expect("there are members") {
        group.members.get_mut(&id).expect("a member").current = Arc::new(tasks);
    }
    group.members.pop_first();
    bench.bench_function("sticky, one leaves", |b| b.iter(|| black_box(group.assign())));
}

criterion_group! {
    name = assignors;
    config = Criterion::default().sample_size(20);
    targets = consumers, streams
}
criterion_main!(assignors);
