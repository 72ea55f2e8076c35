//! A model of the controller, as far as one partition's elections go: brokers, leader, in-sync and eligible replicas.
//! Core. Rules are those of KIP-497, KIP-841, KIP-903 and KIP-966.

use std::collections::BTreeMap;

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse, BrokerId as WireBrokerId};
use ottla_protocol::records::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord, RegisterBrokerRecord,
};

use crate::test_world::ID;

pub const MIN_ISR: usize = 2;

#[derive(Clone, Copy)]
struct Broker {
    epoch: i64,
    is_fenced: bool,
}

pub struct Controller {
    brokers: BTreeMap<BrokerId, Broker>,
    pub leader: Option<BrokerId>,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub isr: Vec<BrokerId>,
    pub elr: Vec<BrokerId>,
    /// All that was decided, in order.
    pub records: Vec<MetadataRecord>,
    /// Leader epochs of replicas that were not in sync, but eligible.
    pub epochs_from_elr: std::collections::BTreeSet<i32>,
    next_broker_epoch: i64,
    /// A planted fault: the broker epochs of members are not looked at.
    pub ignores_broker_epochs: bool,
}

impl Controller {
    pub fn new(replicas: &[BrokerId], first: Vec<MetadataRecord>) -> Controller {
        let mut controller = Controller {
            brokers: BTreeMap::new(),
            leader: Some(replicas[0]),
            leader_epoch: 0,
            partition_epoch: 0,
            isr: replicas.to_vec(),
            elr: Vec::new(),
            records: first,
            epochs_from_elr: std::collections::BTreeSet::new(),
            next_broker_epoch: 100,
            ignores_broker_epochs: false,
        };
        for id in replicas {
            controller.add_registration(*id);
            controller.unfence(*id);
        }
        controller
    }

    pub fn broker_epoch(&self, id: BrokerId) -> i64 {
        self.brokers[&id].epoch
    }

    fn add_registration(&mut self, id: BrokerId) {
        self.next_broker_epoch += 1;
        let epoch = self.next_broker_epoch;
        self.brokers.insert(id, Broker { epoch, is_fenced: true });
        let record = RegisterBrokerRecord {
            broker_id: id.0,
            broker_epoch: epoch,
            fenced: true,
            ..RegisterBrokerRecord::default()
        };
        self.records.push(record.into());
    }

    /// A broker begins a new life. What it may have lost is not counted on.
    pub fn register(&mut self, id: BrokerId, was_clean: bool) {
        self.fence(id);
        if !was_clean {
            let without =
                |list: &[BrokerId]| list.iter().copied().filter(|one| *one != id).collect::<Vec<_>>();
            let (isr, elr) = (without(&self.isr), without(&self.elr));
            self.change(isr, elr, None);
        }
        self.add_registration(id);
    }

    pub fn unfence(&mut self, id: BrokerId) {
        let Some(broker) = self.brokers.get_mut(&id).filter(|broker| broker.is_fenced) else { return };
        broker.is_fenced = false;
        let epoch = broker.epoch;
        self.set_fenced(id, epoch, -1);
        if self.leader.is_none() {
            self.elect(None);
        }
    }

    pub fn fence(&mut self, id: BrokerId) {
        let Some(broker) = self.brokers.get_mut(&id).filter(|broker| !broker.is_fenced) else { return };
        broker.is_fenced = true;
        let epoch = broker.epoch;
        self.set_fenced(id, epoch, 1);
        let isr: Vec<BrokerId> = self.isr.iter().copied().filter(|one| *one != id).collect();
        if isr.len() < self.isr.len() || self.leader == Some(id) {
            let elr = self.elr_after(&isr);
            let leader = (self.leader == Some(id)).then_some(None);
            self.change(isr, elr, leader);
            if self.leader.is_none() {
                self.elect(None);
            }
        }
    }

    fn set_fenced(&mut self, id: BrokerId, epoch: i64, fenced: i8) {
        let record = BrokerRegistrationChangeRecord {
            broker_id: id.0,
            broker_epoch: epoch,
            fenced,
            ..BrokerRegistrationChangeRecord::default()
        };
        self.records.push(record.into());
    }

