//! The moves of the balancer, as decisions of the controller on this node.
//! Shell.

use crate::controller::Deciding;
use crate::controller::reassignments::{decide_begin_move, decide_cancel_move};
use crate::controller_channel::Reached;
use crate::metadata::Metadata;

impl Metadata {
    /// Begins to move the replicas of a partition, if they are still `before` and nobody else moves them.
    pub fn begin_move(&self, topic: &str, index: i32, before: &[i32], target: &[i32]) -> Reached<()> {
        let (topic, before, target) = (topic.to_owned(), before.to_vec(), target.to_vec());
        self.reach(move |Deciding { image, rules, .. }| {
            decide_begin_move(image, rules, (&topic, index), &before, &target)
        })
    }

    /// Takes a move to `target` back.
    pub fn cancel_move(&self, topic: &str, index: i32, target: &[i32]) -> Reached<()> {
        let (topic, target) = (topic.to_owned(), target.to_vec());
        self.reach(move |Deciding { image, rules, .. }| {
            decide_cancel_move(image, rules, (&topic, index), &target)
        })
    }
}
