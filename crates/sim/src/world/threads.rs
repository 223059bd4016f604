//! Threads that run shards through one window after another.

use super::bound::Bound;
use super::shard::Shard;
use crate::panics;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

/// Threads beside the one that asks; each runs one shard of a window.
pub(crate) struct Threads {
    work: Vec<Sender<Work>>,
    done: Receiver<Done>,
    handles: Vec<JoinHandle<()>>,
}

/// A shard, and what ends its window early.
type Work = (Shard, Arc<Bound>);
/// A shard again, with its number and what a panic said. It comes back in any case, since the others
/// are worth looking at only together.
type Done = (usize, Shard, Result<(), String>);

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
            let (send, receive) = channel::<Work>();
            let send_done = send_done.clone();
            work.push(send);
            #[cfg(feature = "planted")]
            let planted = machine::planted::planted();
            handles.push(std::thread::spawn(move || {
                #[cfg(feature = "planted")]
                machine::planted::plant(planted);
                while let Some((mut shard, bound)) = next(&receive) {
                    let ran = panics::catch(|| shard.run(&bound, None));
                    if send_done.send((number, shard, ran)).is_err() {
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

    /// Runs all shards, the first on the asking thread. A panic of the others is one of this thread,
    /// of several that which comes first in the simulated time, once all shards are back.
    pub(crate) fn run(&self, shards: &mut Vec<Shard>, bound: &Arc<Bound>) {
        let mut others = shards.split_off(1);
        let count = others.len();
        for (shard, work) in others.drain(..).zip(&self.work) {
            let work = work.send((shard, Arc::clone(bound)));
            work.expect("the thread waits for work");
        }
        let mut ran = vec![panics::catch(|| shards[0].run(bound, None))];
        let mut back: Vec<Option<Done>> = (0..count).map(|_| None).collect();
        for _ in 0..count {
            let done = next(&self.done).expect("what a panic says comes back as well");
            let number = done.0;
            back[number] = Some(done);
        }
        for (_, shard, of_it) in back.into_iter().flatten() {
            shards.push(shard);
            ran.push(of_it);
        }
        let said = ran.into_iter().zip(&*shards);
        let said = said.filter_map(|(ran, shard)| Some((shard.last, ran.err()?)));
        if let Some((_, said)) = said.min() {
            panics::again(said);
        }
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
            let _ended = handle.join();
        }
    }
}
