//! Records are written by a thread of their own, so that a slow disk delays no call.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use crate::cdr::{Master, Record};

/// How many records may wait for the disk.
const WAITING: usize = 10_000;

/// The thread that writes.
#[derive(Debug)]
pub struct Recorder {
    records: Option<SyncSender<Record>>,
    thread: Option<JoinHandle<()>>,
    errors: Arc<AtomicU64>,
}

impl Recorder {
    /// Opens the file and starts the thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(path: &Path) -> io::Result<Self> {
        let master = Master::open(path)?;
        let (records, inbox) = sync_channel(WAITING);
        let errors = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&errors);
        let thread =
            std::thread::Builder::new().name("cdr".to_owned()).spawn(move || write(master, &inbox, &counted))?;
        Ok(Self { records: Some(records), thread: Some(thread), errors })
    }

    /// Hands a record over. When the disk is too far behind it is lost, and counted.
    pub fn write(&mut self, record: Record) {
        if let Some(records) = &self.records
            && records.try_send(record).is_err()
            && self.errors.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!("a call record is lost: the disk does not keep up");
        }
    }

    /// Records that were lost.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

impl Drop for Recorder {
    /// Waits until everything is written.
    fn drop(&mut self) {
        self.records = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed already.
            let _ = thread.join();
        }
    }
}

fn write(mut master: Master, inbox: &Receiver<Record>, errors: &AtomicU64) {
    let mut failing = false;
    for record in inbox {
        match master.write(&record) {
            Ok(()) => failing = false,
            Err(error) => {
                errors.fetch_add(1, Ordering::Relaxed);
                // Once, not for each call of a full disk.
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(path = %master.path().display(), %error, "call records cannot be written");
                }
            }
        }
    }
}
