//! Lets the active controller of a cluster propose moves of replicas, or make them (`ottla.balance`).
//! Shell: one task on each controller of several; what it does is decided by the balance room.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ottla_admin::MetricsText;
use ottla_api::peers::ImageNodes;
use ottla_balance::balancer::{Balancer, Done, Mode, PLANNED_MAX, State, Step, View};
use ottla_balance::plan::{Limits, propose};
use ottla_balance::sizes::take_in;
use ottla_balance::{Broker, Loads, Move, Partition};
use ottla_config::{Balance, DynamicBrokerConfig};
use ottla_env::Env;
use ottla_env::clock::Monotonic;
use ottla_env::tasks::TaskHandle;
use ottla_metadata::{Image, Metadata, PartitionImage, takes_replicas};
use ottla_model::{BrokerId, PartitionIndex};
use ottla_network::outgoing::Nodes;
use ottla_protocol::messages::DescribeLogDirsRequest;
use ottla_protocol::records::metadata::RegisterBrokerRecord;
use parking_lot::Mutex;

/// How often it is looked whether there is something to do, where nothing moves.
const PAUSE: Duration = Duration::from_secs(5);
/// The same while moves are made.
const MOVING_PAUSE: Duration = Duration::from_millis(250);
/// Moves that people are shown.
const SHOWN_MAX: usize = 20;

/// What the active controller finds, for people and for `/metrics`.
#[derive(Default)]
pub struct BalanceFigures(Mutex<Shown>);

#[derive(Clone, Default)]
struct Shown {
    /// Elsewhere another controller knows.
    is_active: bool,
    mode: Mode,
    state: State,
    planned: Vec<Move>,
    planned_count: usize,
    done: Done,
}

/// What the task stands on.
pub struct Balancing {
    pub env: Env,
    pub node_id: BrokerId,
    pub config: Arc<DynamicBrokerConfig>,
    pub metadata: Arc<Metadata>,
    pub nodes: Arc<ImageNodes>,
    pub figures: Arc<BalanceFigures>,
}

/// What was stored where, at the last look.
#[derive(Default)]
struct Measured {
    at: Option<Monotonic>,
    loads: Loads,
}

impl Balancing {
    /// Begins to look. Nothing is decided where the controller is elsewhere.
    pub fn start(self) -> TaskHandle {
        let tasks = self.env.tasks.clone();
        tasks.spawn("balance", Box::pin(self.run()))
    }

    async fn run(self) {
        let (mut balancer, mut measured) = (Balancer::default(), Measured::default());
        let clock = self.env.clock.clone();
        loop {
            let pause = if balancer.is_at_work() { MOVING_PAUSE } else { PAUSE };
            clock.sleep_until(clock.monotonic().after(pause)).await;
            if self.metadata.leadership().leader != Some(self.node_id) {
                (balancer, measured) = (Balancer::default(), Measured::default());
                *self.figures.0.lock() = Shown::default();
                continue;
            }
            let mode = mode(self.config.current().balance);
            self.turn(&mut balancer, &mut measured, mode).await;
            *self.figures.0.lock() = Shown {
                is_active: true,
                mode,
                state: balancer.state().clone(),
                planned: balancer.plan().take(SHOWN_MAX).cloned().collect(),
                planned_count: balancer.plan().len(),
                done: balancer.done(),
            };
        }
    }

    async fn turn(&self, balancer: &mut Balancer, measured: &mut Measured, mode: Mode) {
        let now = self.env.clock.monotonic();
        if !balancer.is_due(mode, now.0) {
            return;
        }
        let image = Arc::clone(&self.metadata.image());
        match balancer.next(mode, &view(&image, balancer), now.0) {
            Step::Nothing => {}
            Step::Look => {
                let moves = self.look(&image, measured).await;
                balancer.on_plan(moves, now.0);
            }
            Step::Begin(next) => {
                tracing::info!("balance: {next}");
                let begun = self.metadata.begin_move(&next.topic, next.index, &next.before, &next.target);
                if let Err(error) = begun.await {
                    tracing::info!("balance: {}-{} stays where it is: {error}", next.topic, next.index);
                    balancer.on_refused(now.0);
                }
            }
            Step::Cancel(Move { topic, index, target, .. }) => {
                tracing::info!(
                    "balance: {topic}-{index} stays: the broker that was to have it takes nothing now"
                );
                if let Err(error) = self.metadata.cancel_move(&topic, index, &target).await {
                    tracing::warn!("balance: the move of {topic}-{index} could not be taken back: {error}");
                }
            }
        }
    }

