//! What a leader of several replicas does with its followers: their fetches, the in-sync replicas, the high watermark.
//! Shell over `isr`.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{BrokerId, LeaderEpoch, Offset};

use crate::isr::Proposal;
use crate::isr_changes::ProposalOutcome;
use crate::partition::{Led, Partition};
use crate::replica_progress::{FollowerFetch, ReplicaProgress};
use crate::wake::LogPlace;

impl Partition {
    /// A follower has everything up to the offset it fetches: what all in-sync replicas have is committed, and it may
    /// be in sync itself from now on.
    pub(crate) fn on_follower_fetch(self: &Arc<Self>, led: &Led<'_>, fetch: &FollowerFetch) {
        let fetched = led.leader().on_fetch(fetch);
        if fetched.is_proposed {
            self.topic.shared.isr_changes.add(self.clone());
        }
        self.advance(led.leader(), led.opened);
        if fetched.is_log_start_new {
            // Who deletes records waits for its followers.
            self.readers.wake(LogPlace::START);
        }
    }

    /// Proposes to go on without the followers that are behind for too long. `is_eligible` says who may be in sync, by
    /// the image of now.
    pub(crate) fn review_followers(
        self: &Arc<Self>,
        now: Monotonic,
        lag_time_max: Duration,
        is_eligible: impl Fn(BrokerId, i64) -> bool,
    ) {
        let Ok(led) = self.led(-1) else { return };
        let (log_start, log_end) = (led.log().log_start_offset(), led.log().log_end_offset());
        let behind = led.leader().review((log_start, log_end), now, lag_time_max, is_eligible);
        if !behind.is_empty() {
            tracing::info!(partition = %self.name, ?behind, %log_end, "these replicas are out of sync");
            self.topic.shared.isr_changes.add(self.clone());
        }
        self.advance(led.leader(), led.opened);
    }

    /// The log starts elsewhere: followers are told at their next fetch, which this ends the wait of.
    pub fn tell_log_start(&self) {
        if let Some(leader) = self.role().leader() {
            leader.unsettle();
        }
    }

    /// A follower does not fetch this partition in its session any more.
    pub fn unsettle(&self, follower: BrokerId) {
        if let Some(leader) = self.role().leader() {
            leader.unsettle_follower(follower);
        }
    }

    /// What the controller is to be asked for, and under which leader epoch.
    pub(crate) fn proposal(&self) -> Option<(LeaderEpoch, Proposal)> {
        let role = self.role();
        let leader = role.leader()?;
        Some((leader.epoch(), leader.proposal()?))
    }

    /// The controller has answered. True when the same is to be asked again.
    pub(crate) fn on_proposal_outcome(
        &self,
        leader_epoch: LeaderEpoch,
        proposal: &Proposal,
        outcome: &ProposalOutcome,
    ) -> bool {
        let Ok(led) = self.led(-1) else { return false };
        if led.epoch() != leader_epoch {
            // The leader epoch that asked has ended, and its followers' state with it.
            return false;
        }
        match outcome {
            ProposalOutcome::Applied { leader_epoch: applied_in, partition_epoch, members } => {
                if *applied_in == leader_epoch && led.leader().commit_isr(proposal, *partition_epoch, members)
                {
                    self.advance(led.leader(), led.opened);
                    // How many must have it has changed: who waits looks again.
                    led.opened.gate.wake_all();
                }
                false
            }
            ProposalOutcome::NotApplied => {
                led.leader().with_isr(|isr| isr.take_back(proposal));
                self.advance(led.leader(), led.opened);
                led.opened.gate.wake_all();
                false
            }
            // The image will say what is true.
            ProposalOutcome::Outdated => false,
            ProposalOutcome::Unknown => led.leader().proposal().as_ref() == Some(proposal),
        }
    }
}

impl Led<'_> {
    /// Whether other brokers replicate it.
    pub fn has_followers(&self) -> bool {
        !self.leader().is_only_replica()
    }

    /// Whether another leader epoch has begun meanwhile.
    pub fn has_ended(&self) -> bool {
        self.leader().is_ended()
    }

    /// Whether a broker has a replica that follows this one.
    pub fn is_follower(&self, id: BrokerId) -> bool {
        self.leader().is_replica(id)
    }

    /// Where the log starts on every replica that `is_alive`: records before it are gone for good
    /// (`Partition.lowWatermarkIfLeader`). A replica that never said where its log starts holds it at -1.
    pub fn low_watermark(&self, is_alive: impl Fn(BrokerId) -> bool) -> Offset {
        let own = self.log().log_start_offset();
        let of_followers = self.leader().with_isr(|isr| {
            let alive = isr.followers().iter().filter(|follower| is_alive(follower.id));
            alive.map(|follower| follower.log_start().unwrap_or(Offset::NONE)).min()
        });
        own.min(of_followers.flatten().unwrap_or(own))
    }

    /// How far each follower is behind this log's end; its whole length where nothing was heard of it.
    pub fn follower_lags(&self) -> Vec<(BrokerId, i64)> {
        let log_end = self.log().log_end_offset();
        let lag = |follower: &ReplicaProgress| {
            let end = follower.end().unwrap_or(Offset::ZERO);
            (follower.id, log_end.0.saturating_sub(end.0).max(0))
        };
        self.leader().with_isr(|isr| isr.followers().iter().map(lag).collect()).unwrap_or_default()
    }
}
