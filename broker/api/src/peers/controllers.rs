//! The active controller, wherever it is: who leads now, and trying again until somebody does.
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{BoxFuture, Env, Monotonic};
use ottla_metadata::{ApiError, Leadership, Metadata, OperationError, Voter};
use ottla_model::{BrokerId, ErrorCode};
use ottla_network::outgoing::{Peer, PeerSettings};

/// Before who leads is asked again although nothing was heard of a change.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A controller that answers nothing for so long is dialled anew.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the active controller is.
#[derive(Clone)]
pub enum Active {
    Here,
    There(Peer),
}

pub struct Controllers {
    env: Env,
    node_id: BrokerId,
    metadata: Arc<Metadata>,
    /// At their controller listeners.
    others: BTreeMap<BrokerId, Peer>,
}

impl Controllers {
    pub fn new(
        env: Env,
        node_id: BrokerId,
        metadata: Arc<Metadata>,
        voters: &[Voter],
        settings: &PeerSettings,
    ) -> Controllers {
        let settings = PeerSettings { request_timeout: REQUEST_TIMEOUT, ..settings.clone() };
        let others = voters.iter().filter(|voter| voter.id != node_id).map(|voter| {
            (voter.id, Peer::new(env.clone(), voter.host.clone(), voter.port, settings.clone()))
        });
        let others = others.collect();
        Controllers { env, node_id, metadata, others }
    }

    pub fn leads_here(&self) -> bool {
        self.metadata.leadership().leader == Some(self.node_id)
    }

    fn active(&self, leadership: Leadership) -> Option<Active> {
        match leadership.leader? {
            leader if leader == self.node_id => Some(Active::Here),
            leader => self.others.get(&leader).cloned().map(Active::There),
        }
    }

    /// Makes attempts until one gives something, the time is over, or the node stops. An attempt is given up as
    /// soon as somebody else leads: who is asked does not decide any more.
    pub async fn reach<T: Send>(
        &self,
        patience: Duration,
        mut attempt: impl FnMut(Active) -> BoxFuture<'static, Option<T>> + Send,
    ) -> Result<T, OperationError> {
        let clock = &self.env.clock;
        let deadline = clock.monotonic().after(patience);
        let mut changes = self.metadata.leadership_changes();
        loop {
            let leadership = *changes.borrow_and_update();
            if let Some(active) = self.active(leadership) {
                tokio::select! {
                    biased;
                    answer = attempt(active) => if let Some(answer) = answer { return Ok(answer) },
                    changed = changes.changed() => match changed {
                        Ok(()) => continue,
                        Err(_ended) => return Err(OperationError::Stopping),
                    },
                    () = clock.sleep_until(deadline) => {}
                }
            }
            let now = clock.monotonic();
            if now >= deadline {
                return Err(OperationError::Refused(ApiError::bare(ErrorCode::NotController)));
            }
            let again: Monotonic = deadline.min(now.after(RETRY_PAUSE));
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { return Err(OperationError::Stopping) },
                () = clock.sleep_until(again) => {}
            }
        }
    }
}
