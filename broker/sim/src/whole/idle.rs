//! A cluster that nobody uses: what its nodes do all the same.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::Env;
use ottla_env::memory::sim::{HostId, SimWorld};
use ottla_env::memory::{MemoryDisk, SeededRng};
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::CreatableTopic;

use super::client::Client;
use super::node::Node;
use super::options::{Options, TOPIC};
use crate::rooms::{End, wire};

const SEED: u64 = 7;
const NODES: usize = 3;
const CLIENT: usize = 100;
const FOUNDED_WITHIN: Duration = Duration::from_secs(60);
/// What the creation left to do is no rest.
const SETTLES: Duration = Duration::from_secs(5);

/// What happened while nothing did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Idle {
    /// Partitions that followers' fetches looked at, on all nodes.
    pub looks: u64,
    /// Turns of all tasks of all nodes.
    pub turns: u64,
}

/// Three nodes with a topic that all of them replicate, for so long.
pub fn rest(partitions: i32, time: Duration) -> Idle {
    let (world, mut nodes) = found(partitions);
    world.run_until(world.now() + SETTLES);
    let before = (looks(&nodes), world.trace().1);
    world.run_until(world.now() + time);
    let idle = Idle { looks: looks(&nodes) - before.0, turns: world.trace().1 - before.1 };
    end(&world, &mut nodes);
    idle
}

/// The same nodes, and what a client does with them where nothing goes wrong.
pub fn work<F>(of_client: impl FnOnce(Client) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (world, mut nodes) = found(1);
    let (env, client) = client_of(&world);
    let is_done = Arc::new(AtomicBool::new(false));
    let (done, work) = (is_done.clone(), of_client(client));
    let work = async move {
        work.await;
        done.store(true, Ordering::Relaxed);
    };
    env.tasks.spawn("client", Box::pin(work)).detach();
    until(&world, "the client is done", || is_done.load(Ordering::Relaxed));
    end(&world, &mut nodes);
}

fn found(partitions: i32) -> (SimWorld, Vec<Node>) {
    let options = Options { nodes: NODES, lag_ms: 10_000, ..Options::draw(&SeededRng::new(SEED)) };
    let world = SimWorld::new(SEED);
    let mut nodes: Vec<Node> =
        (1..=options.nodes).map(|id| Node::new(&world, id, options.config(id), id as u64)).collect();
    nodes.iter_mut().for_each(Node::start);
    until(&world, "all nodes serve", || nodes.iter().all(|node| node.serving().is_some()));
    let has_topic = create(&world, partitions);
    until(&world, "the topic is there", || {
        has_topic.load(Ordering::Relaxed) && nodes.iter().all(is_complete)
    });
    (world, nodes)
}

fn end(world: &SimWorld, nodes: &mut [Node]) {
    nodes.iter_mut().for_each(|node| node.end(End::Kill));
    world.end();
}

fn until(world: &SimWorld, what: &str, is_so: impl Fn() -> bool) {
    let deadline = world.now() + FOUNDED_WITHIN;
    while !is_so() {
        assert!(world.now() < deadline, "not within {FOUNDED_WITHIN:?}: {what}");
        world.run_until(world.now() + Duration::from_millis(50));
    }
}

fn client_of(world: &SimWorld) -> (Env, Client) {
    let env = world.env(HostId(CLIENT as u16), Arc::new(MemoryDisk::new()), SEED);
    let client = Client::new(0, env.clone(), NODES, SeededRng::new(SEED), &Arc::default(), &Arc::default());
    (env, client)
}

fn create(world: &SimWorld, partitions: i32) -> Arc<AtomicBool> {
    let (env, client) = client_of(world);
    let is_there = Arc::new(AtomicBool::new(false));
    let topic = CreatableTopic::default()
        .with_name(wire(TOPIC).into())
        .with_num_partitions(partitions)
        .with_replication_factor(3);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let is_done = is_there.clone();
    let work = async move {
        let answer = client.call(0, &request).await.expect("an answer");
        assert_eq!(answer.topics[0].error_code, 0);
        is_done.store(true, Ordering::Relaxed);
    };
    env.tasks.spawn("admin", Box::pin(work)).detach();
    is_there
}

fn is_complete(node: &Node) -> bool {
    node.serving().is_some_and(|serving| {
        let image = serving.rooms().metadata.image();
        let topic = image.topic(TOPIC);
        topic.is_some_and(|topic| {
            topic.partitions.iter().all(|one| one.leader.is_some() && one.isr.len() == one.replicas.len())
        })
    })
}

fn looks(nodes: &[Node]) -> u64 {
    let of = |node: &Node| {
        let serving = node.serving().expect("it serves");
        serving.rooms().replicas.metrics.follower_looks.get()
    };
    nodes.iter().map(of).sum()
}
