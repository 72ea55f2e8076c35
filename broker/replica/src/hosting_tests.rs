//! What is hosted of an image, and what is answered for the rest.
//! Core, over logs in memory.

use std::path::Path;
use std::sync::Arc;

use ottla_config::DynamicBrokerConfig;
use ottla_env::Disk;
use ottla_log::AppendOrigin;
use ottla_metadata::{Image, ImageListener, Working};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::{
    MetadataRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use ottla_records::BatchBuilder;
use prometheus::Registry;

use crate::acknowledge::{Acks, Durability, NotAcknowledged};
use crate::metrics::ReplicaMetrics;
use crate::partition::Unavailable;
use crate::replica_manager::ReplicaManager;
use crate::role::Role;
use crate::test_world::{B, ID, ME, NOW, World, append, fetched, high_watermark, poll};

struct Hosts {
    world: World,
    replicas: Arc<ReplicaManager>,
    working: Working,
}

fn config(more: &[(&str, &str)]) -> Arc<DynamicBrokerConfig> {
    let given = [("node.id", "1"), ("log.dirs", "/data")];
    let given: Vec<_> =
        given.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Arc::new(DynamicBrokerConfig::new(
        ottla_config::load(None, &[], &given).expect("a valid configuration").0,
    ))
}

impl Hosts {
    fn new() -> Hosts {
        Hosts::configured(&[])
    }

    fn configured(more: &[(&str, &str)]) -> Hosts {
        let world = World::new();
        let metrics = Arc::new(ReplicaMetrics::new(&Registry::new()).expect("metrics"));
        let replicas = ReplicaManager::new(world.logs.clone(), config(more), Durability::SurviveOne, metrics);
        Hosts { world, replicas, working: Working::new(Image::empty("cluster", ME)) }
    }

    /// The records are replayed and the image is published.
    fn publish(&mut self, records: impl IntoIterator<Item = MetadataRecord>) {
        for record in records {
            let offset = self.working.image.metadata_offset() + 1;
            self.working.replay(record, offset, LeaderEpoch(0));
        }
        let delta = std::mem::take(&mut self.working.delta);
        self.replicas.on_image(&delta, &Arc::new(self.working.image.clone()));
    }

    fn create(&mut self, partitions: &[(BrokerId, &[BrokerId])]) {
        let topic =
            TopicRecord { name: StrBytes::from_static_str("t"), topic_id: ID.0, ..Default::default() };
        let partitions = (0..).zip(partitions).map(|(index, (leader, replicas))| PartitionRecord {
            partition_id: index,
            topic_id: ID.0,
            leader: leader.0,
            leader_epoch: 0,
            replicas: replicas.iter().map(|id| id.0).collect(),
            isr: replicas.iter().map(|id| id.0).collect(),
            ..Default::default()
        });
        self.publish(
            [topic.into()].into_iter().chain(partitions.map(MetadataRecord::from)).collect::<Vec<_>>(),
        );
    }

    fn change(&mut self, index: i32, leader: BrokerId, replicas: &[BrokerId]) {
        let ids = || Some(replicas.iter().map(|id| id.0).collect());
        let change = PartitionChangeRecord {
            partition_id: index,
            topic_id: ID.0,
            leader: leader.0,
            replicas: ids(),
            isr: ids(),
            ..Default::default()
        };
        self.publish([change.into()]);
    }

    fn refusal(&self, index: i32) -> Option<ErrorCode> {
        self.replicas.find("t", index).err()
    }
}

#[test]
fn only_partitions_with_a_replica_here_are_hosted_and_the_others_are_elsewhere() {
    let mut hosts = Hosts::new();
    hosts.create(&[(B, &[B]), (ME, &[ME]), (B, &[B]), (B, &[ME, B])]);
    let topic = hosts.replicas.hosted().by_id(ID).expect("hosted").clone();
    let indexes: Vec<i32> = topic.partitions.iter().map(|partition| partition.index().0).collect();
    assert_eq!((indexes, topic.partitions.len()), (vec![1, 3], 2));
    assert!(topic.partition(1).is_some_and(|partition| partition.led(0).is_ok()));
    assert!(matches!(topic.partition(3).map(|p| p.led(0).err()), Some(Some(Unavailable::NotLeader))));
    for index in [0, 2] {
        assert!(topic.partition(index).is_none());
        assert_eq!(hosts.refusal(index), Some(ErrorCode::NotLeaderOrFollower));
    }
    for index in [-1, 4] {
        assert_eq!(hosts.refusal(index), Some(ErrorCode::UnknownTopicOrPartition));
    }
    let hosted = hosts.replicas.hosted();
    assert_eq!(hosted.not_hosted("u", 0), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(hosted.not_hosted_by_id(ID, 0), ErrorCode::NotLeaderOrFollower);
    let nobody = TopicId(uuid::Uuid::from_u128(5));
    assert_eq!(hosted.not_hosted_by_id(nobody, 0), ErrorCode::UnknownTopicId);
}

#[test]
fn a_topic_that_is_all_elsewhere_is_known_and_not_hosted() {
    let mut hosts = Hosts::new();
    hosts.create(&[(B, &[B])]);
    let hosted = hosts.replicas.hosted();
    assert!(hosted.by_name("t").is_none() && hosted.by_id(ID).is_none() && hosted.is_topic("t"));
    assert_eq!(hosts.refusal(0), Some(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn leaders_come_and_go_with_the_image() {
    let mut hosts = Hosts::new();
    hosts.create(&[(ME, &[ME, B])]);
    let partition = hosts.replicas.partition("t", 0).expect("hosted");
    let pending = append(&partition, 2, Acks::All).expect("led here").pending.expect("B has it not yet");
    hosts.change(0, B, &[ME, B]);
    assert!(matches!(&**partition.role(), Role::Follower(follower) if follower.leader() == Some(B)));
    assert_eq!(pending.epoch(), LeaderEpoch(0));
    assert_eq!(poll(&mut Box::pin(pending.acknowledged())), Some(Err(NotAcknowledged::NotLeader)));
    hosts.change(0, ME, &[ME, B]);
    assert_eq!(partition.leader_epoch(), LeaderEpoch(2));
    assert!(Arc::ptr_eq(&partition, &hosts.replicas.partition("t", 0).expect("hosted")));
    fetched(&partition, B, 2);
    assert_eq!(high_watermark(&partition), 2);
}

#[test]
fn who_leaves_and_joins_the_in_sync_replicas_is_counted_where_the_partition_is_led() {
    let mut hosts = Hosts::new();
    hosts.create(&[(ME, &[ME, B]), (B, &[ME, B])]);
    let mut set = |index: i32, isr: &[BrokerId]| {
        let isr = Some(isr.iter().map(|id| id.0).collect());
        let change = PartitionChangeRecord { partition_id: index, topic_id: ID.0, isr, ..Default::default() };
        hosts.publish([change.into()]);
        hosts.replicas.isr_moves()
    };
    assert_eq!(set(0, &[ME, B]), (0, 0), "it is as it was");
    assert_eq!(set(0, &[ME]), (1, 0));
    assert_eq!(set(1, &[B]), (1, 0), "its leader counts it");
    assert_eq!(set(0, &[ME, B]), (1, 1));
    assert_eq!(set(0, &[ME]), (2, 1));
}

#[test]
fn a_replica_that_moves_away_takes_its_log_with_it_and_may_come_back_empty() {
    let mut hosts = Hosts::new();
    hosts.create(&[(ME, &[ME]), (ME, &[ME])]);
    let moved = hosts.replicas.partition("t", 0).expect("hosted");
    append(&moved, 1, Acks::Leader).expect("led here");
    hosts.change(0, B, &[B]);
    assert_eq!(hosts.refusal(0), Some(ErrorCode::NotLeaderOrFollower));
    assert!(!moved.is_deleted() && matches!(moved.led(-1), Err(Unavailable::NotLeader)));
    assert!(hosts.world.logs.get(&moved.name).is_none(), "its folder is gone");
    assert!(hosts.replicas.partition("t", 1).is_some_and(|other| other.led(-1).is_ok()));
    hosts.change(0, ME, &[ME]);
    let back = hosts.replicas.partition("t", 0).expect("hosted again");
    assert!(!Arc::ptr_eq(&back, &moved));
    assert_eq!((back.leader_epoch(), high_watermark(&back)), (LeaderEpoch(2), 0));
}

#[test]
fn a_log_directory_that_fails_takes_its_partitions_offline_whatever_the_image_says() {
    let mut hosts = Hosts::new();
    hosts.create(&[(ME, &[ME, B]), (ME, &[ME]), (ME, &[ME])]);
    let partition = |index| hosts.replicas.partition("t", index).expect("hosted");
    let (replicated, alone, unopened) = (partition(0), partition(1), partition(2));
    let pending = append(&replicated, 1, Acks::All).expect("led here").pending.expect("B has it not yet");
    assert!(append(&alone, 1, Acks::Leader).expect("led here").pending.is_none());
    hosts.world.break_syncs();
    assert!(alone.log().expect("open").flush().is_err());
    assert_eq!(poll(&mut Box::pin(pending.acknowledged())), Some(Err(NotAcknowledged::Storage)));
    for partition in [&replicated, &alone, &unopened] {
        assert!(matches!(partition.led(-1), Err(Unavailable::Storage)), "{}", partition.name);
        assert!(append(partition, 1, Acks::Leader).is_err());
    }
    for (epoch, leader) in [(1, ME), (2, B)] {
        hosts.change(0, leader, &[ME, B]);
        assert!(matches!(replicated.led(-1), Err(Unavailable::Storage)));
        assert!(
            matches!(&**replicated.role(), Role::Offline(offline) if offline.epoch == LeaderEpoch(epoch))
        );
    }
}

#[test]
fn a_deleted_topic_is_unknown_at_once() {
    let mut hosts = Hosts::new();
    hosts.create(&[(ME, &[ME]), (B, &[B])]);
    let partition = hosts.replicas.partition("t", 0).expect("hosted");
    append(&partition, 1, Acks::Leader).expect("led here");
    hosts.publish([RemoveTopicRecord { topic_id: ID.0, ..Default::default() }.into()]);
    assert!(partition.is_deleted() && hosts.world.logs.get(&partition.name).is_none());
    for index in [0, 1] {
        assert_eq!(hosts.refusal(index), Some(ErrorCode::UnknownTopicOrPartition));
    }
    assert_eq!(hosts.replicas.hosted().not_hosted_by_id(ID, 0), ErrorCode::UnknownTopicId);
}

#[test]
fn what_moved_away_while_this_node_was_down_is_set_aside_and_kept() {
    let mut hosts = Hosts::new();
    // As a start found them: t-0 and t-1 have moved, u is deleted.
    for name in ["t-0", "t-1", "t-2", "u-0", "__cluster_metadata-0"] {
        let name = TopicPartition::parse(name).expect("a partition");
        let log = hosts.world.logs.get_or_create(&name, ID, Arc::default()).expect("a log");
        let mut batch = BatchBuilder::new();
        batch.append(NOW, None, Some(b"v"), &[]);
        log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
    }
    hosts.create(&[(B, &[B]), (B, &[B]), (ME, &[ME, B])]);
    hosts.replicas.set_strays_aside();
    let names = hosts.world.disk.read_names(Path::new("/data")).expect("readable");
    let folders: Vec<String> = names.into_iter().filter(|name| name.is_dir).map(|name| name.text).collect();
    let stray = |partition: &str| {
        let is_it = |name: &&String| name.starts_with(&format!("{partition}.")) && name.ends_with("-stray");
        folders.iter().filter(is_it).count()
    };
    assert_eq!([stray("t-0"), stray("t-1"), stray("u-0")], [1, 1, 1], "{folders:?}");
    assert!(folders.contains(&"t-2".to_owned()) && folders.contains(&"__cluster_metadata-0".to_owned()));
    assert_eq!(folders.len(), 5, "{folders:?}");
    // It comes back, and begins anew.
    hosts.change(0, ME, &[ME]);
    let back = hosts.replicas.partition("t", 0).expect("hosted");
    assert_eq!(back.log().expect("a log").log_end_offset(), Offset(0));
    assert_eq!(
        hosts.replicas.partition("t", 2).expect("hosted").log().expect("its log").log_end_offset(),
        Offset(1)
    );
}

#[test]
fn what_is_being_added_is_throttled_where_the_cluster_balances_itself_until_it_is_there() {
    let moved =
        |adding: Option<Vec<i32>>, removing: Option<Vec<i32>>, replicas: &[i32]| PartitionChangeRecord {
            partition_id: 0,
            topic_id: ID.0,
            replicas: Some(replicas.to_vec()),
            adding_replicas: adding,
            removing_replicas: removing,
            ..Default::default()
        };
    for (balance, is_throttled) in [("propose", false), ("auto", true)] {
        let mut hosts = Hosts::configured(&[("ottla.balance", balance)]);
        hosts.create(&[(ME, &[ME, B]), (ME, &[ME, B])]);
        let partition = hosts.replicas.partition("t", 0).expect("hosted");
        let throttled = || {
            let now = partition.topic.throttled();
            (now.leading.contains(0), now.following.contains(0), now.leading.contains(1))
        };
        let quota = &partition.topic.shared.throttles.leading;
        assert_eq!(quota.is_limited(), is_throttled);
        quota.record(3 * 26_214_400, partition.topic.now());
        assert_eq!(quota.is_exceeded(partition.topic.now()), is_throttled, "not ten seconds' worth at once");
        assert_eq!(throttled(), (false, false, false));
        hosts.publish([moved(Some(vec![3]), Some(vec![2]), &[3, 1, 2]).into()]);
        assert_eq!(throttled(), (is_throttled, false, false), "{balance}");
        hosts.publish([moved(Some(vec![1]), Some(vec![]), &[1, 2]).into()]);
        assert_eq!(throttled(), (is_throttled, is_throttled, false), "{balance}");
        hosts.publish([moved(Some(vec![]), Some(vec![]), &[1, 2]).into()]);
        assert_eq!(throttled(), (false, false, false), "{balance}");
    }
}