    fn elr_after(&self, isr: &[BrokerId]) -> Vec<BrokerId> {
        if isr.len() >= MIN_ISR {
            return Vec::new();
        }
        let mut elr: Vec<BrokerId> = self.isr.iter().chain(&self.elr).copied().collect();
        elr.sort_unstable();
        elr.dedup();
        elr.retain(|id| !isr.contains(id));
        elr
    }

    fn may_lead(&self, id: BrokerId) -> bool {
        !self.brokers[&id].is_fenced
    }

    /// From the in-sync replicas, else from the eligible ones; `wanted` if it may. Nobody else ever leads here.
    pub fn elect(&mut self, wanted: Option<BrokerId>) {
        let wanted = wanted.filter(|id| self.isr.contains(id) && self.may_lead(*id));
        let in_sync = wanted.or_else(|| self.isr.iter().copied().find(|id| self.may_lead(*id)));
        if let Some(leader) = in_sync {
            let (isr, elr) = (self.isr.clone(), self.elr.clone());
            return self.change(isr, elr, Some(Some(leader)));
        }
        let eligible = self.elr.iter().copied().find(|id| self.may_lead(*id));
        if let Some(leader) = eligible {
            let elr = self.elr.iter().copied().filter(|id| *id != leader).collect();
            self.change(vec![leader], elr, Some(Some(leader)));
            self.epochs_from_elr.insert(self.leader_epoch);
        }
    }

    fn change(&mut self, isr: Vec<BrokerId>, elr: Vec<BrokerId>, leader: Option<Option<BrokerId>>) {
        if isr == self.isr && elr == self.elr && leader.is_none() {
            return;
        }
        self.isr = isr;
        self.elr = elr;
        self.partition_epoch += 1;
        if let Some(leader) = leader {
            self.leader = leader;
            self.leader_epoch += 1;
        }
        let record = PartitionChangeRecord {
            partition_id: 0,
            topic_id: ID.0,
            isr: Some(self.isr.iter().map(|id| id.0).collect()),
            leader: leader.map_or(-2, |leader| leader.map_or(-1, |id| id.0)),
            ..PartitionChangeRecord::default()
        };
        self.records.push(record.into());
    }

    pub fn alter_partition(&mut self, request: &AlterPartitionRequest) -> AlterPartitionResponse {
        let from = BrokerId(request.broker_id.0);
        if self.brokers[&from].epoch != request.broker_epoch {
            return AlterPartitionResponse::default().with_error_code(ErrorCode::StaleBrokerEpoch.code());
        }
        let asked = &request.topics[0].partitions[0];
        let is_ineligible = asked.new_isr_with_epochs.iter().any(|member| {
            let broker = self.brokers[&BrokerId(member.broker_id.0)];
            let is_other = member.broker_epoch >= 0 && member.broker_epoch != broker.epoch;
            broker.is_fenced || (is_other && !self.ignores_broker_epochs)
        });
        let error = match () {
            () if self.leader != Some(from) || self.leader_epoch != asked.leader_epoch => {
                ErrorCode::FencedLeaderEpoch
            }
            () if self.partition_epoch != asked.partition_epoch => ErrorCode::InvalidUpdateVersion,
            () if is_ineligible => ErrorCode::IneligibleReplica,
            () => ErrorCode::None,
        };
        if error.is_none() {
            let isr: Vec<BrokerId> =
                asked.new_isr_with_epochs.iter().map(|member| BrokerId(member.broker_id.0)).collect();
            let elr = self.elr_after(&isr);
            self.change(isr, elr, None);
        }
        let answered = PartitionData::default()
            .with_partition_index(0)
            .with_error_code(error.code())
            .with_leader_id(WireBrokerId(self.leader.map_or(-1, |id| id.0)))
            .with_leader_epoch(self.leader_epoch)
            .with_partition_epoch(self.partition_epoch)
            .with_isr(self.isr.iter().map(|id| WireBrokerId(id.0)).collect());
        let topic = TopicData::default().with_topic_id(ID.0).with_partitions(vec![answered]);
        AlterPartitionResponse::default().with_topics(vec![topic])
    }
}
