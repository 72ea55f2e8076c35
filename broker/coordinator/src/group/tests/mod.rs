//! Tests of the core, by operation and by whole histories.
//! Core.

mod histories;
mod joining;
mod offsets;
mod rebalances;
mod statics;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Monotonic;
use ottla_model::{ErrorCode, Offset, TopicId, TopicName};

use super::answers::{Beat, Joined, Synced, Syncer};
use super::classic::{ClassicGroup, ClassicGroupState};
use super::commit::{Committer, OffsetToCommit};
use super::join::Joiner;
use super::leave::Leaver;
use super::member::Protocol;
use super::shard::GroupShard;
use super::turn::{Effects, Response, Waiter};
use crate::record::Record;
use crate::settings::GroupSettings;

pub const GROUP: &str = "g";

/// A shard with a log that is a list, and a clock that is a number.
pub struct Lab {
    pub shard: GroupShard,
    pub settings: Arc<GroupSettings>,
    pub now: Monotonic,
    pub wall_ms: i64,
    pub log: Vec<Record>,
    pub answers: HashMap<u64, Response>,
    pub tokens: u64,
    /// What the log says to the next append.
    pub refuse: Option<ErrorCode>,
}

/// The subscription of a consumer to some topics.
pub fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&(topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
    }
    bytes.extend_from_slice(&(-1i32).to_be_bytes());
    bytes.into()
}

pub fn protocols(names: &[&str]) -> Vec<Protocol> {
    names.iter().map(|name| Protocol { name: Arc::from(*name), metadata: subscription(&["t"]) }).collect()
}

pub fn joiner(member_id: &str) -> Joiner {
    Joiner {
        member_id: member_id.into(),
        group_instance_id: None,
        client_id: Arc::from("c"),
        client_host: Arc::from("/127.0.0.1"),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: Arc::from("consumer"),
        protocols: protocols(&["range", "roundrobin"]),
        first_rebalance_wait_ms: 0,
        must_know_its_id: true,
        may_skip_assignment: true,
    }
}

pub fn static_joiner(member_id: &str, instance: &str) -> Joiner {
    Joiner { group_instance_id: Some(Arc::from(instance)), ..joiner(member_id) }
}

impl Lab {
    pub fn new(settings: GroupSettings) -> Lab {
        let settings = Arc::new(settings);
        let mut lab = Lab {
            shard: GroupShard::new(Arc::clone(&settings)),
            settings,
            now: Monotonic::default().after_ms(1_000),
            wall_ms: 1_700_000_000_000,
            log: Vec::new(),
            answers: HashMap::new(),
            tokens: 0,
            refuse: None,
        };
        let effects = lab.shard.on_loaded(lab.now, lab.wall_ms);
        lab.perform(effects).unwrap_or_else(|error| panic!("{error}"));
        lab
    }

    pub fn perform(&mut self, effects: Effects) -> Result<(), ErrorCode> {
        let mut outcome = None;
        let mut next = Some(effects);
        while let Some(effects) = next.take() {
            let appended = match self.refuse.take() {
                Some(error) if !effects.records.is_empty() => Err(error),
                other => {
                    self.refuse = other;
                    for record in effects.records {
                        self.shard.replay(Offset(self.log.len() as i64), None, record.clone());
                        self.log.push(record);
                    }
                    Ok(())
                }
            };
            if let Some(then) = effects.then {
                next = Some(self.shard.on_appended(then, appended, self.now, self.wall_ms));
            }
            for answer in effects.answers {
                let before = self.answers.insert(answer.waiter.token, answer.response);
                assert!(before.is_none(), "answered twice");
            }
            outcome.get_or_insert(appended);
        }
        outcome.unwrap_or(Ok(()))
    }

    pub fn waiter(&mut self) -> Waiter {
        self.tokens += 1;
        Waiter { token: self.tokens }
    }

    /// As a client of another version of JoinGroup.
    pub fn join_as(&mut self, joiner: Joiner, version: i16) -> u64 {
        self.join(Joiner { must_know_its_id: version >= 4, may_skip_assignment: version >= 9, ..joiner })
    }

    /// Sends a JoinGroup and gives the token of its answer.
    pub fn join(&mut self, joiner: Joiner) -> u64 {
        let waiter = self.waiter();
        let mut random = [0; 16];
        random[8..].copy_from_slice(&waiter.token.to_be_bytes());
        let effects = self.shard.on_join(GROUP, joiner, waiter, self.now, self.wall_ms, random);
        let _ = self.perform(effects);
        waiter.token
    }

    /// Asks for a member id and comes back with it: the id, and the token of the JoinGroup.
    pub fn join_new(&mut self) -> (String, u64) {
        let asked = self.join(joiner(""));
        let id = self.joined(asked).member_id.to_string();
        let token = self.join(joiner(&id));
        (id, token)
    }

    pub fn joined(&self, token: u64) -> Joined {
        match self.answers.get(&token) {
            Some(Response::Join(response)) => response.clone(),
            other => panic!("no JoinGroup answer: {other:?}"),
        }
    }

    pub fn synced(&self, token: u64) -> Synced {
        match self.answers.get(&token) {
            Some(Response::Sync(response)) => response.clone(),
            other => panic!("no SyncGroup answer: {other:?}"),
        }
    }

