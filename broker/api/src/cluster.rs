//! Where leaders, coordinators and the controller are, as the client of one connection reaches them.
//! Core over the metadata image.

use std::sync::Arc;

use ottla_metadata::{Image, PartitionImage, Replicas, has_directory};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, TopicId};
use ottla_network::ConnectionInfo;
use ottla_protocol::messages::BrokerId as WireBrokerId;
use ottla_protocol::records::metadata::RegisterBrokerRecord;
use ottla_protocol::records::metadata::register_broker_record::BrokerEndpoint;

use crate::context::Broker;

/// What the wire says where there is no leader.
pub const NO_LEADER: BrokerId = BrokerId(-1);

pub fn wire_ids(brokers: &[BrokerId]) -> Vec<WireBrokerId> {
    brokers.iter().map(|id| WireBrokerId(id.0)).collect()
}

/// A broker that serves clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub id: BrokerId,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

/// The cluster at one image, seen through one listener.
pub struct Cluster<'a> {
    image: Arc<Image>,
    /// This broker. The client has reached it: by the address that it dialled, or by what is advertised.
    this: Node,
    listener: &'a str,
    /// Who leads the quorum, as far as this node knows.
    active: Option<BrokerId>,
}

impl<'a> Cluster<'a> {
    pub fn of(broker: &Broker, connection: &'a ConnectionInfo) -> Cluster<'a> {
        let (host, port) = broker.endpoint(connection);
        let this = Node { id: broker.node_id, host, port, rack: broker.config.rack.clone() };
        let active = broker.metadata.leadership().leader;
        Cluster { image: broker.image(), this, listener: &connection.listener.name, active }
    }

    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Brokers that are not fenced, by their ids (`MetadataCache.getAliveBrokerNodes`).
    pub fn nodes(&self) -> Vec<Node> {
        self.image.brokers().filter_map(|(id, _)| self.node(id)).collect()
    }

    /// Other brokers that are fenced and have the listener, by their ids.
    pub fn fenced_nodes(&self) -> Vec<Node> {
        let fenced = self.image.brokers().filter(|(id, broker)| broker.fenced && *id != self.this.id);
        let node = |(id, broker): (BrokerId, &Arc<RegisterBrokerRecord>)| {
            let mut all = broker.end_points.iter();
            let end_point = all.find(|end_point| end_point.name.as_str() == self.listener)?;
            Some(Node {
                id,
                host: end_point.host.to_string(),
                port: i32::from(end_point.port),
                rack: broker.rack.as_ref().map(|rack| rack.to_string()),
            })
        };
        fenced.filter_map(node).collect()
    }

    /// A broker, if it is not fenced and has the listener that the client came through.
    pub fn node(&self, id: BrokerId) -> Option<Node> {
        if id == self.this.id {
            return Some(self.this.clone());
        }
        let end_point = self.end_point(id)?;
        Some(Node {
            id,
            host: end_point.host.to_string(),
            port: i32::from(end_point.port),
            rack: self.image.broker(id).and_then(|broker| broker.rack.as_ref()).map(|rack| rack.to_string()),
        })
    }

    /// What another broker registered for the listener.
    fn end_point(&self, id: BrokerId) -> Option<&BrokerEndpoint> {
        let registered = self.image.broker(id).filter(|broker| !broker.fenced)?;
        registered.end_points.iter().find(|end_point| end_point.name.as_str() == self.listener)
    }

    /// The broker that takes requests for the controller; `None` while there is none. A controller without a
    /// client listener is reached through any broker.
    pub fn controller(&self) -> Option<BrokerId> {
        let active = self.active?;
        if self.is_reachable(active) {
            return Some(active);
        }
        self.image.brokers().map(|(id, _)| id).find(|id| self.is_reachable(*id))
    }

    /// The leader of a partition and its epoch; `None` where there is none.
    pub fn leader(&self, topic: &str, index: i32) -> Option<(BrokerId, LeaderEpoch)> {
        let partition = self.image.partition(topic, PartitionIndex(index))?;
        Some((partition.leader?, partition.leader_epoch))
    }

    /// The same where the topic is named by its id.
    pub fn leader_by_id(&self, topic: TopicId, index: i32) -> Option<(BrokerId, LeaderEpoch)> {
        self.leader(self.image.topic_by_id(topic)?.name.as_str(), index)
    }

    /// The leader that a client can go to (`KRaftMetadataCache.getPartitionMetadata`).
    pub fn reachable_leader(&self, partition: &PartitionImage) -> Result<BrokerId, ErrorCode> {
        let leader = partition.leader.ok_or(ErrorCode::LeaderNotAvailable)?;
        if self.is_reachable(leader) {
            return Ok(leader);
        }
        let is_alive = self.image.broker(leader).is_some_and(|broker| !broker.fenced);
        Err(if is_alive { ErrorCode::ListenerNotFound } else { ErrorCode::LeaderNotAvailable })
    }

    /// Replicas whose brokers are away, or whose directories have failed (`KRaftMetadataCache.isReplicaOffline`).
    pub fn offline_replicas(&self, partition: &PartitionImage) -> Replicas {
        let is_offline =
            |id: &BrokerId| !self.is_reachable(*id) || !has_directory(&self.image, partition, *id);
        partition.replicas.iter().copied().filter(is_offline).collect()
    }

    fn is_reachable(&self, id: BrokerId) -> bool {
        id == self.this.id || self.end_point(id).is_some()
    }

    /// The coordinator of `key`: the leader of its partition of an internal topic
    /// (`KafkaApis.getCoordinator`).
    pub fn coordinator(&self, topic: &str, key: &str) -> Result<Node, ErrorCode> {
        let topic = self.image.topic(topic).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let index = PartitionIndex(ottla_coordinator::java_hash::partition_for(key, count));
        let leader = topic.partition(index).and_then(|partition| partition.leader);
        leader.and_then(|leader| self.node(leader)).ok_or(ErrorCode::CoordinatorNotAvailable)
    }
}

/// The leaders that an answer names because the client came to another broker, or with an old epoch
/// (KIP-951): their addresses go with it, each once. Most answers name none, and look at no image.
pub struct LeaderHints<'a> {
    broker: &'a Broker,
    connection: &'a ConnectionInfo,
    cluster: Option<Cluster<'a>>,
    leaders: Vec<BrokerId>,
}

