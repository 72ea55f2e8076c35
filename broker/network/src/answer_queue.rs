//! The answers of one connection in the order of their requests: ready ones, and those still awaited.
//! Core: polls the futures it was given, and only those that were woken.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ottla_env::{BoxFuture, File};
use parking_lot::Mutex;

use crate::handler::{Admitted, Answer};
use crate::response::{Chunk, Response};

/// Entries an empty queue may keep room for.
const IDLE_ENTRIES_MAX: usize = 16;

pub struct AnswerQueue {
    entries: VecDeque<Entry>,
    /// The number of the entry at the front; requests are numbered as they come.
    first_sequence: u64,
    parked: Vec<Slot>,
    free_slots: Vec<u32>,
    wake_list: Arc<WakeList>,
    /// The waker `wake_list` has, to compare without a lock.
    task: Option<Waker>,
    /// Slots to poll, taken from the wake list.
    woken: VecDeque<u32>,
    parked_frame_bytes: usize,
    unsent_memory_bytes: usize,
    /// The request after which no frame may be admitted before its answer is known.
    exclusive: Option<Exclusive>,
    /// A close was answered whose time has not come; no frame may be admitted any more.
    is_close_delayed: bool,
    /// What the answers since the last look ask of the connection.
    asks: Option<Box<Asks>>,
    /// How far the response at the front is sent: chunks (0 is its head), and bytes of the next.
    sent_chunks: usize,
    sent_bytes: usize,
}

