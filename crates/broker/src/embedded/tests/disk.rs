//! A disk that can be full, can be slow, and loses what was not synced when its power fails.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend};

use crate::embedded::folder::Opener;

/// How long a sync is held or waited for, at most.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<State>);

#[derive(Debug, Default)]
struct State {
    full: AtomicBool,
    unsyncable: AtomicBool,
    gate: Mutex<Gate>,
    moved: Condvar,
    image: Mutex<Image>,
}

#[derive(Debug, Default)]
struct Gate {
    held: bool,
    waiting: usize,
}

/// What the disk has stored for certain, and what it may have.
#[derive(Debug, Default)]
struct Image {
    synced: Vec<u8>,
    pending: VecDeque<Write>,
}

#[derive(Debug)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

impl Disk {
    /// Every write that needs more room fails.
    pub(super) fn set_full(&self, full: bool) {
        self.0.full.store(full, Ordering::SeqCst);
    }

    /// Every sync fails, after its writes succeeded.
    pub(super) fn set_unsyncable(&self, unsyncable: bool) {
        self.0.unsyncable.store(unsyncable, Ordering::SeqCst);
    }

    /// Holds every sync until `release`.
    pub(super) fn hold_syncs(&self) {
        self.0.gate.lock().expect("gate").held = true;
    }

    /// Waits until a held sync has begun.
    pub(super) fn wait_for_held_sync(&self) {
        let gate = self.0.gate.lock().expect("gate");
        let waited = self.0.moved.wait_timeout_while(gate, PATIENCE, |gate| gate.waiting == 0);
        assert!(!waited.expect("gate").1.timed_out(), "nothing was synced");
    }

    pub(super) fn release_syncs(&self) {
        self.0.gate.lock().expect("gate").held = false;
        self.0.moved.notify_all();
    }

    /// What a power failure would leave now: everything that was synced, and those later writes that `keep` selects.
    pub(super) fn after_power_failure(&self, mut keep: impl FnMut() -> bool) -> Vec<u8> {
        let image = self.0.image.lock().expect("image");
        let mut left = image.synced.clone();
        for write in &image.pending {
            if keep() {
                write.apply(&mut left);
            }
        }
        left
    }
}

impl Write {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Bytes(at, bytes) => {
                let end = at + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Opener for Disk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let mut options = OpenOptions::new();
        let file: File = options.read(true).write(true).create(true).truncate(false).open(path)?;
        *self.0.image.lock().expect("image") = Image { synced: fs::read(path)?, pending: VecDeque::new() };
        let backend = Backend { file: FileBackend::new(file)?, disk: Arc::clone(&self.0) };
        Database::builder().create_with_backend(backend)
    }
}

#[derive(Debug)]
struct Backend {
    file: FileBackend,
    disk: Arc<State>,
}

impl Backend {
    fn note(&self, write: Write) {
        self.disk.image.lock().expect("image").pending.push_back(write);
    }

    fn room(&self) -> io::Result<()> {
        if self.disk.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.file.set_len(len)?;
        self.note(Write::Length(usize::try_from(len).expect("small")));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let held_since = Instant::now();
        let mut gate = self.disk.gate.lock().expect("gate");
        while gate.held {
            gate.waiting += 1;
            self.disk.moved.notify_all();
            // With a time-out: a test that failed releases nothing, and the log waits when it is dropped.
            gate = self.disk.moved.wait_timeout(gate, PATIENCE).expect("gate").0;
            gate.held &= held_since.elapsed() < PATIENCE;
            gate.waiting -= 1;
        }
        drop(gate);
        if self.disk.unsyncable.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk does not sync"));
        }
        // The file itself needs no sync: the image stands for the disk.
        let mut image = self.disk.image.lock().expect("image");
        let image = &mut *image;
        for write in image.pending.drain(..) {
            write.apply(&mut image.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.file.write(offset, data)?;
        let at = usize::try_from(offset).expect("small");
        self.note(Write::Bytes(at, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
