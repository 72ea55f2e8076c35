//! Frames to the other voters: one connection each, to its controller listener.
//! Shell. A frame is dropped when its voter is away or does not keep up; the quorum repeats what matters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_metadata::{RaftTransport, Voter};
use ottla_model::BrokerId;
use ottla_network::outgoing::{CallError, Link, Peer, PeerSettings};
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;

use super::frame;
use super::inlet::Voices;

/// Frames that wait to be sent to one voter.
const FRAMES_QUEUED_MAX: usize = 256;
/// The same in bytes, and what was sent and not answered is bounded by the connection's own limit.
const BYTES_QUEUED_MAX: usize = frame::BYTES_MAX;
/// Other controllers that frames are sent to.
const OUTLETS_MAX: usize = 1024;
/// Connections in a row that a voter has closed without an answer, before this is told.
const SILENT_ENDS_MAX: u32 = 20;

pub struct VoterTransport {
    env: Env,
    node_id: BrokerId,
    settings: PeerSettings,
    voices: Arc<Voices>,
    outlets: RwLock<BTreeMap<BrokerId, Outlet>>,
}

struct Outlet {
    address: Voter,
    queue: mpsc::Sender<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    /// Ends with the transport. The lock makes it something that threads may share.
    _task: Mutex<TaskHandle>,
}

impl VoterTransport {
    /// To every voter but this node. `voices` hears of a connection that ends.
    pub fn new(
        env: &Env,
        node_id: BrokerId,
        voters: &[Voter],
        settings: &PeerSettings,
        voices: &Arc<Voices>,
    ) -> VoterTransport {
        let settings = PeerSettings { agrees_on_versions: false, ..settings.clone() };
        let (env, voices) = (env.clone(), voices.clone());
        let transport = VoterTransport { env, node_id, settings, voices, outlets: RwLock::default() };
        transport.learn(voters);
        transport
    }

    fn outlet(&self, voter: &Voter) -> Outlet {
        let (queue, frames) = mpsc::channel(FRAMES_QUEUED_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let sending = Sending {
            from: self.node_id,
            to: voter.id,
            peer: Peer::new(self.env.clone(), voter.host.clone(), voter.port, self.settings.clone()),
            link: None,
            silent_ends: 0,
            frames,
            queued_bytes: queued_bytes.clone(),
            voices: self.voices.clone(),
        };
        let task = self.env.tasks.spawn("voter", Box::pin(sending.run()));
        Outlet { address: voter.clone(), queue, queued_bytes, _task: Mutex::new(task) }
    }
}

#[cfg(test)]
impl VoterTransport {
    pub fn queued_bytes(&self, to: BrokerId) -> usize {
        self.outlets.read()[&to].queued_bytes.load(Ordering::Acquire)
    }
}

impl RaftTransport for VoterTransport {
    fn send(&self, to: BrokerId, frame: Bytes) {
        let outlets = self.outlets.read();
        let Some(outlet) = outlets.get(&to) else { return };
        let bytes = frame.len();
        if outlet.queued_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes > BYTES_QUEUED_MAX
            || outlet.queue.try_send(frame).is_err()
        {
            outlet.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            tracing::debug!(to = to.0, bytes, "a frame to a voter is dropped: too many wait");
        }
    }

    fn learn(&self, others: &[Voter]) {
        let mut outlets = self.outlets.write();
        for voter in others.iter().filter(|voter| voter.id != self.node_id) {
            let is_known = outlets.get(&voter.id).is_some_and(|outlet| outlet.address == *voter);
            if !is_known && (outlets.contains_key(&voter.id) || outlets.len() < OUTLETS_MAX) {
                outlets.insert(voter.id, self.outlet(voter));
            }
        }
    }
}

struct Sending {
    from: BrokerId,
    to: BrokerId,
    peer: Peer,
    link: Option<Link>,
    silent_ends: u32,
    frames: mpsc::Receiver<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    voices: Arc<Voices>,
}

impl Sending {
    async fn run(mut self) {
        while let Some(frame) = self.next().await {
            if self.link.is_none() {
                match self.peer.link().await {
                    Ok(link) => self.link = Some(link),
                    Err(error) => {
                        tracing::debug!(to = self.to.0, %error, "a voter is away");
                        self.drop_what_waits();
                        continue;
                    }
                }
            }
            let Some(link) = &self.link else { unreachable!("it was just opened") };
            match link.send_private(frame::KEY, frame::VERSION, &frame::body(self.from, &frame)) {
                // Nobody waits for the answer: it only says that there is room for more.
                Ok(_answer) => {}
                Err(CallError::TooMany) => tracing::debug!(to = self.to.0, "a voter does not keep up"),
                Err(_closed) => self.on_end(),
            }
        }
    }

    /// The next frame; meanwhile the end of the connection is heard of.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let ended = self.link.as_ref().map(Link::ended);
            let frame = match ended {
                None => self.frames.recv().await,
                Some(ended) => tokio::select! {
                    biased;
                    () = ended => {
                        self.on_end();
                        continue;
                    }
                    frame = self.frames.recv() => frame,
                },
            };
            let frame = frame?;
            self.queued_bytes.fetch_sub(frame.len(), Ordering::AcqRel);
            return Some(frame);
        }
    }

    fn on_end(&mut self) {
        let has_answered = self.link.take().is_some_and(|link| link.has_answered());
        self.silent_ends = if has_answered { 0 } else { self.silent_ends.saturating_add(1) };
        if self.silent_ends == SILENT_ENDS_MAX {
            tracing::warn!(
                to = self.to.0,
                "a voter takes no frame of this one: does its listener ask for TLS or a login, or for ClusterAction?"
            );
        }
        self.voices.on_disconnected(self.to);
    }

    /// They say how things were a while ago; whoever comes back is told anew.
    fn drop_what_waits(&mut self) {
        while let Ok(frame) = self.frames.try_recv() {
            self.queued_bytes.fetch_sub(frame.len(), Ordering::AcqRel);
        }
    }
}
