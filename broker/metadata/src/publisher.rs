//! The publisher, on every node: committed records become the image that readers and listeners have.
//! Shell: it calls the listeners.
//!
//! Invariants:
//! - I1. Nothing beyond the commit offset is published.
//! - I2. Offset and epoch of what is published never go back.
//!
//! Two ways lead here. A node that follows replays the committed batches of the log, as every node does
//! at its start. The node that leads has replayed them before they were committed, to decide on what they
//! say: it hands that image over, and nothing is replayed twice. Both ways use the one replay, so they
//! give the same image; `publisher_tests` compares them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use parking_lot::Mutex;

use crate::batch::Entry;
use crate::controller::election_log::ElectionCounts;
use crate::controller::liveness::Contacts;
use crate::delta::{Delta, ImageListener};
use crate::image::Image;
use crate::replay::Working;
use crate::voter_set::VoterSet;

/// What readers and the publisher share.
pub(crate) struct Shared {
    pub image: ArcSwap<Image>,
    pub listeners: Mutex<Vec<Arc<dyn ImageListener>>>,
    /// When brokers were last heard: written as a heartbeat comes, however long it waits then.
    pub contacts: Mutex<Contacts>,
    /// What this node elected as controller.
    pub elections: Mutex<ElectionCounts>,
}

impl Shared {
    pub fn new(image: Image) -> Arc<Shared> {
        let image = ArcSwap::from_pointee(image);
        Arc::new(Shared {
            image,
            listeners: Mutex::default(),
            contacts: Mutex::default(),
            elections: Mutex::default(),
        })
    }
}

pub(crate) struct Publisher {
    shared: Arc<Shared>,
    /// The facts as of the last committed record that came here, and what they changed since the last
    /// publication.
    committed: Working,
}

impl Publisher {
    /// `image`: what a snapshot says, or nothing.
    pub fn new(shared: Arc<Shared>, image: Image) -> Publisher {
        Publisher { shared, committed: Working::new(image) }
    }

    /// The facts as of the last committed record.
    pub fn committed(&self) -> &Working {
        &self.committed
    }

    /// A committed entry of the log, in the order of the log.
    pub fn replay(&mut self, entry: Entry, offset: Offset, epoch: LeaderEpoch) {
        let image = &self.committed.image;
        assert!(offset == image.metadata_offset() + 1, "committed records come without a hole");
        assert!(epoch >= image.leader_epoch(), "the controller's epoch never goes back");
        match entry {
            Entry::Record(record) => self.committed.replay(record, offset, epoch),
            Entry::LeaderChange(leader) => self.committed.replay_leader_change(leader, offset, epoch),
            Entry::Voters(record) => {
                self.committed.replay_voters(VoterSet::of_record(&record), offset, epoch);
            }
            Entry::KraftVersion(level) => self.committed.replay_kraft_version(level, offset, epoch),
            Entry::Control(_) => self.committed.replay_control(offset, epoch),
        }
    }

    /// Shows what was replayed, of a log that is committed below `commit_offset`. Gives what changed.
    pub fn publish(&mut self, commit_offset: Offset) -> Delta {
        let delta = std::mem::take(&mut self.committed.delta);
        let image = Arc::new(self.committed.image.clone());
        self.show(&delta, &image, commit_offset);
        delta
    }

    /// Shows what this node's own controller decided, now that it is committed.
    pub fn publish_decided(&mut self, image: &Arc<Image>, delta: &Delta, commit_offset: Offset) {
        assert!(self.committed.delta.is_empty(), "a node that leads follows nobody");
        self.committed = Working::new((**image).clone());
        self.show(delta, image, commit_offset);
    }

    /// A snapshot does not say who led when it was made; the quorum does.
    pub fn name_controller(&mut self, leader: BrokerId) {
        self.committed.image.controller_id = leader;
    }

    /// A snapshot of the leader's takes the place of what was here. Gives what changed.
    pub fn install(&mut self, image: Image, commit_offset: Offset) -> Delta {
        let delta = Delta::between(&self.shared.image.load(), &image);
        self.committed = Working::new(image.clone());
        self.show(&delta, &Arc::new(image), commit_offset);
        delta
    }

    fn show(&self, delta: &Delta, image: &Arc<Image>, commit_offset: Offset) {
        assert!(
            image.metadata_offset() < commit_offset,
            "offset {} is not committed: the commit offset is {commit_offset}",
            image.metadata_offset()
        );
        let listeners = self.shared.listeners.lock();
        let before = self.shared.image.load();
        assert!(
            before.metadata_offset() <= image.metadata_offset()
                && before.leader_epoch() <= image.leader_epoch(),
            "what was published never goes back"
        );
        drop(before);
        self.shared.image.store(image.clone());
        for listener in listeners.iter() {
            listener.on_image(delta, image);
        }
    }
}
