//! Archives of files (tar, the ustar format): what a data directory leaves and enters a lab as.
//! Core.
//!
//! ```text
//! | name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | checksum 8 | kind 1 | link 100 | "ustar" ... | prefix 155 | 12 |
//! |<--------------------------------- a header: 512 bytes -------------------------------------------------------------->|
//! | bytes of the file, filled up to 512 | the next header ... | two blocks of zeros |
//! ```

use std::path::{Component, Path};

use bytes::{BufMut, Bytes, BytesMut};

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_AT: usize = 345;
const PREFIX_BYTES: usize = 155;
const SIZE_AT: usize = 124;
const CHECKSUM_AT: usize = 148;
const KIND_AT: usize = 156;
const MAGIC_AT: usize = 257;
const FILE: u8 = b'0';
const FOLDER: u8 = b'5';
/// The next header is of a file with this name (GNU).
const LONG_NAME: u8 = b'L';
/// Words about the next header (POSIX).
const WORDS: u8 = b'x';

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TarFile {
    pub name: String,
    pub bytes: Bytes,
}

/// Whether bytes begin as an archive does.
pub fn is_one(bytes: &[u8]) -> bool {
    bytes.get(MAGIC_AT..MAGIC_AT + 5) == Some(b"ustar")
}

pub fn write(files: &[TarFile]) -> Bytes {
    let mut out = BytesMut::new();
    for file in files {
        let name = file.name.as_bytes();
        if name.len() > NAME_BYTES {
            push(&mut out, b"././@LongLink", LONG_NAME, &[name, &[0]].concat());
        }
        push(&mut out, &name[..name.len().min(NAME_BYTES)], FILE, &file.bytes);
    }
    out.put_bytes(0, 2 * BLOCK);
    out.freeze()
}

fn push(out: &mut BytesMut, name: &[u8], kind: u8, bytes: &[u8]) {
    assert!(name.len() <= NAME_BYTES, "a longer name has an entry of its own");
    let mut header = [0; BLOCK];
    header[..name.len()].copy_from_slice(name);
    for (at, text) in [(100, "0000644\0"), (108, "0000000\0"), (116, "0000000\0"), (136, "00000000000\0")] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let size = format!("{:011o}\0", bytes.len());
    header[SIZE_AT..SIZE_AT + size.len()].copy_from_slice(size.as_bytes());
    header[KIND_AT] = kind;
    header[MAGIC_AT..MAGIC_AT + 8].copy_from_slice(b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(sum.as_bytes());
    out.put_slice(&header);
    out.put_slice(bytes);
    out.put_bytes(0, bytes.len().next_multiple_of(BLOCK) - bytes.len());
}

/// The sum of a header's bytes, in which the sum itself counts as spaces.
fn checksum(header: &[u8]) -> u64 {
    let of_byte = |(at, byte): (usize, &u8)| match (CHECKSUM_AT..CHECKSUM_AT + 8).contains(&at) {
        true => u64::from(b' '),
        false => u64::from(*byte),
    };
    header.iter().enumerate().map(of_byte).sum()
}

/// The files of an archive. Nothing else may be in it but folders.
pub fn read(archive: &Bytes) -> Result<Vec<TarFile>, String> {
    let (mut files, mut at) = (Vec::new(), 0);
    let mut long_name = None;
    while let Some(header) = archive.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        if number(&header[CHECKSUM_AT..CHECKSUM_AT + 8]) != Some(checksum(header)) {
            return Err(format!("the header at byte {at} does not have its checksum"));
        }
        let size = number(&header[SIZE_AT..SIZE_AT + 12]).and_then(|size| usize::try_from(size).ok());
        let begin = at + BLOCK;
        let end = size.and_then(|size| begin.checked_add(size)).filter(|end| *end <= archive.len());
        let end = end.ok_or_else(|| format!("the file whose header is at byte {at} is cut off"))?;
        let bytes = archive.slice(begin..end);
        at = end.next_multiple_of(BLOCK);
        match header[KIND_AT] {
            LONG_NAME => long_name = Some(text(&bytes)),
            WORDS => long_name = path_of(&bytes).or(long_name),
            FILE | 0 => {
                let name = long_name.take().unwrap_or_else(|| name_of(header));
                files.push(TarFile { name: safe(&name)?, bytes });
            }
            FOLDER => long_name = None,
            other => return Err(format!("{} is no file (kind {:?})", name_of(header), char::from(other))),
        }
    }
    Err("it has no end".to_owned())
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn name_of(header: &[u8]) -> String {
    let (name, prefix) = (text(&header[..NAME_BYTES]), text(&header[PREFIX_AT..PREFIX_AT + PREFIX_BYTES]));
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// Lines as `17 path=a/b`.
fn path_of(words: &[u8]) -> Option<String> {
    let words = String::from_utf8_lossy(words);
    words.lines().find_map(|line| line.split_once(" path=").map(|(_, path)| path.to_owned()))
}

/// Digits of eight, with spaces or zeros around them.
fn number(field: &[u8]) -> Option<u64> {
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).ok()
}

/// A name that leads nowhere else.
fn safe(name: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _other => return Err(format!("{name:?} leads out of the archive")),
        }
    }
    match parts.is_empty() {
        true => Err(format!("{name:?} is no name")),
        false => Ok(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> TarFile {
        TarFile { name: name.to_owned(), bytes: Bytes::copy_from_slice(bytes) }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let long = format!("{}-0/00000000000000000000.log", "t".repeat(249));
        let files = [file("meta.properties", b"a=b\n"), file("t-0/x", &[7; 1024]), file(&long, b"")];
        let archive = write(&files);
        assert!(is_one(&archive) && archive.len().is_multiple_of(BLOCK));
        assert_eq!(read(&archive), Ok(files.to_vec()));
    }

    #[test]
    fn what_is_no_archive_or_leads_elsewhere_is_refused() {
        let archive = write(&[file("a", b"1")]);
        assert!(read(&archive.slice(..BLOCK)).is_err_and(|why| why.contains("cut off")));
        assert!(read(&archive.slice(..2 * BLOCK)).is_err_and(|why| why.contains("no end")));
        let mut spoilt = archive.to_vec();
        spoilt[3] ^= 1;
        assert!(read(&spoilt.into()).is_err_and(|why| why.contains("checksum")));
        for name in ["../a", "/a", "b/../../a"] {
            assert!(read(&write(&[file(name, b"1")])).is_err_and(|why| why.contains("leads out")), "{name}");
        }
        assert!(!is_one(b"{}"));
    }
}
