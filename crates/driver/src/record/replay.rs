//! Playing a record back.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use machine::{Batch, Effect, Event, Kernel, Machine, MemoryBase, Ports, Time, WallTime};
use thiserror::Error;

use super::{
    Digest, Recordable,
    entry::{Entry, MAGIC, bad},
    write::Running,
};
use crate::{clock, fault::panic_text};

/// What a replay found: everything as recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Lives played.
    pub lives: u64,
    /// Turns played.
    pub turns: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// The last running hash, all zero when nothing was put out.
    pub hash: [u8; 16],
    /// The file ends in the middle of an entry, or before what has to follow the last one: it was
    /// cut off, by a crash or afterwards. What is whole before that was compared.
    pub ends_early: bool,
}

/// Why a replay came to no good end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayFailed {
    /// The file could not be read, or is no record.
    #[error("the record could not be read: {0}")]
    Read(#[from] io::Error),
    /// The file is damaged.
    #[error("the record is damaged after turn {turn} of life {life}: {why}")]
    Damaged {
        /// Which life; 0 before the first.
        life: u64,
        /// The last turn of it that could be read and played.
        turn: u64,
        /// What is wrong.
        why: io::Error,
    },
    /// The program could not build the machine.
    #[error("the machine could not be built for life {life}: {why}")]
    Build {
        /// Which life.
        life: u64,
        /// In the program's words.
        why: String,
    },
    /// An input of another version, or damage.
    #[error("the input of turn {turn} of life {life} is none that this program knows")]
    Input {
        /// Which life.
        life: u64,
        /// Which turn of it.
        turn: u64,
    },
    /// The outputs differ: something that is not in the record decided them.
    #[error("the outputs differ from the record from turn {turn} of life {life} on")]
    Differs {
        /// Which life.
        life: u64,
        /// The turn after which they differ first.
        turn: u64,
    },
    /// The machine panicked, as it may have done when it was recorded.
    #[error("turn {turn} of life {life} panicked: {text}")]
    Panicked {
        /// Which life.
        life: u64,
        /// Which turn of it.
        turn: u64,
        /// What it said.
        text: String,
    },
}

/// Plays a record back. `build` makes the machine of a life from the record's header, what the
/// program said about this life ([`Opened::about`](crate::Opened::about)) and the rows at its start,
/// as the recorded program did from its store.
///
/// # Errors
/// See [`ReplayFailed`]; the first difference ends the replay.
pub fn replay<M, P>(
    path: &Path,
    build: impl FnMut(&[u8], &[u8], &MemoryBase) -> Result<M, String>,
) -> Result<Replayed, ReplayFailed>
where
    M: Machine<Output = Effect<P>>,
    M::Input: Recordable,
    P: Ports,
    P::Held: Digest,
    P::Verbatim: Digest,
    P::Advisory: Digest,
{
    let mut input = Counted {
        input: BufReader::new(File::open(path)?),
        bytes: 0,
    };
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(bad().into());
    }
    let Some(Entry::Header(header)) = Entry::read(&mut input)? else {
        return Err(bad().into());
    };
    let running = Running::new();
    let mut player = Player {
        header,
        build,
        running,
        stage: Stage::Before,
        found: Replayed::default(),
    };
    let mut whole = input.bytes;
    while let Some(entry) = Entry::read(&mut input).map_err(|why| player.damaged(why))? {
        whole = input.bytes;
        player.play(entry)?;
    }
    player.found.ends_early = input.bytes > whole || player.is_owed();
    player.found.outputs = player.running.outputs();
    Ok(player.found)
}

/// Counts the bytes that there were to read.
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

struct Player<M, P: Ports, F> {
    header: Vec<u8>,
    build: F,
    running: Running<P>,
    stage: Stage<M, P>,
    found: Replayed,
}

enum Stage<M, P: Ports> {
    Before,
    Loading {
        seed: [u8; 32],
        about: Vec<u8>,
        base: MemoryBase,
    },
    Living(Box<Living<M, P>>),
}

struct Living<M, P: Ports> {
    kernel: Kernel<M, P, MemoryBase>,
    disk: VecDeque<Arc<Batch>>,
    /// The hash that the next entry must be, if something was put out.
    due: Option<[u8; 16]>,
}

