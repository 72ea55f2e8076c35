//! Pings the other nodes and looks who is heard, on a thread of its own.
//! Shell around the detector of `metadata`. It takes no lock that a disk or the image can hold, and its timers and
//! sockets are not those of the requests: a node that is busy, or whose disk stands still, goes on saying that it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_env::net::DialOptions;
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env};
use ottla_metadata::detector::{LOOK_INTERVAL, PING_INTERVAL};
use ottla_metadata::{Leadership, Metadata, Voter};
use ottla_model::BrokerId;
use ottla_network::outgoing::{Link, introduce_over};
use tokio::sync::mpsc;

use super::nodes::{Address, ImageNodes};
use super::ping;
use super::presence::Presence;

/// From dialling to the answer of ApiVersions. Shorter than the kernel's first repetition: a link that is whole again
/// is found at once.
const SETUP_TIMEOUT: Duration = Duration::from_millis(300);
/// How often a node is tried that answers Kafka's requests and no ping.
const FOREIGN_PAUSE: Duration = Duration::from_secs(60);

/// Shorter than the kernel's first repetition, too.
const PROBE_TIMEOUT: Duration = Duration::from_millis(150);

/// What a look found that somebody must act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nobody hears a broker.
    Silent(BrokerId, Duration),
    /// This node is cut off, or not any more.
    CutOff(bool),
}

pub struct Watch {
    pub env: Env,
    pub node_id: BrokerId,
    pub metadata: Arc<Metadata>,
    pub nodes: Arc<ImageNodes>,
    pub presence: Arc<Presence>,
    /// Who elects controllers, and where one that is no broker listens.
    pub voters: Vec<Voter>,
    /// One that finds no room is found again.
    pub found: mpsc::Sender<Found>,
}

/// One node that is pinged, at its address.
struct Pinger {
    address: Address,
    work: BoxFuture<'static, ()>,
}

impl Watch {
    /// Begins; ends with the handle.
    pub fn start(self) -> TaskHandle {
        let tasks = self.env.tasks.clone();
        tasks.spawn_apart("watch", Box::pin(self.run()))
    }

    async fn run(self) {
        let mut pingers: BTreeMap<BrokerId, Pinger> = BTreeMap::new();
        let (mut is_cut_off, mut told) = (false, None);
        let mut next = self.env.clock.monotonic();
        loop {
            self.follow_image(&mut pingers);
            self.look(&mut is_cut_off, &mut told);
            next = next.after(LOOK_INTERVAL).max(self.env.clock.monotonic());
            let mut timer = self.env.clock.sleep_until(next);
            poll_fn(|context| {
                poll_all(&mut pingers, context);
                timer.as_mut().poll(context)
            })
            .await;
        }
    }

    /// A controller that is not heard is perhaps gone: its voters need not wait for the whole time of an election. Once,
    /// as the wait begins anew.
    fn tell_quorum(&self, told: &mut Option<Leadership>, unheard: &[BrokerId]) {
        let leadership = self.metadata.leadership();
        match leadership.leader.filter(|leader| unheard.contains(leader)) {
            Some(leader) if *told != Some(leadership) => {
                *told = Some(leadership);
                self.metadata.on_voter_disconnected(leader);
            }
            Some(_) => {}
            None => *told = None,
        }
    }

    fn look(&self, was_cut_off: &mut bool, told: &mut Option<Leadership>) {
        let leader = self.metadata.leadership().leader;
        let look = self.presence.look(leader, self.metadata.image().metadata_offset());
        if look.is_cut_off != *was_cut_off && self.found.try_send(Found::CutOff(look.is_cut_off)).is_ok() {
            *was_cut_off = look.is_cut_off;
        }
        self.tell_quorum(told, &look.unheard);
        if leader != Some(self.node_id) || look.silent.is_empty() {
            return;
        }
        let image = self.metadata.image();
        for (id, silence) in look.silent {
            if image.broker(id).is_some_and(|broker| !broker.fenced) {
                let _found_again = self.found.try_send(Found::Silent(id, silence));
            }
        }
    }

    /// Pings whoever is to be pinged, where it listens now.
    fn follow_image(&self, pingers: &mut BTreeMap<BrokerId, Pinger>) {
        let nodes: BTreeSet<BrokerId> = self.metadata.image().brokers().map(|(id, _)| id).collect();
        // Those of the configuration, where the log does not say who votes.
        let known = self.metadata.quorum_voters();
        let known = if known.is_empty() { &self.voters } else { &known };
        let voters = known.iter().map(|voter| voter.id).collect();
        let targets = self.presence.set_nodes(&nodes, &voters);
        pingers.retain(|id, _| targets.contains(id));
        for id in targets {
            let of_voter = || known.iter().find(|voter| voter.id == id);
            let of_voter = || of_voter().map(|voter| (voter.host.clone(), voter.port));
            let Some(address) = self.nodes.address(id).or_else(of_voter) else { continue };
            if pingers.get(&id).is_none_or(|pinger| pinger.address != address) {
                let work = Box::pin(self.pinging(id, address.clone()).run());
                pingers.insert(id, Pinger { address, work });
            }
        }
    }

