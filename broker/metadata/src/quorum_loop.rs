//! The one thread behind the room on a voter of several: it drives the quorum, the log and the publisher.
//! Shell.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_model::BrokerId;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::image::Image;
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_loop::{AbortOnPanic, Event};
use crate::publisher::Shared;
use crate::quorum::{Leadership, Quorum};
use crate::raft::wire::{Body, Frame};

pub(crate) struct QuorumLoop {
    cluster_id: String,
    quorum: Quorum,
    /// Ends with the thread: nobody waits for a change any more.
    _leadership: watch::Sender<Leadership>,
}

impl QuorumLoop {
    pub fn open(
        _env: &Env,
        options: MetadataOptions,
        quorum: Quorum,
    ) -> Result<(QuorumLoop, Arc<Shared>, watch::Receiver<Leadership>), OpenError> {
        assert!(options.logs.is_some(), "a voter keeps its log");
        let node_id = BrokerId(options.config.node_id);
        let shared = Shared::new(Image::empty(&options.cluster_id, node_id));
        let epoch = shared.image.load().leader_epoch();
        let (leadership, changes) = watch::channel(Leadership { leader: None, epoch });
        let this = QuorumLoop { cluster_id: options.cluster_id, quorum, _leadership: leadership };
        Ok((this, shared, changes))
    }

    /// The thread's life: ends with `Stop` or when no event can come any more.
    pub fn run(self, mut events: Receiver<Event>) {
        let _guard = AbortOnPanic;
        while let Some(event) = events.blocking_recv() {
            match event {
                Event::Decide(decide) => (decide(None).answer)(Ok(())),
                Event::Frame(from, bytes) => self.on_frame(from, bytes),
                Event::Disconnected(id) => tracing::debug!("the connection to controller {id} was closed"),
                Event::Stop => break,
            }
        }
    }

    fn on_frame(&self, from: BrokerId, bytes: Bytes) {
        if let Ok(Frame { body: Body::AskClusterId, .. }) = Frame::decode(bytes) {
            let (cluster_id, directory_id) = (self.cluster_id.clone(), self.quorum.directory_id);
            let answer = Frame { cluster_id, directory_id, body: Body::ClusterId };
            self.quorum.transport.send(from, answer.encode());
        }
    }
}
