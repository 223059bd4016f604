//! What happens to machines, and what the world does by itself.

use super::host::{Around, Happening, Home, Host, Note};
use super::{Item, World, net};
use crate::metrics::TurnKind;
use crate::plan::{Act, NodeNo};
use std::sync::Arc;

impl Host {
    /// Something happens to this machine.
    pub(crate) fn happens(&mut self, around: &mut Around<'_>, what: Happening) {
        let now = |life: u32, host: &Self| host.life.is_some() && host.lives == life;
        self.digest.add(around.now, tag(&what), &[]);
        match what {
            Happening::Deadline { life } if now(life, self) => self.deadline(around),
            Happening::Durable { life } if now(life, self) => {
                self.durable(around);
                self.batches(around);
            }
            Happening::Content { life, effect } if now(life, self) => {
                self.content_done(around, *effect);
            }
            Happening::File { life, job, what } if now(life, self) => {
                self.file_done(around, job, *what);
            }
            Happening::Input { life, input } if now(life, self) => {
                let kind = match *input {
                    node::Input::Checked(_) => TurnKind::Checked,
                    _ => TurnKind::Other,
                };
                self.input(around, *input, kind);
            }
            Happening::Person { life } if now(life, self) => self.person(around),
            Happening::Read { life, topic } if now(life, self) => self.read(around, topic),
            Happening::Stop { life } if now(life, self) => self.stop(around),
            Happening::Deadline { .. }
            | Happening::Durable { .. }
            | Happening::Content { .. }
            | Happening::File { .. }
            | Happening::Input { .. }
            | Happening::Person { .. }
            | Happening::Read { .. }
            | Happening::Stop { .. } => {}
            Happening::Dialled {
                from,
                end,
                exporter,
            } => self.dialled(around, from, end, exporter),
            Happening::Answered { end, far } => self.answered(around, end, far),
            Happening::Frame { end, bytes } => self.arrived(around, end, bytes),
            Happening::Readable { end } => self.read_on(around, end),
            Happening::Taken { end, bytes } => self.taken(around, end, bytes),
            Happening::Gone { end, reason } => self.gone(around, end, reason),
            Happening::Silence { end } => self.silence(around, end),
            Happening::Start => self.start(around),
            Happening::Act(step) => self.act(around, step),
        }
    }

    /// A step of the plan that concerns this machine alone.
    fn act(&mut self, around: &mut Around<'_>, step: u32) {
        let Some(planned) = around.plan.steps.get(step as usize) else {
            return;
        };
        match &planned.act {
            Act::Join { .. }
            | Act::Send { .. }
            | Act::Mail { .. }
            | Act::Leave { .. }
            | Act::Grant { .. }
            | Act::Revoke { .. }
            | Act::Pair { .. }
            | Act::Unpair { .. }
            | Act::UseCore { .. }
            | Act::LeaveCore { .. } => {
                self.person_step(around, step);
            }
            Act::Away { .. } => self.close(around),
            Act::Back { .. } => {
                self.wanted = true;
                self.start(around);
            }
            Act::Crash { effects, .. } => {
                self.wanted = false;
                if *effects == 0 {
                    self.crash(around);
                } else {
                    self.crash_after = Some(*effects);
                }
            }
            Act::FailCommit { .. } => self.fail_commit = true,
            Act::TearTail { batches, .. } => self.tear_tail(around, *batches),
            Act::Backup { .. } => {
                self.backup = Some(Home {
                    disk: self.disk().clone(),
                    marker: self.marker,
                });
            }
            Act::Restore { noticed, .. } => self.restore(around, *noticed),
            Act::Clock { skew_ms, .. } => self.set_clock(around.now, *skew_ms),
            Act::Disk { bytes, .. } => {
                self.capacity = *bytes;
                self.tell_space(around);
            }
            Act::Raid {
                on, links, frames, ..
            } => self.raid(around, *on, (*links, *frames)),
            Act::Clone { .. }
            | Act::Cut { .. }
            | Act::Mend { .. }
            | Act::Move { .. }
            | Act::Weather { .. }
            | Act::Tear { .. } => {}
        }
    }

    /// The machine stops dead, and its disk has lost what it said was durable.
    fn tear_tail(&mut self, around: &mut Around<'_>, batches: u32) {
        self.wanted = false;
        self.crash(around);
        let keep = self.before.len().saturating_sub(batches as usize);
        let Some(disk) = self.before.drain(keep..).next() else {
            return;
        };
        let marker = self.marker;
        self.put_disk(Home { disk, marker });
        self.was_set_back(around, true);
    }

    /// The machine stops dead and starts over an older copy of its home.
    fn restore(&mut self, around: &mut Around<'_>, noticed: bool) {
        let Some(backup) = self.backup.clone() else {
            return;
        };
        self.crash(around);
        let marker = if noticed { self.marker } else { backup.marker };
        self.put_disk(Home { marker, ..backup });
        self.before.clear();
        if !noticed {
            around.facts.taint(self.no);
        }
        self.was_set_back(around, noticed);
        self.wanted = true;
        self.start(around);
    }
}

impl World {
    pub(super) fn carry_out(&mut self, item: Item) {
        match item {
            Item::Step(no) => self.step(no),
            Item::Told(Note::Invited { topic, to, link }) => {
                self.net_mut().links.tell(topic, to, link);
            }
            Item::Told(Note::Public { topic, link }) => {
                self.net_mut().links.tell_public(topic, link);
            }
            Item::Told(Note::Device { device, link }) => {
                self.net_mut().links.tell_device(device, link);
                if self.host(device).is_up() {
                    self.with(device, |host, around| host.person(around));
                }
            }
        }
    }