impl<'a> LeaderHints<'a> {
    pub fn of(broker: &'a Broker, connection: &'a ConnectionInfo) -> LeaderHints<'a> {
        LeaderHints { broker, connection, cluster: None, leaders: Vec::new() }
    }

    /// The leader of a partition and its epoch.
    pub fn add(&mut self, topic: &str, index: i32) -> Option<(BrokerId, LeaderEpoch)> {
        let leader = self.cluster().leader(topic, index);
        self.note(leader)
    }

    /// The same where the topic is named by its id.
    pub fn add_by_id(&mut self, topic: TopicId, index: i32) -> Option<(BrokerId, LeaderEpoch)> {
        let leader = self.cluster().leader_by_id(topic, index);
        self.note(leader)
    }

    /// Their addresses.
    pub fn nodes(&self) -> Vec<Node> {
        let Some(cluster) = &self.cluster else { return Vec::new() };
        self.leaders.iter().filter_map(|leader| cluster.node(*leader)).collect()
    }

    fn cluster(&mut self) -> &Cluster<'a> {
        self.cluster.get_or_insert_with(|| Cluster::of(self.broker, self.connection))
    }

    fn note(&mut self, leader: Option<(BrokerId, LeaderEpoch)>) -> Option<(BrokerId, LeaderEpoch)> {
        if let Some((leader, _)) = leader
            && !self.leaders.contains(&leader)
        {
            self.leaders.push(leader);
        }
        leader
    }
}

#[cfg(test)]
mod tests {
    use ottla_metadata::Working;
    use ottla_model::Offset;
    use ottla_model::topic::GROUP_METADATA_TOPIC;
    use ottla_protocol::StrBytes;
    use ottla_protocol::records::metadata::{
        MetadataRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
    };

    use super::*;

    const ID: TopicId = TopicId(uuid::Uuid::from_u128(7));

    fn broker(id: i32, listener: &'static str, is_fenced: bool) -> MetadataRecord {
        let end_point = BrokerEndpoint {
            name: StrBytes::from_static_str(listener),
            host: StrBytes::from_string(format!("host{id}")),
            port: 9092,
            ..BrokerEndpoint::default()
        };
        RegisterBrokerRecord {
            broker_id: id,
            end_points: vec![end_point],
            fenced: is_fenced,
            rack: None,
            log_dirs: vec![uuid::Uuid::from_u128(502)],
            ..RegisterBrokerRecord::default()
        }
        .into()
    }