    /// What would make the cluster even, by what its brokers say they have.
    async fn look(&self, image: &Image, measured: &mut Measured) -> Vec<Move> {
        let mut brokers: Vec<Broker> = image.brokers().map(|(id, broker)| standing(id, broker)).collect();
        let mut loads = Loads::new();
        for broker in brokers.iter_mut().filter(|broker| broker.is_taking) {
            let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
            let answer = match self.nodes.peer(BrokerId(broker.id)) {
                Some(peer) => peer.call(&request).await.ok(),
                None => None,
            };
            match answer {
                Some(answer) => broker.disk = take_in(&answer, &mut loads),
                // Who does not say what it has is left alone.
                None => broker.is_taking = false,
            }
        }
        let loads = measured.take(self.env.clock.monotonic(), loads);
        let limits = Limits {
            moves_max: PLANNED_MAX,
            disk_max_percent: self.config.current().balance_disk_max_percent,
        };
        let planned = propose(&brokers, &partitions(image), &loads, limits);
        assert!(planned.len() <= PLANNED_MAX, "a plan of {} moves", planned.len());
        planned
    }
}

impl Measured {
    /// The loads with what has grown since the last look.
    fn take(&mut self, now: Monotonic, mut loads: Loads) -> Loads {
        let seconds = self.at.map_or(0, |at| at.until(now).as_secs());
        for (key, load) in &mut loads {
            let grown = self.loads.get(key).map_or(0, |before| load.bytes.saturating_sub(before.bytes));
            load.bytes_in_per_second = grown.checked_div(seconds).unwrap_or(0);
        }
        (self.at, self.loads) = (Some(now), loads.clone());
        loads
    }
}

fn mode(balance: Balance) -> Mode {
    match balance {
        Balance::Off => Mode::Off,
        Balance::Propose => Mode::Propose,
        Balance::Auto => Mode::Auto,
    }
}

fn standing(id: BrokerId, broker: &RegisterBrokerRecord) -> Broker {
    let rack = broker.rack.as_ref().map(|rack| rack.as_str().to_owned());
    Broker { id: id.0, rack, is_taking: takes_replicas(broker), disk: None }
}

fn ids(replicas: &[BrokerId]) -> Vec<i32> {
    replicas.iter().map(|id| id.0).collect()
}

fn is_reassigned(partition: &PartitionImage) -> bool {
    !partition.adding_replicas().is_empty() || !partition.removing_replicas().is_empty()
}

/// All partitions that are not on their way.
fn partitions(image: &Image) -> Vec<Partition> {
    let mut all = Vec::with_capacity(image.partition_count());
    for topic in image.topics() {
        let name: Arc<str> = topic.name.as_str().into();
        for (index, partition) in (0..).zip(&topic.partitions).filter(|(_, one)| !is_reassigned(one)) {
            all.push(Partition { topic: name.clone(), index, replicas: ids(&partition.replicas) });
        }
    }
    all
}

fn view(image: &Image, balancer: &Balancer) -> View {
    let mut view = View::default();
    for topic in image.topics() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            if is_reassigned(partition) {
                view.reassigning.insert((topic.name.as_str().into(), index));
            } else if partition.isr.len() < partition.replicas.len() {
                view.out_of_sync += 1;
            }
        }
    }
    view.taking = image.brokers().filter(|(_, broker)| takes_replicas(broker)).map(|(id, _)| id.0).collect();
    for (topic, index) in balancer.asks_for() {
        if let Some(partition) = image.partition(&topic, PartitionIndex(index)) {
            view.replicas.insert((topic, index), ids(&partition.replicas));
        }
    }
    view
}

