//! One life of a node: the loop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use machine::{Base, Effect, Event, Exempt, Kernel, Machine, Ports};

use crate::{
    Host,
    clock::Clock,
    commit::Committer,
    fault::{End, Ending},
    inbox::{Inbox, Wake},
    limits::{DRAIN_TIMEOUT, SETTLE_TIMEOUT},
    record::Recorder,
};

pub(crate) struct Life<'a, M: Machine<Output = Effect<P>>, P: Ports, B, H> {
    pub(crate) kernel: Kernel<M, P, B>,
    pub(crate) committer: Committer,
    pub(crate) clock: Clock,
    pub(crate) inbox: Arc<Inbox<M::Input>>,
    pub(crate) host: &'a mut H,
    pub(crate) recorder: Option<&'a mut Recorder<M::Input, P>>,
}

impl<M, P, B, H> Life<'_, M, P, B, H>
where
    M: Machine<Output = Effect<P>>,
    P: Ports,
    B: Base,
    H: Host<P>,
{
    /// Runs until the node is asked to stop or a fault ends this life.
    pub(crate) fn run(mut self) -> Result<End, Ending> {
        // The machine's first turn: it loads what it needs, and says when it wants the next.
        self.turn(Event::Deadline)?;
        let mut rested = true;
        loop {
            self.hand_over();
            match self.next(rested) {
                Wake::Commit(done) => self.done(done)?,
                Wake::Input(input) => {
                    rested = true;
                    self.turn(Event::Input(input))?;
                }
                Wake::Due => {
                    rested = false;
                    self.turn(Event::Deadline)?;
                }
                Wake::Fault(ending) => return Err(ending),
                Wake::Stop => return self.wind_up(),
            }
        }
    }

    /// Long work and inputs take turns: after a turn for a deadline that has come, an input that
    /// waits goes first.
    fn next(&self, rested: bool) -> Wake<M::Input> {
        if self.kernel.is_full() {
            return self.inbox.next(None, false);
        }
        let Some(deadline) = self.kernel.deadline() else {
            return self.inbox.next(None, true);
        };
        if deadline > self.clock.now() {
            return self.inbox.next(self.clock.instant(deadline), true);
        }
        let first = if rested {
            self.inbox.try_next(false)
        } else {
            self.inbox.try_next(true)
        };
        first.unwrap_or(Wake::Due)
    }

    fn turn(&mut self, event: Event<M::Input>) -> Result<(), Ending> {
        let (now, wall) = (self.clock.now(), Clock::wall());
        if let Some(recorder) = &mut self.recorder {
            recorder.turn(now, wall, &event);
        }
        self.kernel.turn(now, wall, event)?;
        while let Some(exempt) = self.kernel.exempt() {
            if let Some(recorder) = &mut self.recorder {
                recorder.exempt(&exempt);
            }
            match exempt {
                Exempt::Verbatim(verbatim) => self.host.verbatim(verbatim),
                Exempt::Advisory(advisory) => self.host.advisory(advisory),
                Exempt::Content(content) => self.host.content(content),
            }
        }
        self.release();
        Ok(())
    }

    fn release(&mut self) {
        while let Some(held) = self.kernel.release() {
            if let Some(recorder) = &mut self.recorder {
                recorder.held(&held);
            }
            self.host.held(held);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.mark();
        }
    }

    /// Gives the commit thread what it can take.
    fn hand_over(&mut self) {
        while let Some(batch) = self.kernel.take_batch() {
            if let Some(recorder) = &mut self.recorder {
                recorder.took(batch.number);
            }
            self.committer.take(batch);
        }
    }

    fn done(&mut self, done: Result<u64, String>) -> Result<(), Ending> {
        match done {
            Ok(number) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.done(number);
                }
                self.kernel.committed(number);
                self.release();
                Ok(())
            }
            Err(reason) => {
                self.kernel.failed(reason.clone());
                Err(Ending::Store(machine::Fault::Commit(reason)))
            }
        }
    }

    /// The last of a node that was asked to stop: work off what waits, commit, release.
    fn wind_up(mut self) -> Result<End, Ending> {
        self.inbox.close();
        let until = after(DRAIN_TIMEOUT);
        loop {
            self.hand_over();
            let idle = self.inbox.checks() == 0;
            let wake = if self.kernel.is_full() {
                self.inbox.next(Some(until), false)
            } else if idle {
                match self.inbox.try_next(true) {
                    Some(wake) => wake,
                    None => break,
                }
            } else {
                self.inbox.next(Some(until), true)
            };
            match wake {
                Wake::Commit(done) => self.done(done)?,
                Wake::Input(input) => self.turn(Event::Input(input))?,
                Wake::Fault(ending) => return Err(ending),
                Wake::Due => break,
                Wake::Stop => {}
            }
            if Instant::now() >= until {
                break;
            }
        }
        self.settle()
    }

    fn settle(mut self) -> Result<End, Ending> {
        let until = after(SETTLE_TIMEOUT);
        loop {
            self.hand_over();
            if self.kernel.is_settled() {
                return Ok(End::Stopped);
            }
            match self.inbox.next(Some(until), false) {
                Wake::Commit(done) => self.done(done)?,
                Wake::Due => {
                    self.committer.abandon();
                    return Ok(End::Unsettled);
                }
                Wake::Input(_) | Wake::Fault(_) | Wake::Stop => {}
            }
        }
    }
}

fn after(limit: Duration) -> Instant {
    Instant::now() + limit
}
