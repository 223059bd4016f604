//! What goes wrong, when, and for how long.

use super::Mistake;
use super::day::draw_in;
use super::draw::Draw;
use super::expand::Making;
use super::limits::{DAY_MS, MAX_NODES, MAX_STEPS};
use super::names::{Kind, called};
use super::quantity::Span;
use super::source::Named;
use super::trouble::{
    BackupForm, ClockForm, CloneForm, CutForm, LiarForm, Mishap, MishapKind, RaidForm, TearForm,
    Times, Victims, WeatherForm,
};
use crate::plan::{Act, Lie, NodeNo, Place};

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn drawn(span: Span, draw: &mut Draw) -> u64 {
    draw.between(span.low, span.high)
}

impl Making<'_> {
    /// Everything that goes wrong.
    pub(super) fn trouble(&mut self) -> Result<(), Mistake> {
        let trouble = &self.form.trouble;
        for (number, liars) in trouble.liars.iter().enumerate() {
            self.liars(number, liars)?;
        }
        for (number, clock) in trouble.clocks.iter().enumerate() {
            self.clocks(number, clock)?;
        }
        for (number, mishap) in trouble.mishaps.iter().enumerate() {
            self.mishaps(number, mishap)?;
        }
        for (number, backup) in trouble.backups.iter().enumerate() {
            self.backups(number, backup)?;
        }
        for (number, cut) in trouble.cuts.iter().enumerate() {
            self.cuts(number, cut)?;
        }
        for (number, tear) in trouble.tears.iter().enumerate() {
            self.tears(number, tear)?;
        }
        for weather in &trouble.weather {
            self.weather(weather)?;
        }
        for (number, clone) in trouble.clones.iter().enumerate() {
            self.clones(number, clone)?;
        }
        for raid in &trouble.raids {
            self.raids(raid)?;
        }
        Ok(())
    }

    /// Who of them: all, or a share that is drawn, at least one.
    fn victims(&self, victims: &Victims, draw: &mut Draw) -> Result<Vec<NodeNo>, Mistake> {
        let all = self.names.all(Kind::Node, &victims.who)?;
        if victims.share == 1_000_000 {
            return Ok(all);
        }
        let part = all.len() * victims.share as usize / 1_000_000;
        let mut some = draw.some(&all, part.max(1));
        some.sort_unstable();
        Ok(some)
    }

    /// When it happens to this node: never while it is away.
    fn times(&self, times: &Times, node: NodeNo, draw: &mut Draw) -> Vec<u64> {
        let fixed = times.at.iter().map(|at| at.at(self.form.begins));
        let mut all: Vec<u64> = fixed.filter_map(|at| self.online_from(node, at)).collect();
        let wanted = u128::from(times.per_day) * u128::from(self.form.length);
        let count = draw.about(wanted, 1_000 * u128::from(DAY_MS));
        let online = &self.online[node as usize];
        // More are refused when they become steps.
        let count = count.min(MAX_STEPS as u64 + 1);
        all.extend((0..count).map_while(|_| draw_in(online, draw)));
        all.sort_unstable();
        all
    }

    /// When it happens to nobody in particular.
    fn moments(&self, times: &Times, draw: &mut Draw) -> Vec<u64> {
        let fixed = times.at.iter().map(|at| at.at(self.form.begins));
        let mut all: Vec<u64> = fixed.collect();
        let wanted = u128::from(times.per_day) * u128::from(self.form.length);
        let count = draw.about(wanted, 1_000 * u128::from(DAY_MS));
        let count = count.min(MAX_STEPS as u64 + 1);
        all.extend((0..count).map(|_| draw.below(self.form.length)));
        all.sort_unstable();
        all
    }

    fn back(&mut self, line: u32, node: NodeNo, at: u64, down: u64) -> Result<(), Mistake> {
        // Who would have gone before comes back with its next session.
        match self.session_end(node, at) {
            Some(end) if at + down < end => self.step(line, at + down, Act::Back { node }),
            _ => Ok(()),
        }
    }

    fn mishaps(&mut self, number: usize, form: &Mishap) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("victims {:?} {number}", form.kind));
        let line = form.victims.line;
        for node in self.victims(&form.victims, &mut draw)? {
            let name = &self.plan.nodes[node as usize].name;
            let mut draw = self.draw(&format!("mishap {:?} {number} {name}", form.kind));
            for at in self.times(&form.times, node, &mut draw) {
                let lasts = drawn(form.lasts, &mut draw);
                let act = match form.kind {
                    MishapKind::Crash(effects) => Act::Crash {
                        node,
                        effects: small(drawn(effects, &mut draw)),
                    },
                    MishapKind::Torn(batches) => Act::TearTail {
                        node,
                        batches: small(drawn(batches, &mut draw)),
                    },
                    MishapKind::FailedCommit => Act::FailCommit { node },
                    MishapKind::Disk(bytes) => {
                        let before = self.plan.nodes[node as usize].disk;
                        self.step(line, at, Act::Disk { node, bytes })?;
                        let act = Act::Disk {
                            node,
                            bytes: before,
                        };
                        self.step(line, at + lasts, act)?;
                        continue;
                    }
                };
                self.step(line, at, act)?;
                self.back(line, node, at, lasts)?;
            }
        }
        Ok(())
    }

    fn backups(&mut self, number: usize, form: &BackupForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("backup {number}"));
        let line = form.victims.line;
        let begins = self.form.begins;
        if form.restored.at(begins) <= form.at.at(begins) {
            return Err(Mistake {
                line: Some(line),
                what: "the backup is restored before it is made".to_owned(),
                hint: "expected: `restored` later than `at`".to_owned(),
            });
        }
        for node in self.victims(&form.victims, &mut draw)? {
            let at = self.online_from(node, form.at.at(begins));
            let restored = self.online_from(node, form.restored.at(begins));
            if let (Some(at), Some(restored)) = (at, restored) {
                let noticed = form.noticed;
                self.step(line, at, Act::Backup { node })?;
                // Both may fall on the start of the same session.
                let restored = restored.max(at + 1);
                self.step(line, restored, Act::Restore { node, noticed })?;
                let down = drawn(form.down, &mut draw);
                self.back(line, node, restored, down)?;
            }
        }
        Ok(())
    }

    fn clones(&mut self, number: usize, form: &CloneForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("clone {number}"));
        for node in self.victims(&form.victims, &mut draw)? {
            let Some(at) = self.online_from(node, form.at.at(self.form.begins)) else {
                continue;
            };
            if self.plan.nodes.len() >= MAX_NODES {
                return Err(Mistake {
                    line: Some(form.victims.line),
                    what: "with the copies there are too many nodes".to_owned(),
                    hint: format!("expected: at most {MAX_NODES}; copy fewer, `share = \"1%\"`"),
                });
            }
            let twin = NodeNo::try_from(self.plan.nodes.len()).unwrap_or(NodeNo::MAX);
            let mut copy = self.plan.nodes[node as usize].clone();
            let twins = self
                .plan
                .nodes
                .iter()
                .filter(|one| one.twin_of == Some(node))
                .count();
            copy.name = match twins {
                0 => format!("{} copy", copy.name),
                more => called(&format!("{} copy", copy.name), 2, more),
            };
            copy.twin_of = Some(node);
            copy.starts_ms = at;
            self.plan.nodes.push(copy);
            self.online.push(vec![(at, self.form.length)]);
            let noticed = form.noticed;
            let act = Act::Clone {
                node,
                twin,
                noticed,
            };
            self.step(form.victims.line, at, act)?;
        }
        Ok(())
    }

    fn clocks(&mut self, number: usize, form: &ClockForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("clock {number}"));
        let line = form.victims.line;
        let begins = self.form.begins;
        for node in self.victims(&form.victims, &mut draw)? {
            let plan = &mut self.plan.nodes[node as usize];
            plan.trust_clock = false;
            plan.drift_ppm = form.drift;
            let skew_ms = form.skew;
            match form.at {
                None => plan.skew_ms = skew_ms,
                Some(at) => self.step(line, at.at(begins), Act::Clock { node, skew_ms })?,
            }
            if let Some(until) = form.until {
                self.step(line, until.at(begins), Act::Clock { node, skew_ms: 0 })?;
            }
        }
        Ok(())
    }

    fn places(&self, named: &Named) -> Result<Vec<Place>, Mistake> {
        let site = self.names.is_site(named);
        let found = self.names.find(Kind::Place, named)?.iter();
        let place = |no: &u32| {
            if site {
                Place::Site(*no)
            } else {
                Place::Node(*no)
            }
        };
        Ok(found.map(place).collect())
    }

    fn cuts(&mut self, number: usize, form: &CutForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("cut {number}"));
        let from = self.places(&form.from)?;
        let to = match &form.to {
            Some(to) => self.places(to)?,
            None => (0..small(self.plan.sites.len() as u64))
                .map(Place::Site)
                .collect(),
        };
        for at in self.moments(&form.times, &mut draw) {
            let end = at + drawn(form.lasts, &mut draw);
            for from in &from {
                // A place is cut from itself only when that is asked for.
                for to in to.iter().filter(|to| form.to.is_some() || *to != from) {
                    let (from, to, both) = (*from, *to, form.both);
                    self.step(form.line, at, Act::Cut { from, to, both })?;
                    self.step(form.line, end, Act::Mend { from, to })?;
                }
            }
        }
        Ok(())
    }

    fn tears(&mut self, number: usize, form: &TearForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("tear {number}"));
        let all_a = self.names.find(Kind::Node, &form.a)?.to_vec();
        let all_b = self.names.find(Kind::Node, &form.b)?.to_vec();
        for at in self.moments(&form.times, &mut draw) {
            for a in &all_a {
                for b in all_b.iter().filter(|b| *b != a) {
                    self.step(form.line, at, Act::Tear { a: *a, b: *b })?;
                }
            }
        }
        Ok(())
    }

    fn weather(&mut self, form: &WeatherForm) -> Result<(), Mistake> {
        let begins = self.form.begins;
        for site in self.names.find(Kind::Site, &form.site)?.to_vec() {
            let plan = &self.plan.sites[site as usize];
            let (inside, uplink) = (plan.inside, plan.uplink);
            let act = Act::Weather {
                site,
                inside: form.inside.unwrap_or(inside),
                uplink: form.uplink.unwrap_or(uplink),
            };
            self.step(form.line, form.at.at(begins), act)?;
            if let Some(until) = form.until {
                let act = Act::Weather {
                    site,
                    inside,
                    uplink,
                };
                self.step(form.line, until.at(begins), act)?;
            }
        }
        Ok(())
    }

    fn raids(&mut self, form: &RaidForm) -> Result<(), Mistake> {
        let (begins, length) = (self.form.begins, self.form.length);
        let until = form.until.map_or(length, |until| until.at(begins));
        let who = self.names.all(Kind::Person, &form.who)?;
        for on in self.names.all(Kind::Node, &form.on)? {
            for node in who.iter().copied().filter(|node| *node != on) {
                let mut at = form.at.at(begins);
                while at < until.min(length) {
                    let raid = Act::Raid {
                        node,
                        on,
                        links: form.links.max(1),
                        frames: form.frames,
                    };
                    self.step(form.line, at, raid)?;
                    at += form.every;
                }
            }
        }
        Ok(())
    }

    fn liars(&mut self, number: usize, form: &LiarForm) -> Result<(), Mistake> {
        let mut draw = self.draw(&format!("liar {number}"));
        for node in self.victims(&form.victims, &mut draw)? {
            let lies = &mut self.plan.nodes[node as usize].lies;
            lies.extend(form.kinds.iter().map(|kind| Lie {
                kind: *kind,
                one_in: form.one_in,
                most: form.most,
            }));
        }
        Ok(())
    }
}