impl BalanceFigures {
    /// On the active controller; elsewhere the series are not there.
    pub fn write(&self, text: &mut MetricsText<'_>) {
        let Shown { is_active, planned_count, done, state, .. } = self.0.lock().clone();
        if !is_active {
            return;
        }
        let is_moving = u64::from(matches!(state, State::Moving(_)));
        let mut write = |name: &'static str, kind: &'static str, help: &str, value: u64| {
            text.metric(name, kind, help);
            text.sample(name, &[], value);
        };
        let planned = planned_count as u64;
        write(
            "ottla_balance_planned_moves",
            "gauge",
            "Moves that would make the brokers evenly used.",
            planned,
        );
        write(
            "ottla_balance_moving",
            "gauge",
            "Whether the controller moves a replica to balance.",
            is_moving,
        );
        write("ottla_balance_moves_total", "counter", "Moves that this node made to balance.", done.moves);
        write("ottla_balance_copied_bytes_total", "counter", "Bytes that those moves copied.", done.bytes);
    }

    /// For people.
    pub fn describe(&self) -> String {
        let Shown { is_active, mode, state, planned, planned_count, done } = self.0.lock().clone();
        let mut text = String::new();
        if !is_active || mode == Mode::Off {
            return text;
        }
        let doing = match state {
            State::Idle => "not looked yet".to_owned(),
            State::Even => "the brokers are evenly used".to_owned(),
            State::Proposed => format!("{planned_count} moves would make the brokers evenly used"),
            State::Moving(one) => format!("moving {one}"),
            State::OthersMove(count) => format!("waiting, {count} partitions are being reassigned"),
            State::OutOfSync(count) => format!("waiting, {count} partitions have a replica out of sync"),
        };
        let mode = if mode == Mode::Auto { "auto" } else { "propose" };
        // Writing to a String can't fail.
        let _written = writeln!(text, "Balance ({mode}): {doing}; {} moves made here", done.moves);
        for one in &planned {
            let _written = writeln!(text, "  {one}");
        }
        if planned_count > planned.len() {
            let _written = writeln!(text, "  and {} more", planned_count - planned.len());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use ottla_balance::Load;

    use super::*;

    #[test]
    fn what_clients_write_is_what_has_come_since_the_last_look() {
        let key: (Arc<str>, i32) = ("t".into(), 0);
        let mut measured = Measured::default();
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        let mut look = |seconds, bytes| {
            let load = Load { bytes, ..Load::default() };
            let loads = measured.take(at(seconds), [(key.clone(), load)].into());
            loads[&key]
        };
        assert_eq!(look(10, 500), Load { bytes: 500, bytes_in_per_second: 0 }, "nothing is known of before");
        assert_eq!(look(20, 1500), Load { bytes: 1500, bytes_in_per_second: 100 });
        assert_eq!(look(20, 1600), Load { bytes: 1600, bytes_in_per_second: 0 }, "no time has passed");
        assert_eq!(look(30, 400), Load { bytes: 400, bytes_in_per_second: 0 }, "retention");
    }

    #[test]
    fn people_are_shown_what_would_move_on_the_active_controller_alone() {
        let figures = BalanceFigures::default();
        assert_eq!(figures.describe(), "");
        let one = |index| Move {
            topic: "t".into(),
            index,
            before: vec![1],
            target: vec![2],
            bytes: 5,
            reason: "because".to_owned(),
        };
        let planned: Vec<Move> = (0..2).map(one).collect();
        let done = Done { moves: 7, bytes: 9 };
        let state = State::Proposed;
        *figures.0.lock() =
            Shown { is_active: true, mode: Mode::Propose, state, planned, planned_count: 3, done };
        let text = figures.describe();
        assert!(
            text.starts_with("Balance (propose): 3 moves would make the brokers evenly used; 7 moves"),
            "{text}"
        );
        assert!(text.contains("  t-1: to 2 (because)\n  and 1 more\n"), "{text}");
        figures.0.lock().mode = Mode::Off;
        assert_eq!(figures.describe(), "");
    }
}