impl<M, P, F> Player<M, P, F>
where
    M: Machine<Output = Effect<P>>,
    M::Input: Recordable,
    P: Ports,
    F: FnMut(&[u8], &[u8], &MemoryBase) -> Result<M, String>,
{
    fn play(&mut self, entry: Entry) -> Result<(), ReplayFailed> {
        let is_hash = matches!(entry, Entry::Hash(_));
        if let Stage::Living(living) = &self.stage
            && living.due.is_some() != is_hash
            && entry != Entry::Fault
        {
            return Err(self.differs());
        }
        match entry {
            Entry::Header(_) => Err(bad().into()),
            Entry::Life { seed, about } => {
                self.found.lives += 1;
                self.running.restart();
                self.stage = Stage::Loading {
                    seed,
                    about,
                    base: MemoryBase::new(),
                };
                Ok(())
            }
            Entry::Row { table, key, value } => match &mut self.stage {
                Stage::Loading { base, .. } => {
                    base.load(table, key, value);
                    Ok(())
                }
                Stage::Before | Stage::Living(_) => Err(bad().into()),
            },
            Entry::Turn { now, wall, input } => self.turn(now, wall, input),
            Entry::Took(number) => {
                let living = self.living()?;
                match living.kernel.take_batch() {
                    Some(batch) if batch.number == number => {
                        living.disk.push_back(batch);
                        Ok(())
                    }
                    _ => Err(self.differs()),
                }
            }
            Entry::Done(number) => {
                let living = self.living()?;
                match living.disk.pop_front() {
                    Some(batch) if batch.number == number => {
                        living.kernel.base_mut().apply(&batch);
                        living.kernel.committed(number);
                        self.drain()
                    }
                    _ => Err(self.differs()),
                }
            }
            Entry::Fault => {
                self.stage = Stage::Before;
                Ok(())
            }
            Entry::Hash(hash) => {
                if self.living()?.due.take() == Some(hash) {
                    self.found.hash = hash;
                    Ok(())
                } else {
                    Err(self.differs())
                }
            }
        }
    }

    fn turn(
        &mut self,
        now: Time,
        wall: WallTime,
        input: Option<Vec<u8>>,
    ) -> Result<(), ReplayFailed> {
        let (life, turn) = (self.found.lives, self.turns() + 1);
        let event = match input {
            None => Event::Deadline,
            Some(bytes) => {
                let input = M::Input::decode(&bytes);
                Event::Input(input.ok_or(ReplayFailed::Input { life, turn })?)
            }
        };
        self.found.turns += 1;
        let kernel = &mut self.living()?.kernel;
        match catch_unwind(AssertUnwindSafe(|| kernel.turn(now, wall, event))) {
            // Memory can always be read, and no commit fails here.
            Ok(_) => self.drain(),
            Err(panic) => {
                let text = panic_text(&*panic);
                Err(ReplayFailed::Panicked { life, turn, text })
            }
        }
    }

    /// The life that is being played; begins it where all its rows have been read.
    fn living(&mut self) -> Result<&mut Living<M, P>, ReplayFailed> {
        if let Stage::Loading { seed, about, base } = &mut self.stage {
            let life = self.found.lives;
            let base = std::mem::take(base);
            let machine = (self.build)(&self.header, about, &base)
                .map_err(|why| ReplayFailed::Build { life, why })?;
            let kernel = Kernel::new(machine, base, clock::rng(*seed));
            self.stage = Stage::Living(Box::new(Living {
                kernel,
                disk: VecDeque::new(),
                due: None,
            }));
        }
        match &mut self.stage {
            Stage::Living(living) => Ok(living),
            Stage::Before | Stage::Loading { .. } => Err(bad().into()),
        }
    }

    /// Takes everything that may leave, in the order in which the driver takes it.
    fn drain(&mut self) -> Result<(), ReplayFailed> {
        let Stage::Living(living) = &mut self.stage else {
            return Err(bad().into());
        };
        while let Some(exempt) = living.kernel.exempt() {
            self.running.exempt(&exempt);
        }
        while let Some(held) = living.kernel.release() {
            self.running.held(&held);
        }
        living.due = self.running.mark();
        Ok(())
    }

    /// Whether the hash of what was put out has still to come.
    fn is_owed(&self) -> bool {
        matches!(&self.stage, Stage::Living(living) if living.due.is_some())
    }

    /// Turns of this life so far.
    fn turns(&self) -> u64 {
        match &self.stage {
            Stage::Living(living) => living.kernel.turns(),
            Stage::Before | Stage::Loading { .. } => 0,
        }
    }

    fn damaged(&self, why: io::Error) -> ReplayFailed {
        ReplayFailed::Damaged {
            life: self.found.lives,
            turn: self.turns(),
            why,
        }
    }

    fn differs(&self) -> ReplayFailed {
        ReplayFailed::Differs {
            life: self.found.lives,
            turn: self.turns(),
        }
    }
}
