//! The machine's file system.
//! Shell.

use std::any::Any;
use std::fs::{self, File as StdFile, OpenOptions};
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, Entry, File, Name, OpenMode, Space};

pub struct RealDisk;

struct RealFile(StdFile);

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::ReadWrite => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(false);
            }
            OpenMode::Truncate => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // A file removed while the folder is read is simply not there.
            let Ok(metadata) = entry.metadata() else { continue };
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            entries.push(Entry { name, is_dir: metadata.is_dir(), len: metadata.len() });
        }
        Ok(entries)
    }

    fn read_names(&self, path: &Path) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // The listing itself says what most file systems know; the others are asked.
            let Ok(kind) = entry.file_type() else { continue };
            let Ok(text) = entry.file_name().into_string() else { continue };
            names.push(Name { text, is_dir: kind.is_dir() });
        }
        Ok(names)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|metadata| metadata.len())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn copy_file(&self, from: &Path, to: &Path) -> io::Result<u64> {
        // The kernel copies; where the file system can share the blocks until one side changes, it does.
        let (mut source, mut target) = (StdFile::open(from)?, StdFile::create(to)?);
        let bytes = io::copy(&mut source, &mut target)?;
        target.sync_data()?;
        Ok(bytes)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // A relative path of one component has the empty path as its parent.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        StdFile::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space { total_bytes: stat.f_blocks * stat.f_frsize, usable_bytes: stat.f_bavail * stat.f_frsize })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(file))
    }
}

impl File for RealFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(bytes, position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_vectored_all_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            // The kernel takes at most IOV_MAX (1024) slices a call.
            let count = slices.len().min(1024);
            match rustix::io::pwritev(&self.0, &slices[..count], position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&self, position: u64, bytes: u64) {
        let _refused = rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::KEEP_SIZE, position, bytes);
    }

    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "rustix does not have this call")]
    fn start_write_out(&self, position: u64, bytes: u64) {
        let (Ok(position), Ok(bytes)) = (i64::try_from(position), i64::try_from(bytes)) else { return };
        let flags = libc::SYNC_FILE_RANGE_WRITE;
        // SAFETY: the descriptor is open while `self` is borrowed, and the call is given no memory.
        let _refused = unsafe { libc::sync_file_range(self.0.as_raw_fd(), position, bytes, flags) };
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn std_file(&self) -> Option<&StdFile> {
        Some(&self.0)
    }

    fn shared_bytes(&self, _position: u64, _len: usize) -> Option<Bytes> {
        None
    }
}