    fn net_mut(&mut self) -> &mut net::Net {
        Arc::get_mut(&mut self.net).expect("no shard is at work between windows")
    }

    /// Does something with one machine, now.
    pub(super) fn with(&mut self, no: NodeNo, f: impl FnOnce(&mut Host, &mut Around<'_>)) {
        let shard = self.shard_of(no);
        let shared = (&*self.plan, &*self.net, &*self.facts);
        self.shards[shard].with(no, self.now, shared, self.trace.as_mut(), f);
        let crossing = std::mem::take(&mut self.shards[shard].crossing);
        for (key, what) in crossing {
            let shard = self.shard_of(key.node);
            self.shards[shard].queue.push(key, what);
        }
    }

    fn step(&mut self, step: u32) {
        let plan = Arc::clone(&self.plan);
        let act = &plan.steps[step as usize].act;
        if act.is_fault() {
            if self.calm {
                return;
            }
            self.note_fault(act);
        }
        match act {
            Act::Join { node, .. }
            | Act::Send { node, .. }
            | Act::Mail { node, .. }
            | Act::Leave { node, .. }
            | Act::Grant { node, .. }
            | Act::Revoke { node, .. }
            | Act::Pair { node, .. }
            | Act::Unpair { node, .. }
            | Act::UseCore { node, .. }
            | Act::LeaveCore { node, .. }
            | Act::Away { node }
            | Act::Back { node }
            | Act::Crash { node, .. }
            | Act::FailCommit { node }
            | Act::TearTail { node, .. }
            | Act::Backup { node }
            | Act::Restore { node, .. }
            | Act::Clock { node, .. }
            | Act::Disk { node, .. }
            | Act::Raid { node, .. } => self.happen(self.now, *node, Happening::Act(step)),
            Act::Clone {
                node,
                twin,
                noticed,
            } => self.clone_home(*node, *twin, *noticed),
            Act::Cut { from, to, both } => {
                self.net_mut().cut(*from, *to, *both);
                self.look_at_paths();
            }
            Act::Mend { from, to } => {
                self.net_mut().mend(*from, *to);
                self.look_at_paths();
            }
            Act::Move { node, site } => {
                self.net_mut().move_to(*node, *site);
                self.with(*node, |host, around| host.has_moved(around));
            }
            Act::Weather {
                site,
                inside,
                uplink,
            } => {
                self.net_mut().weather(*site, *inside, *uplink);
                self.look_at_paths();
            }
            Act::Tear { a, b } => {
                self.with(*a, |host, around| host.tear(around, *b));
                self.with(*b, |host, around| host.tear(around, *a));
            }
        }
    }

    fn look_at_paths(&mut self) {
        for no in 0..self.count() {
            if self.host(no).is_up() {
                self.with(no, |host, around| host.look_at_paths(around));
            }
        }
    }

    /// A copy of a home, as it is now, comes to life beside it.
    fn clone_home(&mut self, node: NodeNo, twin: NodeNo, noticed: bool) {
        let (disk, marker) = (self.host(node).disk().clone(), self.host(node).marker);
        if self.host(twin).is_up() {
            return;
        }
        let marker = if noticed { marker + 1 } else { marker };
        if !noticed {
            self.facts.taint(node);
        }
        let twin_host = self.host_mut(twin);
        twin_host.put_disk(Home { disk, marker });
        twin_host.wanted = true;
        self.happen(self.now, twin, Happening::Start);
    }

    fn note_fault(&mut self, act: &Act) {
        if let Some((node, text)) = crate::report::fault_of(&self.plan, act) {
            let shard = node.map_or(0, |node| self.shard_of(node));
            self.shards[shard].metrics.fault(self.now, node, text);
        }
    }

    /// Faults end: everybody tells the truth, is up, is connected, and has the right time.
    pub(super) fn calm(&mut self) {
        self.calm = true;
        let plan = Arc::clone(&self.plan);
        let net = self.net_mut();
        net.lies = false;
        net.mend_all();
        for (no, site) in (0..).zip(&plan.sites) {
            net.weather(no, site.inside, site.uplink);
        }
        for no in 0..self.count() {
            let own = &plan.nodes[no as usize];
            let gone = own.twin_of.is_some();
            let again = !own.is_honest();
            self.with(no, |host, around| {
                host.mend_clock(around.now);
                host.fail_commit = false;
                host.crash_after = None;
                host.wanted = !gone;
                if gone || again {
                    host.liar = None;
                    host.crash(around);
                }
                if host.capacity > 0 {
                    host.capacity = 0;
                    host.tell_space(around);
                }
                if !gone {
                    host.start(around);
                }
                host.look_at_paths(around);
                host.hopes_again(around);
                host.looks_at_cores(around);
            });
        }
    }
}

/// A number for each kind of happening, for the hash of a run.
const fn tag(what: &Happening) -> u8 {
    match what {
        Happening::Deadline { .. } => 0,
        Happening::Durable { .. } => 1,
        Happening::Input { .. } => 2,
        Happening::Dialled { .. } => 3,
        Happening::Answered { .. } => 4,
        Happening::Frame { .. } => 5,
        Happening::Readable { .. } => 6,
        Happening::Taken { .. } => 7,
        Happening::Gone { .. } => 8,
        Happening::Silence { .. } => 9,
        Happening::Person { .. } => 10,
        Happening::Read { .. } => 11,
        Happening::Start => 12,
        Happening::Stop { .. } => 13,
        Happening::Act(_) => 14,
        Happening::Content { .. } => 15,
        Happening::File { .. } => 16,
    }
}
