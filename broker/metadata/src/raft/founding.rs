//! How nodes with empty directories agree on the id of the cluster they found, without a format step.
//! Core, and a shell around it (`found_cluster`).
//!
//! Invariants:
//! - I1. An id that a voter has is adopted by every voter that has none.
//! - I2. Only the voter with the lowest id makes one, and only when a majority of the voters, itself among them,
//!   have said that they have none.
//! - I3. An id is told to others by a node that keeps it in its directory already (`Metadata` answers for it), so
//!   what was told is never lost by a crash of the teller.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, Monotonic};
use ottla_model::{BrokerId, TopicId};
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use super::wire::{Body, Frame};
use crate::quorum::{RaftTransport, Voter};

/// How often the others are asked, at first and later, and after how long somebody is told who is waited for.
const ASK_QUICKLY_EVERY: Duration = Duration::from_millis(10);
const ASK_QUICKLY: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(100);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What a node does that knows enough.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
    Adopt(String),
    Make,
}

/// What a node without a cluster has heard.
struct Founding {
    me: BrokerId,
    /// In the order of their ids.
    voters: Vec<BrokerId>,
    /// Those who said that they have none; this node is one of them.
    without: BTreeSet<BrokerId>,
}

impl Founding {
    fn new(me: BrokerId, voters: &[Voter]) -> Founding {
        let mut voters: Vec<BrokerId> = voters.iter().map(|voter| voter.id).collect();
        voters.sort();
        assert!(voters.contains(&me), "a node that founds is a voter");
        Founding { me, voters, without: BTreeSet::from([me]) }
    }

    fn others(&self) -> impl Iterator<Item = BrokerId> {
        self.voters.iter().copied().filter(|id| *id != self.me)
    }

    /// Nobody needs to be heard where this node is the only voter.
    fn verdict(&self) -> Option<Verdict> {
        let is_lowest = self.voters.first() == Some(&self.me);
        let is_majority = self.without.len() > self.voters.len() / 2;
        (is_lowest && is_majority).then_some(Verdict::Make)
    }

    /// A voter said which cluster it belongs to, `""` for none.
    fn on_answer(&mut self, from: BrokerId, cluster_id: String) -> Option<Verdict> {
        if !self.voters.contains(&from) {
            return None;
        }
        if !cluster_id.is_empty() {
            return Some(Verdict::Adopt(cluster_id));
        }
        self.without.insert(from);
        self.verdict()
    }
}

/// The id of the cluster that a node without one belongs to: that of the other voters, or a new one. It waits as long
/// as it takes. `frames` are what voters send meanwhile, each with its sender. To be written to `meta.properties`
/// before `Metadata` is opened, which tells it to those who ask from then on.
pub async fn found_cluster(
    env: &Env,
    node_id: BrokerId,
    voters: &[Voter],
    transport: &Arc<dyn RaftTransport>,
    frames: &mut Receiver<(BrokerId, Bytes)>,
) -> String {
    let mut founding = Founding::new(node_id, voters);
    let frame = |body| {
        Frame { cluster_id: String::new(), directory_id: Uuid::nil(), is_logged: false, body }.encode()
    };
    let begun = env.clock.monotonic();
    let (mut next_ask, mut next_line) = (begun, begun.after(TELL_EVERY));
    let mut verdict = founding.verdict();
    loop {
        match verdict {
            Some(Verdict::Adopt(cluster_id)) => return cluster_id,
            Some(Verdict::Make) => return TopicId::from_random(|| env.rng.next_16()).to_string(),
            None => {}
        }
        let now = env.clock.monotonic();
        if now >= next_ask {
            founding.others().for_each(|id| transport.send(id, frame(Body::AskClusterId)));
            let is_early = begun.until(now) < ASK_QUICKLY;
            next_ask = now.after(if is_early { ASK_QUICKLY_EVERY } else { ASK_EVERY });
        }
        if now >= next_line {
            tell_who_is_missing(&founding, begun, now);
            next_line = now.after(TELL_EVERY);
        }
        let asleep = env.clock.sleep_until(next_ask);
        let came = tokio::select! {
            biased;
            came = frames.recv() => came,
            () = asleep => continue,
        };
        let Some((from, bytes)) = came else {
            // Nobody can be heard any more: the process is about to end.
            return std::future::pending().await;
        };
        let Ok(heard) = Frame::decode(bytes) else { continue };
        match heard.body {
            Body::AskClusterId => {
                transport.send(from, frame(Body::ClusterId));
                // Whoever asks has none, and says so.
                verdict = founding.on_answer(from, heard.cluster_id);
            }
            Body::ClusterId => verdict = founding.on_answer(from, heard.cluster_id),
            // Of a quorum that this node does not take part in yet.
            Body::Message(_)
            | Body::FetchSnapshot { .. }
            | Body::SnapshotPart { .. }
            | Body::Refused(_)
            | Body::Observe(_)
            | Body::Leader(_) => {}
        }
    }
}

fn tell_who_is_missing(founding: &Founding, begun: Monotonic, now: Monotonic) {
    let silent: Vec<String> =
        founding.voters.iter().filter(|id| !founding.without.contains(id)).map(|id| id.to_string()).collect();
    tracing::info!(
        "waiting {} s for the other controllers to found a cluster; not heard of: {}",
        begun.until(now).as_secs(),
        silent.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founding(me: i32, of: i32) -> Founding {
        let voter = |id| Voter { id: BrokerId(id), host: "h".to_owned(), port: 1 };
        Founding::new(BrokerId(me), &(1..=of).map(voter).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_lowest_makes_an_id_and_only_with_a_majority() {
        assert_eq!(founding(1, 1).verdict(), Some(Verdict::Make));
        for (voters, needed) in [(2, 1), (3, 1), (4, 2), (5, 2)] {
            let mut lowest = founding(1, voters);
            let mut other = founding(2, voters);
            assert_eq!(lowest.verdict(), None);
            for answers in 1..voters {
                let is_enough = answers >= needed;
                let verdict = lowest.on_answer(BrokerId(answers + 1), String::new());
                assert_eq!(verdict, is_enough.then_some(Verdict::Make), "{answers} answers of {voters}");
                let from = if answers == 1 { 1 } else { answers + 1 };
                assert_eq!(other.on_answer(BrokerId(from), String::new()), None);
            }
        }
        // The same voter twice is no majority.
        let mut lowest = founding(1, 5);
        assert_eq!(lowest.on_answer(BrokerId(2), String::new()), None);
        assert_eq!(lowest.on_answer(BrokerId(2), String::new()), None);
        // Nor is a stranger.
        assert_eq!(lowest.on_answer(BrokerId(9), String::new()), None);
    }

    #[test]
    fn an_id_that_a_voter_has_is_adopted() {
        for me in [1, 3] {
            let mut node = founding(me, 3);
            let verdict = node.on_answer(BrokerId(2), "theirs".to_owned());
            assert_eq!(verdict, Some(Verdict::Adopt("theirs".to_owned())));
            assert_eq!(founding(me, 3).on_answer(BrokerId(9), "a stranger's".to_owned()), None);
        }
    }
}
