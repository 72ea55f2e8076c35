//! Brokers without a vote beside a simulated quorum: they read its log while leaders change, links lose, disks fail.
//! Shell, for tests.

use std::sync::Arc;

use ottla_model::{BrokerId, Offset};
use ottla_protocol::messages::{FetchResponse, FetchSnapshotResponse};
use uuid::Uuid;

use super::sim::{Happening, World};
use crate::image::Image;
use crate::observer::{Ask, Finding, Observed, Observer, Outcome};
use crate::observer_loop::ObserverLoop;
use crate::publisher::Shared;
use crate::serve;

const PAUSE_MS: u64 = 20;

pub(crate) struct SimObserver {
    observer: Observer,
    room: ObserverLoop,
    shared: Arc<Shared>,
    turn: usize,
    /// Where the next committed record stands.
    next: Offset,
    /// Snapshots that took the place of what it had.
    pub installs: usize,
}

pub(crate) enum Reply {
    Fetch(Box<FetchResponse>),
    Snapshot(Box<FetchSnapshotResponse>),
    Nothing,
}

impl World {
    pub fn add_observer(&mut self) -> usize {
        let number = self.observers.len();
        let id = BrokerId(100 + number as i32);
        let (room, shared, _leadership) = ObserverLoop::open(super::sim::CLUSTER);
        let directory_id = Uuid::from_u128(0x100 + number as u128);
        let observer = Observer::new(id, directory_id, super::sim::CLUSTER.to_owned());
        let next = Offset::ZERO;
        self.observers.push(SimObserver { observer, room, shared, turn: number, next, installs: 0 });
        self.at(1, Happening::Ask(number));
        number
    }

    pub fn observed(&self, number: usize) -> Arc<Image> {
        self.observers[number].shared.image.load_full()
    }

    pub(super) fn on_ask(&mut self, number: usize) {
        let one = &self.observers[number];
        let to = one.observer.leader().map_or(one.turn % self.nodes.len(), |id| id.0 as usize - 1);
        let ask = one.observer.next();
        let is_lost = self.rng.chance(self.weather.lost);
        let wait = self.rng.below(self.weather.delay_ms_max + 1);
        let reply = match is_lost || self.nodes[to].is_paused {
            true => Reply::Nothing,
            false => self.reply(to, &ask),
        };
        self.at(wait, Happening::Reply(number, reply));
    }

    fn reply(&mut self, to: usize, ask: &Ask) -> Reply {
        let id = self.nodes[to].id;
        let Some(life) = self.nodes[to].life.as_mut() else { return Reply::Nothing };
        let me = (id, life.machine.leadership());
        match ask {
            Ask::Fetch(request) => {
                let asked = serve::partition_of(request).expect("an observer's fetch");
                let observer = (BrokerId(*request.replica_state.replica_id), asked.replica_directory_id);
                let partition = life.served.fetch(asked, observer, me, 2_000);
                let response = serve::fetch_response(request, me.1, partition, &[]);
                Reply::Fetch(Box::new(response))
            }
            Ask::Snapshot(request) => {
                let request = request.clone().with_max_bytes(700);
                Reply::Snapshot(Box::new(serve::fetch_snapshot(Some(&life.served), &request, me)))
            }
        }
    }

    pub(super) fn on_reply(&mut self, number: usize, reply: Reply) {
        let one = &mut self.observers[number];
        let outcome = match reply {
            Reply::Fetch(answer) => one.observer.on_fetch(*answer),
            Reply::Snapshot(answer) => one.observer.on_snapshot(*answer),
            Reply::Nothing => one.observer.on_unreachable(),
        };
        let Outcome { observed, is_vain, .. } = outcome;
        for Observed(finding) in observed {
            let one = &mut self.observers[number];
            match &finding {
                Finding::Leadership(_) => {}
                Finding::Committed(batches) => {
                    self.checks.on_observed(number, one.next, batches);
                    one.next = batches.last().map_or(one.next, |batch| batch.next);
                }
                Finding::Installed(id, _) => {
                    assert!(id.end_offset > one.next, "a snapshot brings an observer forward");
                    one.next = id.end_offset;
                    one.installs += 1;
                }
                Finding::Lost(why) => panic!("observer {number}: {why}"),
            }
            one.room.on_finding(finding);
        }
        if is_vain {
            self.observers[number].turn += 1;
        }
        let wait = if is_vain { PAUSE_MS } else { 1 + self.rng.below(10) };
        self.at(wait, Happening::Ask(number));
    }
}
