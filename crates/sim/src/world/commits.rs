//! What a machine's disk does: commits that take their time, fail, or find no room.

use super::host::{Around, Happening, Host};
use crate::disk::Disk;
use crate::metrics::TurnKind;
use machine::Batch;
use node::Input;
use std::time::Duration;

impl Host {
    pub(super) fn is_full(&self, disk: &Disk) -> bool {
        self.capacity > 0 && disk.used() >= self.capacity
    }

    /// Tells the node how its disk is.
    pub(crate) fn tell_space(&mut self, around: &mut Around<'_>) {
        let (bytes, capacity) = (self.disk().used(), self.capacity);
        let free = if capacity == 0 {
            u64::MAX >> 1
        } else {
            capacity.saturating_sub(bytes)
        };
        let full = capacity > 0 && free == 0;
        if let Some(life) = &mut self.life {
            life.full = full;
        }
        self.input(around, Input::Store { bytes, free, full }, TurnKind::Other);
    }

    /// Hands new batches to the disk.
    pub(crate) fn batches(&mut self, around: &mut Around<'_>) {
        let commit = self.plan(around.plan).commit_us;
        let lives = self.lives;
        loop {
            let Some(life) = &mut self.life else { return };
            let Some(batch) = life.kernel.take_batch() else {
                return;
            };
            if commit == 0 && life.in_flight.is_empty() {
                life.in_flight.push_back(batch);
                self.durable(around);
                continue;
            }
            life.in_flight.push_back(batch);
            // Twice as long at times: a disk has other things to do.
            let long = commit + self.rng.below(commit + 1);
            let at = life
                .disk_free
                .max(around.now)
                .after(Duration::from_micros(long));
            life.disk_free = at;
            self.later(around, at, self.no, Happening::Durable { life: lives });
        }
    }

    /// The oldest batch in flight has become durable, or fails.
    pub(crate) fn durable(&mut self, around: &mut Around<'_>) {
        let Some(life) = &mut self.life else { return };
        let Some(batch) = life.in_flight.pop_front() else {
            return;
        };
        if std::mem::take(&mut self.fail_commit) {
            life.kernel.failed("the disk failed".to_owned());
            return self.fail(around, "the disk failed");
        }
        let bytes: u64 = batch.writes.iter().map(written).sum();
        let used = life.kernel.base().used();
        // A batch that only removes, or fits into what was set aside, always goes through.
        let reserve = if life.full { RESERVE } else { 0 };
        if self.capacity > 0 && bytes > 0 && used + bytes > self.capacity + reserve {
            life.kernel.failed("the disk is full".to_owned());
            return self.fail(around, "the disk is full");
        }
        if self.keeps_before {
            self.before.push_back(life.kernel.base().clone());
            if self.before.len() > MAX_LOST {
                self.before.pop_front();
            }
        }
        self.write(around, &batch);
        let Some(life) = &mut self.life else { return };
        life.kernel.committed(batch.number);
        self.failures = 0;
        if self.effect(around) {
            return;
        }
        self.release(around);
    }

    pub(super) fn write(&mut self, around: &mut Around<'_>, batch: &Batch) {
        let Some(life) = &mut self.life else { return };
        let bytes: u64 = batch.writes.iter().map(written).sum();
        around.metrics.commit(around.now, bytes);
        let mut scene = Self::scene(self.no, around);
        self.watch.commits(&mut scene, batch, life.kernel.base());
        life.kernel.base_mut().apply(batch);
        self.marker = life.kernel.base().commits();
    }
}

/// Bytes that a write adds.
fn written(write: &(machine::Table, Vec<u8>, Option<Vec<u8>>)) -> u64 {
    write
        .2
        .as_ref()
        .map_or(0, |value| (write.1.len() + value.len()) as u64)
}

/// Bytes of a full disk that are set aside for reading, handing over, expiry and deletion.
const RESERVE: u64 = 4 << 20;

/// Commits that a lying disk may lose.
const MAX_LOST: usize = 4;
