//! Threads that run shards through one window after another.

use super::shard::Shard;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

/// Threads beside the one that asks; each runs one shard of a window.
pub(crate) struct Threads {
    work: Vec<Sender<Shard>>,
    done: Receiver<(usize, Shard)>,
    handles: Vec<JoinHandle<()>>,
}

/// How often a thread looks for work before it lets others run, and before it sleeps: a window takes
/// some hundred microseconds, and being woken takes nearly as long.
const SPINS: u32 = 500;
const LOOKS: u32 = 2_000;
/// Pauses of the processor between two looks, lest the looks slow the work down.
const SPIN: u32 = 20;

impl Threads {
    pub(crate) fn new(count: usize) -> Self {
        let (send_done, done) = channel();
        let mut work = Vec::new();
        let mut handles = Vec::new();
        for number in 0..count {
            let (send, receive) = channel::<Shard>();
            let send_done = send_done.clone();
            work.push(send);
            #[cfg(feature = "planted")]
            let planted = machine::planted::planted();
            handles.push(std::thread::spawn(move || {
                #[cfg(feature = "planted")]
                machine::planted::plant(planted);
                while let Some(mut shard) = next(&receive) {
                    shard.run(None);
                    if send_done.send((number, shard)).is_err() {
                        return;
                    }
                }
            }));
        }
        Self {
            work,
            done,
            handles,
        }
    }

    /// Runs all shards, the first on the asking thread.
    pub(crate) fn run(&self, shards: &mut Vec<Shard>) {
        let mut others = shards.split_off(1);
        let count = others.len();
        for (shard, work) in others.drain(..).zip(&self.work) {
            work.send(shard).expect("the thread waits for work");
        }
        shards[0].run(None);
        let mut back: Vec<Option<Shard>> = (0..count).map(|_| None).collect();
        for _ in 0..count {
            let (number, shard) = next(&self.done).expect("a shard ends without a panic");
            back[number] = Some(shard);
        }
        shards.extend(back.into_iter().flatten());
    }
}

/// The next thing from a channel; nothing when nobody sends any more.
fn next<T>(receive: &Receiver<T>) -> Option<T> {
    for look in 0..LOOKS {
        match receive.try_recv() {
            Ok(thing) => return Some(thing),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if look < SPINS {
            for _ in 0..SPIN {
                std::hint::spin_loop();
            }
        } else {
            std::thread::yield_now();
        }
    }
    receive.recv().ok()
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.work.clear();
        for handle in self.handles.drain(..) {
            // A thread that panicked has said so.
            let _said = handle.join();
        }
    }
}