    /// Broker 1 is this one, 2 serves too, 3 is fenced, 4 has another listener.
    fn cluster(controller: i32, leaders: &[i32]) -> Cluster<'static> {
        let topic = TopicRecord {
            name: StrBytes::from_static_str(GROUP_METADATA_TOPIC),
            topic_id: ID.0,
            ..Default::default()
        };
        let partitions = (0..).zip(leaders).map(|(index, leader)| PartitionRecord {
            partition_id: index,
            topic_id: ID.0,
            leader: *leader,
            leader_epoch: 5,
            replicas: vec![1, 2, 3, 4],
            isr: vec![1],
            ..Default::default()
        });
        let brokers = [
            broker(1, "PLAINTEXT", false),
            broker(2, "PLAINTEXT", false),
            broker(3, "PLAINTEXT", true),
            broker(4, "OTHER", false),
        ];
        let mut working = Working::new(Image::empty("cluster", BrokerId(controller)));
        let records = brokers.into_iter().chain([topic.into()]).chain(partitions.map(MetadataRecord::from));
        for (offset, record) in (0..).zip(records) {
            working.replay(record, Offset(offset), LeaderEpoch(0));
        }
        let this = Node { id: BrokerId(1), host: "dialled".to_owned(), port: 1234, rack: None };
        let active = Some(BrokerId(controller)).filter(|id| *id != NO_LEADER);
        Cluster { image: Arc::new(working.image), this, listener: "PLAINTEXT", active }
    }

    fn ids(nodes: &[Node]) -> Vec<i32> {
        nodes.iter().map(|node| node.id.0).collect()
    }

    #[test]
    fn nodes_are_those_that_the_client_can_reach_and_this_one_is_where_it_was_reached() {
        let nodes = cluster(1, &[]).nodes();
        assert_eq!(ids(&nodes), [1, 2]);
        assert_eq!((nodes[0].host.as_str(), nodes[0].port), ("dialled", 1234));
        assert_eq!((nodes[1].host.as_str(), nodes[1].port), ("host2", 9092));
        let fenced = cluster(1, &[]).fenced_nodes();
        assert_eq!((ids(&fenced), fenced[0].host.as_str()), (vec![3], "host3"));
    }

    #[test]
    fn a_controller_that_serves_no_clients_is_behind_a_broker_that_does() {
        let controller = |id| cluster(id, &[]).controller().map(|id| id.0);
        assert_eq!((controller(1), controller(2)), (Some(1), Some(2)));
        assert_eq!((controller(3), controller(9)), (Some(1), Some(1)));
        assert_eq!(controller(-1), None, "nobody leads");
    }

    #[test]
    fn a_leader_that_cannot_be_reached_is_said_to_be_so() {
        let cluster = cluster(1, &[1, 2, 3, 4, -1]);
        let partition = |index| {
            cluster
                .image()
                .partition(GROUP_METADATA_TOPIC, PartitionIndex(index))
                .expect("a partition")
                .clone()
        };
        let leader = |index| cluster.reachable_leader(&partition(index)).map(|id| id.0);
        assert_eq!((leader(0), leader(1)), (Ok(1), Ok(2)));
        assert_eq!(
            (leader(2), leader(4)),
            (Err(ErrorCode::LeaderNotAvailable), Err(ErrorCode::LeaderNotAvailable))
        );
        assert_eq!(leader(3), Err(ErrorCode::ListenerNotFound));
        assert_eq!(cluster.offline_replicas(&partition(0)).to_vec(), [BrokerId(3), BrokerId(4)]);
        // One of the directories has failed of the broker that is there.
        let [failed, there] = [501, 502].map(uuid::Uuid::from_u128);
        let directories = vec![uuid::Uuid::nil(), failed, there, there].into();
        let mut known = (*partition(0)).clone();
        known.directories = directories;
        assert_eq!(cluster.offline_replicas(&known).to_vec(), [2, 3, 4].map(BrokerId));
    }

    #[test]
    fn a_leader_is_named_with_its_epoch_and_none_where_there_is_none() {
        let cluster = cluster(1, &[2, -1]);
        assert_eq!(cluster.leader_by_id(ID, 0), Some((BrokerId(2), LeaderEpoch(5))));
        assert_eq!((cluster.leader_by_id(ID, 1), cluster.leader_by_id(ID, 2)), (None, None));
        assert_eq!(cluster.leader("nowhere", 0), None);
    }

    #[test]
    fn a_coordinator_leads_the_partition_of_its_key() {
        let of = |leaders: &[i32]| {
            cluster(1, leaders).coordinator(GROUP_METADATA_TOPIC, "g").map(|node| node.id.0)
        };
        assert_eq!((of(&[1]), of(&[2])), (Ok(1), Ok(2)));
        assert_eq!(of(&[3]), Err(ErrorCode::CoordinatorNotAvailable));
        assert_eq!(of(&[-1]), Err(ErrorCode::CoordinatorNotAvailable));
        let index = ottla_coordinator::java_hash::partition_for("g", 2) as usize;
        let mut leaders = [1, 1];
        leaders[index] = 2;
        assert_eq!(of(&leaders), Ok(2));
        let nowhere = cluster(1, &[]).coordinator("__transaction_state", "g");
        assert_eq!(nowhere, Err(ErrorCode::CoordinatorNotAvailable));
    }
}
