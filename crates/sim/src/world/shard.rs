//! The machines of one thread.

use super::bound::Bound;
use super::host::{Around, Happening, Host, Note};
use super::net::Net;
use super::places::Places;
use super::queue::{Key, Queue};
use super::trace::Trace;
use crate::check::{Broken, Facts};
use crate::metrics::Metrics;
use crate::plan::{NodeNo, Plan};
use machine::Time;
use std::sync::Arc;

/// The machines of one thread, and what is going to happen to them.
#[derive(Debug)]
pub(crate) struct Shard {
    number: usize,
    places: Arc<Places>,
    hosts: Vec<Host>,
    pub(crate) queue: Queue<Happening>,
    /// What is going to happen to machines of other shards.
    pub(crate) crossing: Vec<(Key, Happening)>,
    pub(crate) notes: Vec<(Key, Note)>,
    pub(crate) broken: Vec<Broken>,
    pub(crate) metrics: Metrics,
    pub(crate) events: u64,
    /// To whom something happened last, and when.
    pub(crate) last: Option<(Time, NodeNo)>,
    /// It happens still: said of a panic.
    pub(crate) busy: bool,
    out: Vec<(Key, Happening)>,
    /// What is read in the window under way; nothing between windows.
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    until: Time,
    plan: Arc<Plan>,
    net: Arc<Net>,
    facts: Arc<Facts>,
}

impl Shard {
    pub(crate) fn new(number: usize, places: &Arc<Places>, plan: &Plan) -> Self {
        Self {
            number,
            places: Arc::clone(places),
            hosts: Vec::new(),
            queue: Queue::new(),
            crossing: Vec::new(),
            notes: Vec::new(),
            broken: Vec::new(),
            metrics: Metrics::new(plan),
            events: 0,
            last: None,
            busy: false,
            out: Vec::new(),
            window: None,
        }
    }

    /// Machines are added in the order of their numbers.
    pub(crate) fn add(&mut self, host: Host) {
        self.hosts.push(host);
    }

    pub(crate) fn host(&self, no: NodeNo) -> &Host {
        &self.hosts[self.places.place(no)]
    }

    pub(crate) fn host_mut(&mut self, no: NodeNo) -> &mut Host {
        &mut self.hosts[self.places.place(no)]
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }

    pub(crate) fn prepare(
        &mut self,
        until: Time,
        plan: &Arc<Plan>,
        net: &Arc<Net>,
        facts: &Arc<Facts>,
    ) {
        self.window = Some(Window {
            until,
            plan: Arc::clone(plan),
            net: Arc::clone(net),
            facts: Arc::clone(facts),
        });
    }

    /// Lets go of what is shared, so that the world may change it.
    pub(crate) fn rest(&mut self) {
        self.window = None;
    }

    /// Works through everything that happens before the end of the window.
    /// It may end before that if a bound is reached.
    pub(crate) fn run(&mut self, bound: &Bound, mut trace: Option<&mut Trace>) {
        let Some(window) = self.window.take() else {
            return;
        };
        while !bound.stops(self.events) {
            let Some((key, what)) = self.queue.pop_before(window.until) else {
                return;
            };
            self.events += 1;
            self.last = Some((key.at, key.node));
            if let Some(trace) = trace.as_deref_mut() {
                trace.step += 1;
            }
            self.metrics.event(key.at);
            let mut around = Around {
                now: key.at,
                plan: &window.plan,
                net: &window.net,
                facts: &window.facts,
                out: &mut self.out,
                notes: &mut self.notes,
                metrics: &mut self.metrics,
                broken: &mut self.broken,
                trace: trace.as_deref_mut(),
            };
            self.busy = true;
            self.hosts[self.places.place(key.node)].happens(&mut around, what);
            self.busy = false;
            for (key, what) in self.out.drain(..) {
                if self.places.shard(key.node) == self.number {
                    self.queue.push(key, what);
                } else {
                    self.crossing.push((key, what));
                }
            }
        }
    }

    /// Does something with one machine, at once, between windows.
    pub(crate) fn with<R>(
        &mut self,
        no: NodeNo,
        now: Time,
        shared: (&Plan, &Net, &Facts),
        trace: Option<&mut Trace>,
        f: impl FnOnce(&mut Host, &mut Around<'_>) -> R,
    ) -> R {
        self.last = Some((now, no));
        let mut around = Around {
            now,
            plan: shared.0,
            net: shared.1,
            facts: shared.2,
            out: &mut self.out,
            notes: &mut self.notes,
            metrics: &mut self.metrics,
            broken: &mut self.broken,
            trace,
        };
        self.busy = true;
        let result = f(&mut self.hosts[self.places.place(no)], &mut around);
        self.busy = false;
        self.crossing.append(&mut self.out);
        result
    }
}
