//! Changes of the voters of a simulated quorum: who asks for them, and what became of them.
//! Shell, for tests.

use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::register_controller_record::ControllerFeature;
use ottla_protocol::records::metadata::{MetadataRecord, RegisterControllerRecord};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::sim::World;
use super::threads::QuorumView;
use crate::active_controller::Decided;
use crate::controller::features::KRAFT_VERSION;
use crate::metadata_loop::Event;
use crate::quorum::Voter;
use crate::voter_changes::{ChangeVoters, VoterChange};
use crate::voter_set::VoterNode;

impl World {
    /// A node as it would vote.
    pub fn voter(&self, number: usize) -> VoterNode {
        let node = &self.nodes[number];
        let address = Voter { id: node.id, host: "h".to_owned(), port: 1 };
        VoterNode::configured(&address, "CONTROLLER", node.directory_id)
    }

    pub fn removal(&self, number: usize) -> VoterChange {
        VoterChange::Remove(self.nodes[number].id, self.nodes[number].directory_id)
    }

    /// Has the leader know that all configured controllers serve kraft.version 1.
    pub fn register_controllers(&mut self) {
        let active = self.run_until_active(3_000).expect("a leader");
        let register = |id: i32| -> MetadataRecord {
            let feature = ControllerFeature {
                name: StrBytes::from_static_str(KRAFT_VERSION),
                max_supported_version: 1,
                ..ControllerFeature::default()
            };
            RegisterControllerRecord { controller_id: id, features: vec![feature], ..Default::default() }
                .into()
        };
        let records: Vec<MetadataRecord> = (1..=self.configured as i32).map(register).collect();
        let decide =
            move |_: Option<crate::controller::Deciding<'_>>| Decided { records, answer: Box::new(|_| {}) };
        self.life(active).room.run_round(std::iter::once(Event::Decide(Box::new(decide))));
        self.drain_inputs(active);
    }

    /// Asks a node for a change. Gives its number.
    pub fn change(&mut self, number: usize, change: VoterChange) -> usize {
        let (answer, answered) = oneshot::channel();
        self.changes.push((change.clone(), answered));
        if self.lives(number) && !self.nodes[number].is_paused {
            let life = self.life(number);
            life.room.set_view(QuorumView::of(&life.machine));
            let asked = ChangeVoters { change, waits: true, answer };
            life.room.run_round(std::iter::once(Event::ChangeVoters(asked)));
            self.drain_inputs(number);
        }
        self.changes.len() - 1
    }

    /// What a change was answered; `None`: nothing yet.
    pub fn answer(&mut self, change: usize) -> Option<Result<(), ErrorCode>> {
        let (_, answered) = &mut self.changes[change];
        Some(answered.try_recv().ok()?.map_err(|(error, _)| error))
    }

    /// The node that leads under the highest epoch, where a majority of its own voters follow it.
    pub fn active(&mut self) -> Option<usize> {
        let living: Vec<usize> = (0..self.nodes.len()).filter(|node| self.lives(*node)).collect();
        let mut leaders = Vec::new();
        for number in living.iter().copied() {
            let id = self.nodes[number].id;
            let machine = self.machine(number);
            let leadership = machine.leadership();
            if leadership.leader == Some(id) {
                let voters: Vec<i32> = machine.voters().set.ids().map(|id| id.0).collect();
                leaders.push((leadership, number, voters));
            }
        }
        let (leadership, number, voters) = leaders.into_iter().max_by_key(|(it, ..)| it.epoch)?;
        let follows = |id: &&i32| {
            let number = **id as usize - 1;
            living.contains(&number)
        };
        let followers: Vec<i32> = voters.iter().filter(follows).copied().collect();
        let agree =
            followers.into_iter().filter(|id| self.machine(*id as usize - 1).leadership() == leadership);
        (agree.count() > voters.len() / 2).then_some(number)
    }

    pub fn run_until_active(&mut self, ms_max: u64) -> Option<usize> {
        let until = self.now_ms + ms_max;
        while self.now_ms < until {
            if let Some(active) = self.active() {
                return Some(active);
            }
            self.run(5);
        }
        None
    }

    /// Asks whoever leads until the change is done, or says why it is refused.
    pub fn carry_out(
        &mut self,
        change: impl Fn(&World) -> VoterChange,
        ms_max: u64,
    ) -> Result<(), ErrorCode> {
        let until = self.now_ms + ms_max;
        let mut last = Err(ErrorCode::RequestTimedOut);
        while self.now_ms < until {
            let Some(active) = self.run_until_active(until - self.now_ms) else { break };
            let change = change(self);
            let asked = self.change(active, change);
            for _ in 0..25 {
                match self.answer(asked) {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(error)) => {
                        last = Err(error);
                        break;
                    }
                    None => self.run(20),
                }
            }
            self.run(20);
        }
        last
    }

    /// Commits records under whoever leads.
    pub fn commit_by_active(&mut self, ms_max: u64) -> Option<u64> {
        self.commit_by(ms_max, World::run_until_active)
    }

    /// The ids and directories of the voters, as a node's log says.
    pub fn voters_at(&mut self, number: usize) -> Vec<(i32, Uuid)> {
        let set = self.machine(number).voters().set.clone();
        set.iter().map(|voter| (voter.id.0, voter.directory_id)).collect()
    }
}
