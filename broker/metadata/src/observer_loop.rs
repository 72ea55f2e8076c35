//! The room's thread on a broker without a vote: it publishes what the controllers have committed.
//! Shell. It decides nothing: every decision is answered NOT_CONTROLLER.

use std::sync::Arc;

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset};
use ottla_records::BatchView;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::batch::{Entry, decode_batch};
use crate::image::Image;
use crate::metadata_loop::{AbortOnPanic, Event};
use crate::observer::Finding;
use crate::publisher::{Publisher, Shared};
use crate::quorum::Leadership;
use crate::raft::log_store::StoredBatch;
use crate::snapshot::{self, SnapshotId};

pub(crate) struct ObserverLoop {
    cluster_id: String,
    publisher: Publisher,
    commit_offset: Offset,
    leadership: watch::Sender<Leadership>,
}

impl ObserverLoop {
    pub fn open(cluster_id: &str) -> (ObserverLoop, Arc<Shared>, watch::Receiver<Leadership>) {
        let empty = Image::empty(cluster_id, BrokerId(-1));
        let shared = Shared::new(empty.clone());
        let (leadership, changes) = watch::channel(Leadership { leader: None, epoch: LeaderEpoch(0) });
        let observer_loop = ObserverLoop {
            cluster_id: cluster_id.to_owned(),
            publisher: Publisher::new(shared.clone(), empty),
            commit_offset: Offset::ZERO,
            leadership,
        };
        (observer_loop, shared, changes)
    }

    /// The thread's life: ends with `Stop` or when no event can come any more.
    pub async fn run(mut self, mut events: Receiver<Event>) {
        let _guard = AbortOnPanic;
        while let Some(event) = events.recv().await {
            match event {
                Event::Stop => return,
                Event::Heard => {}
                Event::Decide(decide) => (decide(None).answer)(Ok(())),
                // Who asks may be gone.
                Event::ChangeVoters(asked) => {
                    drop(asked.answer.send(Err((ErrorCode::NotLeaderOrFollower, None))));
                }
                Event::Observed(finding) => self.on_finding(finding),
            }
        }
    }

    pub fn on_finding(&mut self, finding: Finding) {
        match finding {
            Finding::Leadership(leadership) => self.on_leadership(leadership),
            Finding::Committed(batches) => self.on_committed(&batches),
            Finding::Installed(id, bytes) => self.on_installed(id, &bytes),
            // What is published here can't be taken back: a start reads what the controllers have now.
            Finding::Lost(why) => panic!("{why}"),
        }
        self.name_controller();
    }

    fn on_leadership(&mut self, leadership: Leadership) {
        match leadership.leader {
            Some(leader) => {
                tracing::info!("the controller is node {leader}, leader epoch {}", leadership.epoch);
            }
            None => tracing::info!("no controller is known (leader epoch {})", leadership.epoch),
        }
        self.leadership.send_replace(leadership);
    }

    fn on_committed(&mut self, batches: &[StoredBatch]) {
        for batch in batches {
            let view = BatchView::first(&batch.bytes).expect("a batch that was parsed");
            let publisher = &mut self.publisher;
            let mut on_entry = |entry: Entry, offset, epoch| publisher.replay(entry, offset, epoch);
            if let Err(error) = decode_batch(&view, &mut on_entry) {
                // A record of a release that this one does not know: what follows can't be understood without it.
                panic!("committed metadata can't be read: {error}");
            }
            self.commit_offset = batch.next;
        }
        self.publisher.publish(self.commit_offset);
    }

    fn on_installed(&mut self, id: SnapshotId, bytes: &[u8]) {
        let empty = Image::empty(&self.cluster_id, BrokerId(-1));
        let image = snapshot::replay(bytes, id, empty)
            .unwrap_or_else(|error| panic!("the snapshot {} can't be read: {error}", id.file_name()));
        self.commit_offset = id.end_offset;
        self.publisher.install(image, id.end_offset);
    }

    /// A snapshot does not say who led when it was made.
    fn name_controller(&mut self) {
        let Leadership { leader: Some(leader), epoch } = *self.leadership.borrow() else { return };
        let image = &self.publisher.committed().image;
        let is_unnamed = image.metadata_offset() >= Offset::ZERO
            && image.leader_epoch() == epoch
            && image.controller_id() != leader;
        if is_unnamed {
            self.publisher.name_controller(leader);
            self.publisher.publish(self.commit_offset);
        }
    }
}
