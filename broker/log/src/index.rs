//! The two sparse indexes of a segment: offset to position, timestamp to offset.
//! Shell: reads and writes its file; the search is plain arithmetic.
//!
//! ```text
//! .index      (offset - base offset  u32 | position in .log  u32)*      offset is a batch's last
//! .timeindex  (timestamp  i64 | offset - base offset  u32)*             both grow
//! ```
//!
//! New entries wait in memory and are written some at a time: a crash loses them, and recovery,
//! which reads those batches anyway, makes them again. So an entry is a hint: its user
//! checks that the batch is where it says.
//!
//! Invariant I1: readers take no lock that is held while the file is written.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use ottla_env::OpenMode;
use ottla_model::Offset;
use parking_lot::Mutex;

use crate::open_files::{FileSlot, OpenFiles};

/// Entries that may wait in memory.
const TAIL_ENTRIES_MAX: usize = 512;

/// One entry of either index.
pub trait IndexEntry: Copy {
    const BYTES: usize;
    fn parse(bytes: &[u8], base: Offset) -> Self;
    fn write(self, base: Offset, out: &mut Vec<u8>);
}

/// A batch's last offset and where the batch starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    pub offset: Offset,
    pub position: u64,
}

/// The largest timestamp so far and the last offset of the batch that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeEntry {
    pub timestamp: i64,
    pub offset: Offset,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*bytes[at..].first_chunk().expect("entries are whole"))
}

impl IndexEntry for OffsetEntry {
    const BYTES: usize = 8;

    fn parse(bytes: &[u8], base: Offset) -> OffsetEntry {
        OffsetEntry { offset: base + i64::from(u32_at(bytes, 0)), position: u64::from(u32_at(bytes, 4)) }
    }

    fn write(self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&((self.offset - base) as u32).to_be_bytes());
        out.extend_from_slice(&(self.position as u32).to_be_bytes());
    }
}

impl IndexEntry for TimeEntry {
    const BYTES: usize = 12;

    fn parse(bytes: &[u8], base: Offset) -> TimeEntry {
        let timestamp = i64::from_be_bytes(*bytes.first_chunk().expect("entries are whole"));
        TimeEntry { timestamp, offset: base + i64::from(u32_at(bytes, 8)) }
    }

    fn write(self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&((self.offset - base) as u32).to_be_bytes());
    }
}

/// One index file and what is not in it yet.
pub struct Index<E> {
    base: Offset,
    slot: Arc<FileSlot>,
    /// Held over each change of the file. Readers don't take it.
    writing: Mutex<()>,
    state: Mutex<State<E>>,
    _entry: PhantomData<E>,
}

struct State<E> {
    /// Entries in the file, once it was looked at.
    written: Option<u64>,
    tail: Vec<E>,
    /// The last entry, once known.
    last: Option<E>,
    /// Whether the file is there; it is made by the first entry.
    is_made: bool,
}

impl<E: IndexEntry> Index<E> {
    /// `is_new`: nothing is in the file.
    pub fn new(base: Offset, slot: Arc<FileSlot>, is_new: bool) -> Index<E> {
        let written = is_new.then_some(0);
        Index {
            base,
            slot,
            writing: Mutex::new(()),
            state: Mutex::new(State { written, tail: Vec::new(), last: None, is_made: !is_new }),
            _entry: PhantomData,
        }
    }

    pub fn slot(&self) -> &Arc<FileSlot> {
        &self.slot
    }