    pub fn sync(&mut self, member_id: &str, generation: i32, assignments: &[(&str, &str)]) -> u64 {
        let waiter = self.waiter();
        let assignments = assignments.iter().map(|(member, assignment)| (*member, assignment.as_bytes()));
        let request = Syncer {
            group_id: GROUP,
            member_id,
            group_instance_id: None,
            generation_id: generation,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            assignments: assignments.collect(),
        };
        let effects = self.shard.on_sync(&request, waiter, self.now, self.wall_ms);
        let _ = self.perform(effects);
        waiter.token
    }

    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        let beat = Beat { group_id: GROUP, member_id, group_instance_id: None, generation_id: generation };
        let outcome = self.shard.on_heartbeat(&beat, self.now, self.wall_ms);
        outcome.err().unwrap_or(ErrorCode::None)
    }

    /// The error of the only member named.
    pub fn leave(&mut self, member_id: &str, instance: Option<&str>) -> ErrorCode {
        let leaver = Leaver { member_id: Box::from(member_id), group_instance_id: instance.map(Arc::from) };
        let (effects, left) = self.shard.on_leave(GROUP, vec![leaver], self.now, self.wall_ms);
        let _ = self.perform(effects);
        left.expect("each an answer")[0].1
    }

    pub fn commit(&mut self, member_id: &str, generation: i32, offset: i64) -> ErrorCode {
        let topic = TopicName::new("t");
        let committer = Committer {
            group_id: GROUP,
            member_id,
            group_instance_id: None,
            generation_id: generation,
            knows_member_epochs: true,
            retention_time_ms: -1,
        };
        let one = OffsetToCommit {
            topic: &topic,
            topic_id: TopicId::ZERO,
            partition: 0,
            offset,
            leader_epoch: 1,
            metadata: "",
        };
        match self.shard.on_offset_commit(&committer, &[one], self.now, self.wall_ms) {
            Err(error) => error,
            Ok((effects, errors)) => self.perform(effects).err().unwrap_or(errors[0]),
        }
    }

    /// Lets time pass, timer by timer.
    pub fn advance(&mut self, by_ms: i64) {
        let end = self.now.after_ms(by_ms);
        while let Some(deadline) = self.shard.next_deadline().filter(|deadline| *deadline <= end) {
            self.move_to(deadline.max(self.now));
            while let Some(effects) = self.shard.on_tick(self.now, self.wall_ms) {
                let _ = self.perform(effects);
            }
        }
        self.move_to(end);
    }

    fn move_to(&mut self, now: Monotonic) {
        self.wall_ms += self.now.until(now).as_millis() as i64;
        self.now = now;
    }

    /// Handles what is due at this moment.
    pub fn tick(&mut self) {
        self.advance(0);
    }

    pub fn group(&self) -> &ClassicGroup {
        self.shard.classic_group(GROUP).unwrap_or_else(|| panic!("no group"))
    }

    pub fn state(&self) -> ClassicGroupState {
        self.group().state()
    }

    /// A shard that has read this one's log.
    pub fn restarted(&self) -> Lab {
        let mut lab = Lab::new(GroupSettings::default());
        lab.settings = Arc::clone(&self.settings);
        lab.shard = GroupShard::new(Arc::clone(&self.settings));
        for (offset, record) in self.log.iter().enumerate() {
            lab.shard.replay(Offset(offset as i64), None, record.clone());
        }
        lab.log = self.log.clone();
        lab.now = self.now;
        lab.wall_ms = self.wall_ms;
        let effects = lab.shard.on_loaded(lab.now, lab.wall_ms);
        let _ = lab.perform(effects);
        lab
    }

    /// What a restart finds is what replay has kept here.
    pub fn assert_same_after_restart(&self) {
        let restarted = self.restarted();
        let stored = |lab: &Lab| {
            let mut stored: Vec<_> = lab
                .shard
                .group_ids()
                .map(|id| {
                    let group = lab.shard.classic_group(id.as_str());
                    (id.clone(), group.and_then(|group| group.stored().cloned()))
                })
                .filter(|(_, stored)| stored.is_some())
                .collect();
            stored.sort_by(|a, b| a.0.cmp(&b.0));
            stored
        };
        assert_eq!(stored(self), stored(&restarted));
        let offsets = |lab: &Lab| {
            let mut offsets: Vec<_> = lab
                .shard
                .offsets()
                .iter()
                .map(|(group, topic, partition, value)| {
                    (group.clone(), topic.clone(), partition, value.clone())
                })
                .collect();
            offsets.sort_by(|a, b| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
            offsets
        };
        assert_eq!(offsets(self), offsets(&restarted));
    }

    /// A stable group of so many members, the leader first; in generation 1.
    pub fn stable(&mut self, count: usize) -> Vec<String> {
        let asked: Vec<u64> = (0..count).map(|_| self.join(joiner(""))).collect();
        let ids: Vec<String> = asked.iter().map(|token| self.joined(*token).member_id.to_string()).collect();
        let tokens: Vec<u64> = ids.iter().map(|id| self.join(joiner(id))).collect();
        self.advance(10_000 - 1);
        let leader = self.joined(tokens[0]).leader_id().to_string();
        let generation = self.joined(tokens[0]).generation_id;
        self.sync_all(&ids, generation);
        let mut ids = ids;
        ids.sort_by_key(|id| *id != leader);
        ids
    }

    /// Syncs all, the leader last, who assigns to each its own id.
    pub fn sync_all(&mut self, ids: &[String], generation: i32) {
        let leader = self.group().leader_id().map(|id| id.to_string()).unwrap_or_default();
        let assignments: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let followers: Vec<(String, u64)> = ids
            .iter()
            .filter(|id| **id != leader)
            .map(|id| (id.clone(), self.sync(id, generation, &[])))
            .collect();
        let token = self.sync(&leader, generation, &assignments);
        for (id, token) in followers.iter().chain([&(leader.clone(), token)]) {
            let response = self.synced(*token);
            assert_eq!((response.error, &response.assignment[..]), (ErrorCode::None, id.as_bytes()));
        }
        assert_eq!(self.state(), ClassicGroupState::Stable);
    }
}

pub fn code(error: ErrorCode) -> i16 {
    error.code()
}
