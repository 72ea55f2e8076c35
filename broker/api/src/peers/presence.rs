//! Which nodes are heard, for everybody who asks: the detector with what it found last.
//! Shell. Its lock is held for a few comparisons, never while the disk or the image is waited for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use ottla_env::Clock;
use ottla_metadata::detector::{Detector, Look, Ping};
use ottla_model::{BrokerId, Offset};
use parking_lot::Mutex;
use tokio::sync::watch;

pub struct Presence {
    clock: Arc<dyn Clock>,
    detector: Mutex<Detector>,
    is_cut_off: AtomicBool,
    has_suspects: AtomicBool,
    suspects: ArcSwap<Vec<BrokerId>>,
    /// Counts what became of `suspects`.
    changes: watch::Sender<u64>,
}

impl Presence {
    pub fn new(clock: Arc<dyn Clock>, me: BrokerId) -> Presence {
        Presence {
            clock,
            detector: Mutex::new(Detector::new(me)),
            is_cut_off: AtomicBool::new(false),
            has_suspects: AtomicBool::new(false),
            suspects: ArcSwap::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Whether this node may not act for the cluster now.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Acquire)
    }

    pub fn has_suspects(&self) -> bool {
        self.has_suspects.load(Ordering::Acquire)
    }

    /// Nodes that are perhaps about to be replaced.
    pub fn suspects(&self) -> Arc<Vec<BrokerId>> {
        self.suspects.load_full()
    }

    /// Tells of each change of the suspects.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn on_ping(&self, ping: &Ping) {
        let now = self.clock.monotonic();
        self.detector.lock().on_ping(now, ping);
        self.trust(ping.from);
    }

    pub fn on_answer(&self, id: BrokerId) {
        let now = self.clock.monotonic();
        self.detector.lock().on_answer(now, id);
        self.trust(id);
    }

    /// Requests are served: what this node does not hear was not said.
    pub fn on_served(&self) {
        let now = self.clock.monotonic();
        self.detector.lock().on_served(now);
    }

    pub(super) fn is_unanswered(&self, id: BrokerId) -> bool {
        let now = self.clock.monotonic();
        self.detector.lock().is_unanswered(now, id)
    }

    pub(super) fn on_reached(&self, id: BrokerId) {
        let now = self.clock.monotonic();
        self.detector.lock().on_reached(now, id);
    }

    pub fn on_refused(&self, id: BrokerId) {
        let now = self.clock.monotonic();
        self.detector.lock().on_refused(now, id);
        self.suspect(id);
    }

    /// It was reached and closed the connection for a ping.
    pub(super) fn on_foreign(&self, id: BrokerId) {
        self.detector.lock().on_foreign(id);
    }

    pub fn on_closed(&self, id: BrokerId) {
        self.detector.lock().on_closed(id);
        self.suspect(id);
    }

    /// A broker was fenced since nobody heard it. Says whether it is waited twice as long for it.
    pub fn on_fenced(&self, id: BrokerId) -> bool {
        let now = self.clock.monotonic();
        let mut detector = self.detector.lock();
        detector.on_fenced(now, id);
        detector.is_patient_with(now, id)
    }

    pub(super) fn set_nodes(
        &self,
        nodes: &BTreeSet<BrokerId>,
        voters: &BTreeSet<BrokerId>,
    ) -> BTreeSet<BrokerId> {
        let now = self.clock.monotonic();
        let mut detector = self.detector.lock();
        detector.set_nodes(now, nodes, voters);
        detector.targets()
    }

    pub(super) fn ping(&self, metadata_offset: Offset) -> Ping {
        self.detector.lock().ping(self.clock.monotonic(), metadata_offset)
    }

    pub(super) fn look(&self, controller: Option<BrokerId>, metadata_offset: Offset) -> Look {
        let now = self.clock.monotonic();
        let look = self.detector.lock().look(now, controller, metadata_offset);
        self.is_cut_off.store(look.is_cut_off, Ordering::Release);
        if **self.suspects.load() != look.suspects {
            self.publish(look.suspects.clone());
        }
        look
    }

    fn publish(&self, suspects: Vec<BrokerId>) {
        self.has_suspects.store(!suspects.is_empty(), Ordering::Release);
        self.suspects.store(Arc::new(suspects));
        self.changes.send_modify(|count| *count += 1);
    }

    /// At once: a client may ask before the next look.
    fn suspect(&self, id: BrokerId) {
        let known = self.suspects.load_full();
        if !known.contains(&id) {
            let mut suspects = Vec::clone(&known);
            suspects.push(id);
            suspects.sort_unstable();
            self.publish(suspects);
        }
    }

    fn trust(&self, id: BrokerId) {
        if self.has_suspects() {
            let known = self.suspects.load_full();
            if known.contains(&id) {
                self.publish(known.iter().copied().filter(|suspect| *suspect != id).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ottla_env::memory::MemoryClock;

    use super::*;

    const OTHER: BrokerId = BrokerId(2);

    fn presence() -> (Arc<MemoryClock>, Presence) {
        let clock = Arc::new(MemoryClock::new(0));
        let presence = Presence::new(clock.clone(), BrokerId(1));
        let nodes: BTreeSet<BrokerId> = (1..=3).map(BrokerId).collect();
        assert_eq!(presence.set_nodes(&nodes, &nodes), [OTHER, BrokerId(3)].into());
        (clock, presence)
    }

    fn ping(from: BrokerId) -> Ping {
        Ping { from, metadata_offset: Offset(0), silences: Vec::new() }
    }

    #[test]
    fn who_closed_its_connection_is_suspected_at_once_until_it_is_heard() {
        let (_clock, presence) = presence();
        let mut changes = presence.changes();
        assert!(!presence.has_suspects());
        presence.on_closed(OTHER);
        assert_eq!((presence.has_suspects(), &**presence.suspects()), (true, &[OTHER][..]));
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        changes.mark_unchanged();
        // The next look finds the same, which is no news.
        assert_eq!(presence.look(None, Offset(0)).suspects, [OTHER]);
        assert!(changes.has_changed().is_ok_and(|changed| !changed));
        presence.on_ping(&ping(OTHER));
        assert!(!presence.has_suspects() && presence.suspects().is_empty());
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        presence.on_refused(BrokerId(3));
        presence.on_answer(BrokerId(3));
        assert!(!presence.has_suspects());
    }

    #[test]
    fn a_node_that_hears_nobody_says_so_until_it_is_answered_and_knows_what_others_know() {
        let (clock, presence) = presence();
        for _ in 0..20 {
            clock.advance(Duration::from_millis(50));
            presence.look(Some(OTHER), Offset(5));
        }
        assert!(presence.is_cut_off());
        presence.on_answer(OTHER);
        presence.on_ping(&Ping { metadata_offset: Offset(6), ..ping(OTHER) });
        assert!(presence.look(Some(OTHER), Offset(5)).is_cut_off);
        assert!(!presence.look(Some(OTHER), Offset(6)).is_cut_off);
        assert!(!presence.is_cut_off());
    }
}