    fn pinging(&self, id: BrokerId, address: Address) -> Pinging {
        Pinging {
            env: self.env.clone(),
            id,
            address,
            nodes: self.nodes.clone(),
            presence: self.presence.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

/// The few of them are polled together: a ping is cheap.
fn poll_all(pingers: &mut BTreeMap<BrokerId, Pinger>, context: &mut Context<'_>) {
    for pinger in pingers.values_mut() {
        let polled = pinger.work.as_mut().poll(context);
        assert!(polled == Poll::Pending, "who is pinged is pinged until it is left off the list");
    }
}

struct Pinging {
    env: Env,
    id: BrokerId,
    address: Address,
    nodes: Arc<ImageNodes>,
    presence: Arc<Presence>,
    metadata: Arc<Metadata>,
}

impl Pinging {
    async fn run(self) {
        tokio::join!(self.ping(), self.probe());
    }

    /// A node that has no time to answer is not away: its machine takes connections, or refuses them.
    async fn probe(&self) {
        let (host, port) = (&self.address.0, self.address.1);
        loop {
            let begun = self.env.clock.monotonic();
            if self.presence.is_unanswered(self.id) {
                let timeout = self.env.clock.sleep_until(begun.after(PROBE_TIMEOUT));
                tokio::select! {
                    biased;
                    dialled = self.env.net.dial(host, port, DialOptions::default()) => match dialled {
                        Ok(_stream) => self.presence.on_reached(self.id),
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                            self.presence.on_reached(self.id);
                        }
                        Err(_no_answer) => {}
                    },
                    () = timeout => {}
                }
            }
            self.env.clock.sleep_until(begun.after(PING_INTERVAL)).await;
        }
    }

    async fn ping(&self) {
        let mut pause = PING_INTERVAL;
        loop {
            let begun = self.env.clock.monotonic();
            let timeout = self.env.clock.sleep_until(begun.after(SETUP_TIMEOUT));
            let opened = tokio::select! {
                biased;
                opened = self.open() => opened,
                () = timeout => None,
            };
            if let Some((link, task)) = opened {
                let has_answered = AtomicBool::new(false);
                tokio::select! {
                    biased;
                    () = task => {}
                    () = self.ping_over(&link, &has_answered) => {}
                }
                if has_answered.load(Ordering::Relaxed) {
                    pause = PING_INTERVAL;
                    self.presence.on_closed(self.id);
                } else {
                    // Each ping is a complaint in its log.
                    pause = (2 * pause).min(FOREIGN_PAUSE);
                    self.presence.on_foreign(self.id);
                }
            }
            self.env.clock.sleep_until(begun.after(pause)).await;
        }
    }

    async fn open(&self) -> Option<(Link, BoxFuture<'static, ()>)> {
        let settings = self.nodes.settings("ping");
        let (host, port) = (&self.address.0, self.address.1);
        let options = DialOptions { buffers: settings.buffers, silence_max: settings.silence_max };
        match self.env.net.dial(host, port, options).await {
            Ok(stream) => introduce_over(&self.env, stream, host, &settings).await.ok(),
            Err(error) => {
                if error.kind() == ErrorKind::ConnectionRefused {
                    self.presence.on_refused(self.id);
                }
                None
            }
        }
    }

    /// Until the connection takes no more. An answer that is late is as good as the one behind it.
    async fn ping_over(&self, link: &Link, has_answered: &AtomicBool) {
        loop {
            let next = self.env.clock.monotonic().after(PING_INTERVAL);
            let body = ping::body(&self.presence.ping(self.metadata.image().metadata_offset()));
            let Ok(answer) = link.send_private(ping::KEY, ping::VERSION, &body) else { return };
            let over = self.env.clock.sleep_until(next);
            tokio::select! {
                biased;
                answer = answer => match answer {
                    Ok(()) => {
                        has_answered.store(true, Ordering::Relaxed);
                        self.presence.on_answer(self.id);
                    }
                    Err(_closed) => return,
                },
                () = over => continue,
            }
            self.env.clock.sleep_until(next).await;
        }
    }
}