    fn written(&self, state: &mut State<E>, files: &OpenFiles) -> io::Result<u64> {
        if let Some(written) = state.written {
            return Ok(written);
        }
        let written = match files.get(&self.slot, OpenMode::Read) {
            Ok(file) => file.len()? / E::BYTES as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        state.written = Some(written);
        Ok(written)
    }

    /// How many entries there are.
    pub fn len(&self, files: &OpenFiles) -> io::Result<u64> {
        let mut state = self.state.lock();
        Ok(self.written(&mut state, files)? + state.tail.len() as u64)
    }

    pub fn last(&self, files: &OpenFiles) -> io::Result<Option<E>> {
        let mut state = self.state.lock();
        self.last_of(&mut state, files)
    }

    fn last_of(&self, state: &mut State<E>, files: &OpenFiles) -> io::Result<Option<E>> {
        if state.last.is_none() {
            let written = self.written(state, files)?;
            state.last = match (state.tail.last(), written) {
                (Some(last), _) => Some(*last),
                (None, 0) => None,
                (None, written) => Some(self.read_entry(files, written - 1)?),
            };
        }
        Ok(state.last)
    }

    fn read_entry(&self, files: &OpenFiles, number: u64) -> io::Result<E> {
        let mut bytes = [0; 12];
        let bytes = &mut bytes[..E::BYTES];
        files.get(&self.slot, OpenMode::Read)?.read_exact_at(bytes, number * E::BYTES as u64)?;
        Ok(E::parse(bytes, self.base))
    }

    pub fn append(&self, entry: E, files: &OpenFiles) -> io::Result<()> {
        let mut state = self.state.lock();
        state.tail.push(entry);
        state.last = Some(entry);
        let is_full = state.tail.len() >= TAIL_ENTRIES_MAX;
        drop(state);
        if is_full { self.write_tail(files) } else { Ok(()) }
    }

    /// Writes what waits in memory and gives the memory back.
    pub fn flush(&self, files: &OpenFiles) -> io::Result<()> {
        self.write_tail(files)
    }

    /// The entries stay in the tail, where readers find them, until the file has them.
    fn write_tail(&self, files: &OpenFiles) -> io::Result<()> {
        let _writing = self.writing.lock();
        let mut state = self.state.lock();
        let count = state.tail.len();
        if count == 0 {
            return Ok(());
        }
        let written = self.written(&mut state, files)?;
        let mut bytes = Vec::with_capacity(count * E::BYTES);
        for entry in &state.tail {
            entry.write(self.base, &mut bytes);
        }
        drop(state);
        files.get(&self.slot, OpenMode::Create)?.write_all_at(&bytes, written * E::BYTES as u64)?;
        let mut state = self.state.lock();
        state.written = Some(written + count as u64);
        state.tail.drain(..count);
        if state.tail.is_empty() {
            state.tail = Vec::new();
        }
        state.is_made = true;
        Ok(())
    }

    /// Makes an empty file where no entry has made one.
    pub fn make(&self, files: &OpenFiles) -> io::Result<()> {
        let _writing = self.writing.lock();
        if !self.is_made() {
            files.get(&self.slot, OpenMode::Create)?;
            self.state.lock().is_made = true;
        }
        Ok(())
    }

    pub fn is_made(&self) -> bool {
        self.state.lock().is_made
    }

    /// The last entry for which `is_before` holds; it must hold for a prefix of all entries.
    pub fn floor(&self, files: &OpenFiles, is_before: impl Fn(&E) -> bool) -> io::Result<Option<E>> {
        let mut state = self.state.lock();
        if state.tail.first().is_some_and(&is_before) {
            let count = state.tail.partition_point(&is_before);
            return Ok(Some(state.tail[count - 1]));
        }
        let written = self.written(&mut state, files)?;
        drop(state);
        self.floor_in_file(files, written, is_before)
    }

    /// Binary search by block: the last probes fall into one read.
    fn floor_in_file(
        &self,
        files: &OpenFiles,
        written: u64,
        is_before: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        const BLOCK_ENTRIES: u64 = 256;
        let (mut low, mut high) = (0, written);
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            if is_before(&self.read_entry(files, middle)?) {
                low = middle;
            } else {
                high = middle;
            }
        }
        if low == high {
            return Ok(None);
        }
        let mut bytes = [0; BLOCK_ENTRIES as usize * 12];
        let bytes = &mut bytes[..(high - low) as usize * E::BYTES];
        files.get(&self.slot, OpenMode::Read)?.read_exact_at(bytes, low * E::BYTES as u64)?;
        let mut found = None;
        for entry in bytes.chunks_exact(E::BYTES) {
            let entry = E::parse(entry, self.base);
            if !is_before(&entry) {
                break;
            }
            found = Some(entry);
        }
        Ok(found)
    }

    /// Keeps the entries for which `keep` holds; it must hold for a prefix of all entries.
    pub fn truncate(&self, files: &OpenFiles, keep: impl Fn(&E) -> bool) -> io::Result<()> {
        self.write_tail(files)?;
        let _writing = self.writing.lock();
        let mut state = self.state.lock();
        let (mut low, mut high) = (0, self.written(&mut state, files)?);
        if high == 0 {
            return Ok(());
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if keep(&self.read_entry(files, middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        state.written = Some(low);
        state.last = None;
        drop(state);
        files.get(&self.slot, OpenMode::Create)?.set_len(low * E::BYTES as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_env::memory::MemoryDisk;
    use std::path::PathBuf;

    #[test]
    fn entries_are_found_in_memory_and_in_the_file() {
        let files = OpenFiles::new(Arc::new(MemoryDisk::new()), 4);
        let slot = FileSlot::new(PathBuf::from("i"));
        let index: Index<OffsetEntry> = Index::new(Offset(1000), slot.clone(), true);
        for n in 0..1300 {
            index
                .append(OffsetEntry { offset: Offset(1000 + n * 10), position: n as u64 * 100 }, &files)
                .expect("memory");
        }
        let floor = |index: &Index<OffsetEntry>, offset: i64| {
            index.floor(&files, |entry| entry.offset <= Offset(offset)).expect("memory").map(|e| e.position)
        };
        for probe in [999, 1000, 1009, 1010, 5432, 7000, 13_990, 20_000] {
            let expected = (probe >= 1000).then(|| (((probe - 1000) / 10) as u64).min(1299) * 100);
            assert_eq!(floor(&index, probe), expected, "{probe}");
        }
        index.flush(&files).expect("memory");
        let reopened: Index<OffsetEntry> = Index::new(Offset(1000), slot, false);
        assert_eq!(reopened.len(&files).expect("memory"), 1300);
        assert_eq!(floor(&reopened, 13_990), Some(129_900));
        reopened.truncate(&files, |entry| entry.position < 500).expect("memory");
        assert_eq!(reopened.last(&files).expect("memory").map(|e| e.position), Some(400));
        assert_eq!(reopened.len(&files).expect("memory"), 5);
    }
}