enum Entry {
    Parked {
        frame_bytes: usize,
    },
    Ready(Response),
    Silent,
    Close(&'static str),
    /// Waits for its time; answers behind it wait too.
    DelayedClose {
        response: Option<Response>,
        why: &'static str,
    },
    /// The last answer of the connection.
    ReadyThenClose(Response, &'static str),
}

struct Exclusive {
    sequence: u64,
    /// Not begun: earlier answers have not left.
    waiting: Option<BoxFuture<'static, Answer>>,
}

/// What answers ask of their connection beyond being sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Read nothing for so long.
    pub mute: Option<Duration>,
    /// After so long let the answer of this number leave and close.
    pub close_after: Option<(u64, Duration)>,
}

/// A place for an awaited answer. Its waker stays when the place is used again: a late wake of the
/// answer before costs one needless poll.
struct Slot {
    sequence: u64,
    future: Option<BoxFuture<'static, Answer>>,
    wake: Arc<SlotWake>,
    waker: Waker,
}

struct SlotWake {
    slot: u32,
    is_listed: AtomicBool,
    list: Arc<WakeList>,
}

#[derive(Default)]
struct WakeList {
    state: Mutex<WakeListState>,
}

#[derive(Default)]
struct WakeListState {
    slots: Vec<u32>,
    task: Option<Waker>,
}

/// What is to be sent next.
pub enum Outgoing {
    /// Nothing can be sent now.
    Nothing,
    /// So many slices were filled in.
    Slices(usize),
    /// The same, and a slice of a file follows.
    SlicesBeforeFile(usize),
    File {
        file: Arc<dyn File>,
        position: u64,
        len: usize,
    },
    /// All answers before were sent.
    Close(&'static str),
}

impl Wake for SlotWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = self.list.state.lock();
            state.slots.push(self.slot);
            // The first one wakes the task; the task takes all.
            if state.slots.len() == 1 { state.task.clone() } else { None }
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl AnswerQueue {
    #[allow(clippy::new_without_default, reason = "a queue belongs to a connection, there is no default one")]
    pub fn new() -> AnswerQueue {
        AnswerQueue {
            entries: VecDeque::new(),
            first_sequence: 0,
            parked: Vec::new(),
            free_slots: Vec::new(),
            wake_list: Arc::new(WakeList::default()),
            task: None,
            woken: VecDeque::new(),
            parked_frame_bytes: 0,
            unsent_memory_bytes: 0,
            exclusive: None,
            is_close_delayed: false,
            asks: None,
            sent_chunks: 0,
            sent_bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of answers that wait to be sent; file slices hold none.
    pub fn unsent_memory_bytes(&self) -> usize {
        self.unsent_memory_bytes
    }

    /// Bytes held: answers to be sent, and frames whose answers are awaited.
    pub fn held_bytes(&self) -> usize {
        self.unsent_memory_bytes + self.parked_frame_bytes
    }

    /// Whether a further frame may be admitted, as far as the answers are concerned.
    pub fn admits(&self) -> bool {
        self.exclusive.is_none() && !self.is_close_delayed
    }

    /// What the answers since the last call ask of the connection.
    pub fn take_asks(&mut self) -> Option<Box<Asks>> {
        self.asks.take()
    }

    /// Notes who is to be woken when an awaited answer can go on. To be called by the task before
    /// anything is pushed or polled.
    pub fn register(&mut self, context: &Context<'_>) {
        let waker = context.waker();
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            self.task = Some(waker.clone());
            self.wake_list.state.lock().task = Some(waker.clone());
        }
    }

    /// Adds what became of the next request.
    pub fn push(&mut self, admitted: Admitted, frame_bytes: usize) {
        match admitted {
            Admitted::Ready(answer) => {
                let sequence = self.next_sequence();
                let entry = self.entry(answer, sequence);
                // Silence at the front is nothing to wait for.
                if matches!(entry, Entry::Silent) && self.entries.is_empty() {
                    self.first_sequence += 1;
                } else {
                    self.entries.push_back(entry);
                }
            }
            Admitted::Parked(future) => {
                let sequence = self.push_parked(frame_bytes);
                self.begin(sequence, future);
            }
            Admitted::Exclusive(future) => {
                let sequence = self.push_parked(frame_bytes);
                self.exclusive = Some(Exclusive { sequence, waiting: None });
                self.begin(sequence, future);
            }
            Admitted::ExclusiveAfterEarlier(future) => {
                let sequence = self.push_parked(frame_bytes);
                self.exclusive = Some(Exclusive { sequence, waiting: Some(future) });
                self.begin_waiting();
            }
        }
    }

    fn next_sequence(&self) -> u64 {
        self.first_sequence + self.entries.len() as u64
    }

    fn push_parked(&mut self, frame_bytes: usize) -> u64 {
        assert!(self.admits(), "a frame was admitted beside one that must be alone");
        let sequence = self.next_sequence();
        self.entries.push_back(Entry::Parked { frame_bytes });
        self.parked_frame_bytes += frame_bytes;
        sequence
    }

    fn begin(&mut self, sequence: u64, future: BoxFuture<'static, Answer>) {
        let slot = self.park(sequence, future);
        // The first poll gives the future the waker to call.
        self.poll_slot(slot);
    }

    /// Begins the request that waits for every earlier answer to leave, once they have. True when it
    /// did.
    pub fn begin_waiting(&mut self) -> bool {
        let Some(exclusive) = &mut self.exclusive else { return false };
        let sequence = exclusive.sequence;
        if sequence != self.first_sequence {
            return false;
        }
        let Some(future) = exclusive.waiting.take() else { return false };
        self.begin(sequence, future);
        true
    }

    fn entry(&mut self, answer: Answer, sequence: u64) -> Entry {
        match answer {
            Answer::Respond(response) => {
                self.unsent_memory_bytes += response.memory_bytes();
                Entry::Ready(response)
            }
            Answer::Silent => Entry::Silent,
            Answer::Close(why) => Entry::Close(why),
            Answer::ThenMute { answer, mute } => {
                let asks = self.asks.get_or_insert_default();
                asks.mute = asks.mute.max(Some(mute));
                self.entry(*answer, sequence)
            }
            Answer::CloseAfter { response, delay, why } => {
                self.unsent_memory_bytes += response.as_ref().map_or(0, Response::memory_bytes);
                self.is_close_delayed = true;
                let asks = self.asks.get_or_insert_default();
                // Of several the one that is answered first counts: nothing is sent behind it.
                let is_first = asks.close_after.is_none_or(|(earlier, _)| sequence < earlier);
                if is_first {
                    asks.close_after = Some((sequence, delay));
                }
                Entry::DelayedClose { response, why }
            }
        }
    }

    /// The time of a delayed close has come.
    pub fn release_close(&mut self, sequence: u64) {
        let place = (sequence - self.first_sequence) as usize;
        let entry = &mut self.entries[place];
        *entry = match std::mem::replace(entry, Entry::Silent) {
            Entry::DelayedClose { response: Some(response), why } => Entry::ReadyThenClose(response, why),
            Entry::DelayedClose { response: None, why } => Entry::Close(why),
            _other => unreachable!("only a delayed close is released, once"),
        };
    }

    fn park(&mut self, sequence: u64, future: BoxFuture<'static, Answer>) -> u32 {
        if let Some(free) = self.free_slots.pop() {
            let slot = &mut self.parked[free as usize];
            slot.sequence = sequence;
            slot.future = Some(future);
            return free;
        }
        let slot = self.parked.len() as u32;
        let wake =
            Arc::new(SlotWake { slot, is_listed: AtomicBool::new(false), list: Arc::clone(&self.wake_list) });
        let waker = Waker::from(Arc::clone(&wake));
        self.parked.push(Slot { sequence, future: Some(future), wake, waker });
        slot
    }

    /// Polls up to `limit` awaited answers that were woken. Returns how many were polled; as many
    /// as the limit means that there may be more.
    pub fn poll_woken(&mut self, limit: usize) -> usize {
        if self.parked.is_empty() {
            return 0;
        }
        {
            let mut state = self.wake_list.state.lock();
            self.woken.extend(state.slots.drain(..));
        }
        for polled in 0..limit {
            let Some(slot) = self.woken.pop_front() else { return polled };
            self.poll_slot(slot);
        }
        limit
    }

    #[cfg(test)]
    pub fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    fn poll_slot(&mut self, index: u32) {
        let Some(slot) = self.parked.get_mut(index as usize) else { return };
        // Cleared before the poll, so that a wake during it counts.
        slot.wake.is_listed.store(false, Ordering::Release);
        let Some(future) = slot.future.as_mut() else { return };
        let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&slot.waker)) else { return };
        slot.future = None;
        let sequence = slot.sequence;
        assert!(sequence >= self.first_sequence, "an answer was awaited whose place has left");
        let place = (sequence - self.first_sequence) as usize;
        self.free_slots.push(index);
        if self.exclusive.as_ref().is_some_and(|exclusive| exclusive.sequence == sequence) {
            self.exclusive = None;
        }
        let entry = self.entry(answer, sequence);
        if let Entry::Parked { frame_bytes } = std::mem::replace(&mut self.entries[place], entry) {
            self.parked_frame_bytes -= frame_bytes;
        }
    }

