//! Seeded histories of a streams group, against a plain model of what the members themselves run.
//! Core. Members come, go, fall silent and lose answers, topics come and go, and the log is read anew.

use std::collections::BTreeMap;

use super::*;

const MEMBERS: [&str; 5] = ["m1", "m2", "m3", "m4", "m5"];
const STEPS: usize = 400;
const SEEDS: u64 = 60;

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % bound
    }
}

/// A member as it sees itself: what it runs, which is only what it was told.
#[derive(Clone, Default, Debug)]
struct Client {
    epoch: i32,
    active: BTreeSet<i32>,
    standby: BTreeSet<i32>,
    is_in: bool,
}

struct History {
    lab: Lab,
    dice: Dice,
    clients: BTreeMap<&'static str, Client>,
    seed: u64,
}

impl History {
    fn new(seed: u64) -> History {
        let mut lab = Lab::new();
        let mut dice = Dice(seed);
        lab.config.assignment_interval_ms = [0, 500][dice.below(2) as usize];
        lab.config.initial_rebalance_delay_ms = [0, 700][dice.below(2) as usize];
        lab.config.num_standby_replicas = dice.below(2) as i32;
        lab.topics.0.insert("in".to_owned(), 4);
        lab.topics.0.insert("counts".to_owned(), 4);
        History { lab, dice, clients: BTreeMap::new(), seed }
    }

    fn step(&mut self) {
        let id = MEMBERS[self.dice.below(MEMBERS.len() as u64) as usize];
        match self.dice.below(20) {
            0..=1 => self.join(id),
            2..=13 => self.beat(id),
            14 => self.leave(id),
            15 => self.lab.advance(1 + self.dice.below(4_000) as i64),
            16 => self.lab.advance(if self.dice.below(6) == 0 { 46_000 } else { 300 }),
            17 => self.lab.restart(),
            // The wall clock is set to somewhere else.
            18 => self.lab.wall_ms += self.dice.below(20_000) as i64 - 10_000,
            _ => self.topics(),
        }
        self.check();
    }

    /// Two members to a process, so that processes have more than one.
    fn process_of(id: &str) -> &'static str {
        if matches!(id, "m1" | "m2") {
            "p1"
        } else {
            MEMBERS.iter().find(|known| **known == id).unwrap_or(&"p")
        }
    }

    fn join(&mut self, id: &'static str) {
        // Whoever joins again has given up all it had.
        self.clients.insert(id, Client { is_in: true, ..Client::default() });
        let beat = StreamsHeartbeat { process_id: Some(Self::process_of(id)), ..joining(id) };
        let told = self.lab.send(&beat);
        self.hear(id, told);
    }

    fn beat(&mut self, id: &'static str) {
        let Some(client) = self.clients.get(id).filter(|client| client.is_in).cloned() else { return };
        let says = self.dice.below(4) > 0;
        let of = |tasks: &BTreeSet<i32>| match tasks.is_empty() {
            true => Tasks::new(),
            false => Tasks::from([("0".to_owned(), tasks.clone())]),
        };
        let owned = says.then(|| TasksTuple {
            active: of(&client.active),
            standby: of(&client.standby),
            warmup: Tasks::new(),
        });
        let told = self.lab.send(&StreamsHeartbeat { member_epoch: client.epoch, owned, ..staying(id) });
        self.hear(id, told);
    }

    /// The member does what it is told, if it hears it.
    fn hear(&mut self, id: &'static str, told: Result<StreamsHeartbeatOutcome, GroupError>) {
        let is_lost = self.dice.below(8) == 0;
        let Some(client) = self.clients.get_mut(id) else { return };
        match told {
            Ok(_) if is_lost => {}
            Ok(outcome) => {
                client.epoch = outcome.member_epoch;
                if let Some(tasks) = outcome.tasks {
                    let active = tasks.active.get("0");
                    client.active = active.map(|tasks| tasks.keys().copied().collect()).unwrap_or_default();
                    client.standby = tasks.standby.get("0").cloned().unwrap_or_default();
                }
            }
            // Fenced, or not known any more: it drops everything.
            Err(_) => *client = Client::default(),
        }
    }

    fn leave(&mut self, id: &'static str) {
        if self.clients.remove(id).is_some_and(|client| client.is_in)
            && let Ok(effects) = self.lab.shard.on_streams_leave(GROUP, id, false)
        {
            self.lab.perform(effects);
        }
    }

    fn topics(&mut self) {
        match self.dice.below(3) {
            0 => drop(self.lab.topics.0.remove("in")),
            1 => drop(self.lab.topics.0.remove("counts")),
            _ => {
                self.lab.topics.0.insert("in".to_owned(), 4);
                self.lab.topics.0.insert("counts".to_owned(), 4);
            }
        }
        self.lab.shard.refresh_groups();
    }

    /// No task is run by two members that the group counts among its own.
    fn check(&self) {
        let Some(Group::Streams(group)) = self.lab.shard.group(GROUP) else { return };
        let mut running: BTreeMap<i32, &str> = BTreeMap::new();
        let mut assigned: BTreeMap<i32, &MemberId> = BTreeMap::new();
        for (id, member) in group.members() {
            for tasks in [&member.assigned, &member.pending_revocation] {
                for partition in tasks.active.get("0").into_iter().flat_map(|tasks| tasks.keys()) {
                    let other = assigned.insert(*partition, id);
                    assert_eq!(other, None, "seed {}: {partition} is with {id} too", self.seed);
                }
            }
            let Some(client) = self.clients.get(id.as_str()).filter(|client| client.is_in) else { continue };
            for partition in &client.active {
                let other = running.insert(*partition, id.as_str());
                assert_eq!(other, None, "seed {}: {partition} is run by {id} too", self.seed);
            }
        }
        assert!(group.modern.target().epoch() <= group.epoch(), "seed {}", self.seed);
    }

    /// With topics, time and members that are heard, everything is run by somebody, and nobody is told anything new.
    fn settle(&mut self) {
        self.lab.topics.0.insert("in".to_owned(), 4);
        self.lab.topics.0.insert("counts".to_owned(), 4);
        self.lab.shard.refresh_groups();
        self.join("m1");
        for _ in 0..60 {
            self.lab.advance(900);
            for id in MEMBERS {
                if self.clients.get(id).is_some_and(|client| !client.is_in) {
                    self.join(id);
                }
                self.beat(id);
                self.check();
            }
        }
        // The last answers are all heard.
        for _ in 0..3 {
            for id in MEMBERS {
                let Some(client) = self.clients.get(id).cloned() else { continue };
                let stays = StreamsHeartbeat { member_epoch: client.epoch, owned: None, ..staying(id) };
                if let Ok(outcome) = self.lab.send(&stays)
                    && let (Some(client), Some(tasks)) = (self.clients.get_mut(id), outcome.tasks)
                {
                    client.epoch = outcome.member_epoch;
                    client.active =
                        tasks.active.get("0").map(|of| of.keys().copied().collect()).unwrap_or_default();
                }
            }
        }
        let group = self.lab.group();
        assert_eq!(group.state_name(), "Stable", "seed {}: {:?}", self.seed, group.members());
        let assigned: BTreeSet<i32> = group
            .members()
            .values()
            .flat_map(|member| {
                member.assigned.active.get("0").into_iter().flat_map(|tasks| tasks.keys().copied())
            })
            .collect();
        assert_eq!(assigned, (0..4).collect(), "seed {}", self.seed);
        self.check();
    }
}

#[test]
fn no_task_is_run_twice_and_all_are_run_in_the_end() {
    for seed in 0..SEEDS {
        let mut history = History::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.settle();
    }
}
