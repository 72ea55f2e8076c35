//! A snapshot on its way from a leader to a voter that is far behind, part by part.
//! Core. A part of `machine`.

use super::*;

impl RaftMachine {
    pub(super) fn ask_for_part(&mut self) {
        let Some(fetch) = &self.fetch else { return };
        let (from, id, position) = (fetch.from, fetch.id, fetch.position());
        self.send(from, Body::FetchSnapshot { id, position });
    }

    pub(super) fn on_part(
        &mut self,
        from: BrokerId,
        id: SnapshotId,
        position: u64,
        file_bytes: u64,
        bytes: Bytes,
    ) {
        let Some(fetch) = &mut self.fetch else { return };
        if !fetch.on_part(from, id, position, bytes.len()) {
            return;
        }
        let is_last = fetch.position() >= file_bytes;
        let part = Part { id, position, file_bytes, bytes };
        let write = self.push_write(Write { part: Some((part, is_last)), ..Write::default() }, None);
        self.part_write = Some(write);
        self.last_part = is_last.then_some(write);
    }

    pub(super) fn on_part_read(&mut self, request: PartRequest, part: Option<Part>) {
        let Some(Part { id, position, file_bytes, bytes }) = part else {
            // A newer one took its place: the follower hears of that.
            self.served.remove(&request.to);
            self.node.on_snapshot_failed(request.to);
            return;
        };
        self.send(request.to, Body::SnapshotPart { id, position, file_bytes, bytes });
    }
}