    /// What leaves next. Fills `slices` with bytes of the answers at the front, up to the next file
    /// slice or awaited answer.
    pub fn outgoing<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> Outgoing {
        while matches!(self.entries.front(), Some(Entry::Silent)) {
            self.pop_front();
        }
        let (mut chunk, mut skip) = (self.sent_chunks, self.sent_bytes);
        let mut count = 0;
        for entry in &self.entries {
            match entry {
                Entry::Parked { .. } | Entry::DelayedClose { .. } => break,
                Entry::Close(why) if count == 0 => return Outgoing::Close(why),
                Entry::Close(_why) => break,
                Entry::Silent => continue,
                Entry::Ready(response) | Entry::ReadyThenClose(response, _) => {
                    while chunk <= response.rest.len() {
                        if count == slices.len() {
                            return Outgoing::Slices(count);
                        }
                        match chunk_at(response, chunk) {
                            ChunkRef::Bytes(bytes) => {
                                slices[count] = IoSlice::new(&bytes[skip..]);
                                count += 1;
                            }
                            ChunkRef::File { .. } if count > 0 => return Outgoing::SlicesBeforeFile(count),
                            ChunkRef::File { file, position, len } => {
                                return Outgoing::File {
                                    file: Arc::clone(file),
                                    position: position + skip as u64,
                                    len: len - skip,
                                };
                            }
                        }
                        chunk += 1;
                        skip = 0;
                    }
                    chunk = 0;
                    if matches!(entry, Entry::ReadyThenClose(..)) {
                        break;
                    }
                }
            }
        }
        if count == 0 { Outgoing::Nothing } else { Outgoing::Slices(count) }
    }

