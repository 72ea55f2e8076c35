//! What waits to be sent to the controller, each thing once, and whoever sends it.
//! Core. One task sends; it is woken when something comes.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

pub struct WaitingList<K, V = ()>(Mutex<Waiting<K, V>>);

struct Waiting<K, V> {
    entries: BTreeMap<K, V>,
    sender: Option<Waker>,
}

impl<K, V> Default for WaitingList<K, V> {
    fn default() -> WaitingList<K, V> {
        WaitingList(Mutex::new(Waiting { entries: BTreeMap::new(), sender: None }))
    }
}

impl<K: Ord + Clone, V> WaitingList<K, V> {
    pub fn add(&self, entries: impl IntoIterator<Item = (K, V)>) {
        let sender = {
            let mut waiting = self.0.lock();
            waiting.entries.extend(entries);
            if waiting.entries.is_empty() { None } else { waiting.sender.take() }
        };
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    /// Ready when there is something to send.
    pub fn poll_waiting(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiting = self.0.lock();
        if !waiting.entries.is_empty() {
            return Poll::Ready(());
        }
        waiting.sender = Some(context.waker().clone());
        Poll::Pending
    }

    /// Takes this many from it, the lowest first.
    pub fn take(&self, max: usize) -> BTreeMap<K, V> {
        let mut waiting = self.0.lock();
        let mut taken = std::mem::take(&mut waiting.entries);
        if let Some(first_left) = taken.keys().nth(max).cloned() {
            waiting.entries = taken.split_off(&first_left);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_is_taken_once_the_lowest_first_and_the_sender_is_woken_when_one_comes() {
        let woken = Arc::new(Woken::default());
        let (waker, wakes) = (Waker::from(woken.clone()), || woken.0.load(Ordering::Relaxed));
        let context = Context::from_waker(&waker);
        let list = WaitingList::default();
        assert!(list.poll_waiting(&context).is_pending());
        list.add([]);
        assert_eq!(wakes(), 0, "nothing came");
        list.add([(3, "c"), (1, "a")]);
        list.add([(2, "b"), (3, "later")]);
        assert_eq!(wakes(), 1, "it is not waited for any more");
        assert!(list.poll_waiting(&context).is_ready());
        assert_eq!(list.take(2), [(1, "a"), (2, "b")].into());
        assert!(list.poll_waiting(&context).is_ready(), "one is left");
        assert_eq!(list.take(2), [(3, "later")].into());
        assert!(list.poll_waiting(&context).is_pending() && list.take(2).is_empty());
    }
}
