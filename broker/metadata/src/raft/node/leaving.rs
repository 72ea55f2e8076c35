//! What leaves a voter: messages, writes, and what is committed; promises wait for the device (I3).
//! Core. A part of `node`.

use super::*;

impl RaftNode {
    /// What is to be done now.
    pub fn take_effects(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.release(&mut effects);
        while self.raw.has_ready() {
            let mut ready = self.raw.ready();
            let number = ready.number();
            self.last_ready = number;
            for message in ready.take_messages() {
                effects.messages.extend(self.to_peer(message));
            }
            effects.committed.extend(ready.take_committed_entries().into_iter().filter_map(batch_of));
            self.take_write(&mut ready, &mut effects);
            self.hold(ready.take_persisted_messages(), &mut effects);
            self.raw.advance_append_async(ready);
            if self.written == self.issued {
                self.raw.on_persist_ready(number);
            }
            if self.installing.is_none() {
                self.raw.advance_apply();
            }
        }
        effects
    }

    pub(super) fn take_write(&mut self, ready: &mut Ready, effects: &mut Effects) {
        if !ready.must_sync() {
            return;
        }
        let number = ready.number();
        let hard_state = ready.hs().cloned();
        let state = hard_state.map(|state| {
            self.raw.mut_store().hard_state = state.clone();
            (epoch(state.term), (state.vote != 0).then(|| node_id(state.vote)))
        });
        let store = &mut self.raw.mut_store().log;
        let metadata = ready.snapshot().get_metadata();
        let install = (metadata.index != 0)
            .then(|| SnapshotId { end_offset: end_of(metadata.index), epoch: epoch(metadata.term) });
        if let Some(snapshot) = install {
            store.install(snapshot);
            self.installing = Some(number);
        }
        let entries = ready.take_entries();
        let last = entries.last().map(|entry| end_of(entry.index));
        let batches: Vec<StoredBatch> = entries.into_iter().filter_map(batch_of).collect();
        assert!(last == batches.last().map(|batch| batch.next), "a batch is written whole");
        store.append(&batches, number);
        self.issued = number;
        effects.writes.push(NodeWrite { number, state, install, batches });
    }

    pub(super) fn hold(&mut self, messages: Vec<Message>, effects: &mut Effects) {
        let mut promises = Vec::new();
        for message in messages {
            let waits = !matches!(
                message.msg_type,
                MessageType::MsgHeartbeatResponse
                    | MessageType::MsgRequestPreVote
                    | MessageType::MsgRequestPreVoteResponse
            );
            if waits && self.written < self.issued {
                promises.push(message);
            } else {
                effects.messages.extend(self.to_peer(message));
            }
        }
        if !promises.is_empty() {
            self.held.push_back((self.issued, promises));
        }
    }

    pub(super) fn release(&mut self, effects: &mut Effects) {
        while self.held.front().is_some_and(|(number, _)| *number <= self.written) {
            let (_, messages) = self.held.pop_front().expect("looked at");
            for message in messages {
                effects.messages.extend(self.to_peer(message));
            }
        }
    }
}