    /// Notes that `sent` more bytes of what `outgoing` named have left.
    pub fn on_sent(&mut self, mut sent: usize) {
        while sent > 0 {
            let response = match self.entries.front() {
                Some(Entry::Ready(response) | Entry::ReadyThenClose(response, _)) => response,
                Some(Entry::Silent) => {
                    self.pop_front();
                    continue;
                }
                _nothing_to_send => unreachable!("more was sent than there was"),
            };
            let left = chunk_at(response, self.sent_chunks).len() - self.sent_bytes;
            if sent < left {
                self.sent_bytes += sent;
                return;
            }
            sent -= left;
            self.sent_bytes = 0;
            self.sent_chunks += 1;
            if self.sent_chunks > response.rest.len() {
                self.unsent_memory_bytes -= response.memory_bytes();
                self.sent_chunks = 0;
                match self.entries.front() {
                    Some(Entry::ReadyThenClose(_, why)) => self.entries[0] = Entry::Close(why),
                    _answered => self.pop_front(),
                }
            }
        }
    }

    fn pop_front(&mut self) {
        self.entries.pop_front();
        self.first_sequence += 1;
    }

    /// The connection ends: what is awaited is dropped.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.parked.clear();
        self.exclusive = None;
    }

    /// Nothing happens for now: memory of busier times is given back.
    pub fn release_if_empty(&mut self) {
        if !self.entries.is_empty() {
            return;
        }
        if self.entries.capacity() > IDLE_ENTRIES_MAX {
            self.entries = VecDeque::new();
        }
        if self.parked.capacity() > IDLE_ENTRIES_MAX {
            // A late wake of a slot that is gone finds nothing or another answer to poll.
            self.parked = Vec::new();
            self.free_slots = Vec::new();
            self.woken = VecDeque::new();
        }
    }
}

enum ChunkRef<'a> {
    Bytes(&'a [u8]),
    File { file: &'a Arc<dyn File>, position: u64, len: usize },
}

impl ChunkRef<'_> {
    fn len(&self) -> usize {
        match self {
            ChunkRef::Bytes(bytes) => bytes.len(),
            ChunkRef::File { len, .. } => *len,
        }
    }
}

/// The head is chunk 0.
fn chunk_at(response: &Response, chunk: usize) -> ChunkRef<'_> {
    if chunk == 0 {
        return ChunkRef::Bytes(&response.head);
    }
    match &response.rest[chunk - 1] {
        Chunk::Bytes(bytes) => ChunkRef::Bytes(bytes),
        Chunk::File { file, position, len } => ChunkRef::File { file, position: *position, len: *len },
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, Bytes};
    use tokio::sync::oneshot;

    use super::*;
    use crate::response::ResponseBuilder;
    use crate::test_world::CountingWaker;

    fn response(fill: u8) -> Response {
        let mut builder = ResponseBuilder::with_capacity(1);
        builder.buffer.put_u8(fill);
        builder.finish().expect("it fits a frame")
    }

    fn ready(fill: u8) -> Admitted {
        Admitted::Ready(Answer::Respond(response(fill)))
    }

    fn parked() -> (oneshot::Sender<Answer>, Admitted) {
        let (sender, receiver) = oneshot::channel();
        (sender, Admitted::Parked(Box::pin(async { receiver.await.expect("it is answered") })))
    }

    /// Everything that can leave now.
    fn send_all(queue: &mut AnswerQueue) -> Vec<u8> {
        let mut sent = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 4];
            let Outgoing::Slices(count) = queue.outgoing(&mut slices) else { return sent };
            let before = sent.len();
            slices[..count].iter().for_each(|slice| sent.extend_from_slice(slice));
            let more = sent.len() - before;
            queue.on_sent(more);
        }
    }

    fn registered() -> (AnswerQueue, Arc<CountingWaker>) {
        let counting = CountingWaker::new();
        let mut queue = AnswerQueue::new();
        queue.register(&Context::from_waker(&counting.waker()));
        (queue, counting)
    }

    #[test]
    fn answers_leave_in_the_order_of_requests_however_they_come() {
        let (mut queue, woken) = registered();
        let (first, admitted) = parked();
        queue.push(admitted, 10);
        let (second, admitted) = parked();
        queue.push(admitted, 10);
        queue.push(ready(3), 10);
        assert_eq!(queue.held_bytes(), 20 + 5);
        assert!(send_all(&mut queue).is_empty());

        assert!(second.send(Answer::Respond(response(2))).is_ok());
        assert_eq!(woken.count(), 1);
        assert_eq!(queue.poll_woken(10), 1);
        assert!(send_all(&mut queue).is_empty(), "the first is awaited");
        assert!(first.send(Answer::Respond(response(1))).is_ok());
        assert_eq!(queue.poll_woken(10), 1);
        assert_eq!(send_all(&mut queue), [0, 0, 0, 1, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1, 3]);
        assert!(queue.is_empty());
        assert_eq!(queue.held_bytes(), 0);
    }

    #[test]
    fn many_wakes_wake_the_task_once_and_poll_only_the_woken() {
        let (mut queue, woken) = registered();
        let mut senders = Vec::new();
        for _request in 0..1000 {
            let (sender, admitted) = parked();
            queue.push(admitted, 1);
            senders.push(sender);
        }
        for sender in senders.drain(500..) {
            assert!(sender.send(Answer::Silent).is_ok());
        }
        assert_eq!(woken.count(), 1);
        assert_eq!(queue.poll_woken(200), 200);
        assert!(queue.has_woken());
        assert_eq!(queue.poll_woken(1000), 300);
        assert!(!queue.has_woken());
        assert_eq!(queue.len(), 1000, "the first is awaited");
        for sender in senders {
            assert!(sender.send(Answer::Silent).is_ok());
        }
        assert_eq!(queue.poll_woken(1000), 500);
        assert!(send_all(&mut queue).is_empty());
        assert!(queue.is_empty());
        queue.release_if_empty();
        assert_eq!(queue.parked.capacity(), 0);
    }

    #[test]
    fn silence_sends_nothing_and_close_comes_after_the_answers_before() {
        let (mut queue, _woken) = registered();
        queue.push(Admitted::Ready(Answer::Silent), 10);
        assert!(queue.is_empty());
        queue.push(ready(1), 10);
        queue.push(Admitted::Ready(Answer::Silent), 10);
        queue.push(Admitted::Ready(Answer::Close("test")), 10);
        queue.push(ready(2), 10);
        assert_eq!(send_all(&mut queue), [0, 0, 0, 1, 1]);
        assert!(matches!(queue.outgoing(&mut [IoSlice::new(&[])]), Outgoing::Close("test")));
    }

    #[test]
    fn sending_goes_on_where_it_stopped_in_any_chunk() {
        let (mut queue, _woken) = registered();
        let mut builder = ResponseBuilder::with_capacity(1);
        builder.buffer.put_u8(1);
        builder.push(Chunk::Bytes(Bytes::from_static(&[2, 3])));
        builder.push(Chunk::Bytes(Bytes::from_static(&[4])));
        let chunked = builder.finish().expect("it fits a frame");
        queue.push(Admitted::Ready(Answer::Respond(chunked)), 0);
        queue.push(ready(5), 0);
        let mut sent = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 2];
            let Outgoing::Slices(_count) = queue.outgoing(&mut slices) else { break };
            sent.push(slices[0][0]);
            queue.on_sent(1);
        }
        assert_eq!(sent, [0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 1, 5]);
        assert_eq!(queue.held_bytes(), 0);
    }

    #[test]
    fn a_place_used_again_is_not_confused_by_a_late_wake() {
        let (mut queue, _woken) = registered();
        let (sender, admitted) = parked();
        queue.push(admitted, 1);
        let late = queue.parked[0].waker.clone();
        assert!(sender.send(Answer::Silent).is_ok());
        assert_eq!(queue.poll_woken(10), 1);
        assert!(send_all(&mut queue).is_empty());
        let (sender, admitted) = parked();
        queue.push(admitted, 1);
        late.wake();
        assert_eq!(queue.poll_woken(10), 1);
        assert_eq!(queue.len(), 1);
        assert!(sender.send(Answer::Respond(response(9))).is_ok());
        queue.poll_woken(10);
        assert_eq!(send_all(&mut queue), [0, 0, 0, 1, 9]);
    }
}
