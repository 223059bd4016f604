//! What goes wrong in a drawn world.

use super::{HOUR, KINDS, Kind, MINUTE, Making, SECOND, SetBack, Topology};
use crate::plan::{Act, Lie, LieKind, NodeNo, Path, Place, SiteNo, TopicNo};
use crate::scenario::draw::Draw;

const DAY: u64 = 24 * HOUR;

/// Every kind of lie, but for what is said with stolen keys: that needs somebody whose rights are taken.
const LIES: [LieKind; 13] = [
    LieKind::BadSignature,
    LieKind::Fork,
    LieKind::Replay,
    LieKind::Flood,
    LieKind::Withhold,
    LieKind::Silent,
    LieKind::FalseReceipt,
    LieKind::PoisonedId,
    LieKind::Garble,
    LieKind::Outsider,
    LieKind::ForkFirst,
    LieKind::InventedDep,
    LieKind::LeakedLink,
];

/// The sizes that a disk shrinks to, in bytes.
const SMALL_DISK: (u64, u64) = (32 << 10, 1 << 20);

impl Making {
    /// Draws every kind of trouble that this world has.
    pub(super) fn trouble(&mut self) {
        for kind in KINDS {
            if !self.kinds.contains(&kind) {
                continue;
            }
            let mut draw = self.draw(&format!("{kind:?}"));
            match kind {
                Kind::Crash => self.crashes(&mut draw),
                Kind::FailCommit => self.failed_commits(&mut draw),
                Kind::TearTail => self.torn_tails(&mut draw),
                Kind::Restore => self.restores(&mut draw),
                Kind::Clone => self.clones(&mut draw),
                Kind::Clock => self.clocks(&mut draw),
                Kind::Disk => self.disks(&mut draw),
                Kind::Cut => self.cuts(&mut draw),
                Kind::Move => self.moves(&mut draw),
                Kind::Weather => self.weather(&mut draw),
                Kind::Tear => self.tears(&mut draw),
                Kind::Lies => self.lies(&mut draw),
            }
        }
    }

    /// A time after the very beginning, and one after it, both before the end.
    fn while_(&self, draw: &mut Draw) -> (u64, u64) {
        let length = self.plan.length_ms;
        let at = draw.between(10 * SECOND, length * 9 / 10);
        let lasts = draw.skewed(SECOND, length / 3);
        (at, (at + lasts).min(length - 1))
    }

    fn nodes_of_world(&self) -> Vec<NodeNo> {
        let nodes = (0u32..).zip(&self.plan.nodes);
        let own = nodes.filter(|(_, node)| node.twin_of.is_none());
        own.map(|(no, _)| no).collect()
    }

    /// A node to which it happens while it is up; core nodes so often, in hundredths.
    fn victim(&self, at: u64, cores: u32, draw: &mut Draw) -> Option<NodeNo> {
        let from = if draw.percent(cores) {
            self.cores()
        } else {
            self.people()
        };
        let up: Vec<NodeNo> = from
            .into_iter()
            .filter(|node| self.is_up(*node, at))
            .collect();
        draw.pick(&up)
    }

    /// A node is down after what was done to it, and comes back.
    fn comes_back(&mut self, node: NodeNo, at: u64, to: u64) {
        self.step(to, Act::Back { node });
        self.down[node as usize].push((at, to));
    }

    fn crashes(&mut self, draw: &mut Draw) {
        let most = draw.small(1, 60);
        for _ in 0..draw.between(1, 8) {
            let (at, to) = self.while_(draw);
            if let Some(node) = self.victim(at, 25, draw) {
                let effects = draw.small(0, most);
                self.step(at, Act::Crash { node, effects });
                self.comes_back(node, at, to);
            }
        }
    }

    fn failed_commits(&mut self, draw: &mut Draw) {
        for _ in 0..draw.between(1, 4) {
            let (at, to) = self.while_(draw);
            if let Some(node) = self.victim(at, 25, draw) {
                self.step(at, Act::FailCommit { node });
                self.step(to.min(at + MINUTE), Act::Back { node });
            }
        }
    }

    fn torn_tails(&mut self, draw: &mut Draw) {
        for _ in 0..draw.between(1, 3) {
            let (at, to) = self.while_(draw);
            if let Some(node) = self.victim(at, 20, draw) {
                let batches = draw.small(1, 6);
                self.step(at, Act::TearTail { node, batches });
                self.comes_back(node, at, to);
                self.set_back.push(SetBack {
                    node,
                    from: at.saturating_sub(SECOND),
                    until: at,
                    back: to,
                });
            }
        }
    }

    fn restores(&mut self, draw: &mut Draw) {
        let unnoticed = if draw.percent(60) { 60 } else { 0 };
        for _ in 0..draw.between(1, 2) {
            let (at, to) = self.while_(draw);
            let Some(node) = self.victim(at, 15, draw) else {
                continue;
            };
            self.step(at, Act::Backup { node });
            let noticed = !draw.percent(unnoticed);
            self.step(to, Act::Restore { node, noticed });
            self.step(to + draw.between(SECOND, MINUTE), Act::Back { node });
            self.set_back.push(SetBack {
                node,
                from: at,
                until: to,
                back: to,
            });
        }
    }

    /// Whoever was set back has written what is lost, and writes again as soon as it is back:
    /// perhaps before anybody can tell it what others have of it.
    pub(super) fn around_set_backs(&mut self) {
        let mut draw = self.draw("around set backs");
        for lost in self.set_back.clone() {
            let SetBack { node, back, .. } = lost;
            if draw.percent(50) {
                let to_ms = back + draw.between(2 * SECOND, MINUTE);
                let alone = Place::Node(node);
                for site in (0u32..).zip(&self.plan.sites.clone()).map(|(no, _)| no) {
                    let (from, to) = (alone, Place::Site(site));
                    let both = true;
                    self.step(back, Act::Cut { from, to, both });
                    self.step(to_ms, Act::Mend { from, to });
                }
            }
            let of = |one: &&(NodeNo, TopicNo, u64, u64)| {
                one.0 == node && one.2 <= lost.from && lost.back < one.3
            };
            let topics: Vec<TopicNo> = self.belongs.iter().filter(of).map(|one| one.1).collect();
            for topic in draw.some(&topics, 2) {
                self.writes_twice(lost, topic, &mut draw);
            }
        }
    }

    /// The same person writes to the same others before and after it was set back.
    fn writes_twice(&mut self, lost: SetBack, topic: TopicNo, draw: &mut Draw) {
        let node = lost.node;
        let plan = &self.plan.topics[topic as usize];
        let mut others = plan.members.clone();
        others.push(plan.founder);
        others.retain(|other| *other != node);
        let to = draw.pick(&others);
        let before = draw.between(lost.from, lost.until);
        for at in [before, lost.until, lost.back, lost.back + SECOND] {
            let at = at.saturating_sub(if at == lost.until { 300 } else { 0 });
            let send = Act::Send {
                node,
                topic,
                bytes: draw.small(8, 300),
                count: 1,
                expires_ms: 0,
                file: 0,
            };
            self.step(at + draw.below(100), send);
            if let Some(to) = to {
                let mail = Act::Mail {
                    node,
                    to,
                    bytes: draw.small(8, 300),
                    best_effort: false,
                };
                self.step(at + draw.below(100), mail);
            }
        }
    }

    /// One person's home is copied, and both go on.
    fn clones(&mut self, draw: &mut Draw) {
        let (at, _) = self.while_(draw);
        let mut people = self.people();
        people.retain(|node| self.is_up(*node, at) && !self.founds(*node));
        let Some(node) = draw.pick(&people) else {
            return;
        };
        let twin = u32::try_from(self.plan.nodes.len()).unwrap_or(NodeNo::MAX);
        let mut copy = self.plan.nodes[node as usize].clone();
        copy.name = format!("{} copy", copy.name);
        copy.twin_of = Some(node);
        copy.starts_ms = at;
        self.plan.nodes.push(copy);
        self.down.push(Vec::new());
        let noticed = draw.percent(60);
        let act = Act::Clone {
            node,
            twin,
            noticed,
        };
        self.step(at, act);
    }

    /// At most a quarter of the clocks are wrong, so that most have right ones around them.
    fn clocks(&mut self, draw: &mut Draw) {
        let all = self.nodes_of_world();
        let most = (all.len() / 4).max(1);
        let count = draw.between(1, most as u64);
        for node in draw.some(&all, usize::try_from(count).unwrap_or(1)) {
            let size = match draw.below(4) {
                0 => draw.between(SECOND, 4 * MINUTE),
                1 => draw.between(10 * MINUTE, DAY),
                2 => draw.between(DAY, 40 * DAY),
                _ => draw.between(40 * DAY, 800 * DAY),
            };
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let skew_ms = if draw.percent(50) { size } else { -size };
            let drift = i32::try_from(draw.below(1_000)).unwrap_or(0) - 500;
            let (at, to) = self.while_(draw);
            let plan = &mut self.plan.nodes[node as usize];
            plan.trust_clock = false;
            if draw.percent(30) {
                plan.drift_ppm = drift;
            }
            if draw.percent(40) {
                plan.skew_ms = skew_ms;
            } else {
                self.step(at, Act::Clock { node, skew_ms });
            }
            if draw.percent(40) {
                self.step(to, Act::Clock { node, skew_ms: 0 });
            }
        }
    }

    fn disks(&mut self, draw: &mut Draw) {
        for _ in 0..draw.between(1, 3) {
            let (at, to) = self.while_(draw);
            let nodes = if draw.percent(40) {
                self.cores()
            } else {
                self.people()
            };
            let Some(node) = draw.pick(&nodes) else {
                continue;
            };
            let bytes = draw.between(SMALL_DISK.0, SMALL_DISK.1);
            if draw.percent(30) {
                self.plan.nodes[node as usize].disk = bytes;
            } else {
                self.step(at, Act::Disk { node, bytes });
            }
            self.step(to, Act::Disk { node, bytes: 0 });
        }
        // Of two troubles with one disk the later end counts.
        let last = self.plan.length_ms - 1;
        for node in self.nodes_of_world() {
            let theirs = |act: &Act| matches!(act, Act::Disk { node: of, .. } if *of == node);
            if self.plan.steps.iter().any(|step| theirs(&step.act)) {
                self.step(last, Act::Disk { node, bytes: 0 });
            }
        }
    }

    fn place(&self, draw: &mut Draw) -> Place {
        let sites: Vec<SiteNo> = (0u32..).zip(&self.plan.sites).map(|(no, _)| no).collect();
        let nodes = self.nodes_of_world();
        if draw.percent(50) {
            Place::Site(draw.pick(&sites).unwrap_or(0))
        } else {
            Place::Node(draw.pick(&nodes).unwrap_or(0))
        }
    }

    fn cuts(&mut self, draw: &mut Draw) {
        for _ in 0..draw.between(1, 5) {
            let (at, to_ms) = self.while_(draw);
            let (from, to) = (self.place(draw), self.place(draw));
            let both = draw.percent(60);
            self.step(at, Act::Cut { from, to, both });
            self.step(to_ms, Act::Mend { from, to });
        }
    }

    /// People go to another place; they come home, unless they can be reached as well from there.
    fn moves(&mut self, draw: &mut Draw) {
        for _ in 0..draw.between(1, 4) {
            let (at, to) = self.while_(draw);
            let mut people = self.people();
            // The traveller has a timetable.
            if self.topology == Topology::Islands {
                people.remove(0);
            }
            let Some(node) = draw.pick(&people) else {
                return;
            };
            let home = self.plan.nodes[node as usize].site;
            let sites = (0u32..).zip(&self.plan.sites).map(|(no, _)| no);
            let others: Vec<SiteNo> = sites.filter(|no| *no != home).collect();
            let Some(site) = draw.pick(&others) else {
                return;
            };
            if draw.percent(40) {
                let asleep = draw.between(SECOND, MINUTE);
                self.absence(node, at.saturating_sub(asleep), at + SECOND);
            }
            self.step(at, Act::Move { node, site });
            let stays = matches!(self.topology, Topology::Homes | Topology::Open);
            if !stays || draw.percent(70) {
                self.step(to, Act::Move { node, site: home });
            }
        }
        self.goes_home();
    }

    /// Of two journeys of one person the later end counts: who has to be at home at last is.
    fn goes_home(&mut self) {
        if matches!(self.topology, Topology::Homes | Topology::Open) {
            return;
        }
        let last = self.plan.length_ms - 1;
        for node in self
            .people()
            .into_iter()
            .skip(usize::from(self.topology == Topology::Islands))
        {
            let theirs = |act: &Act| matches!(act, Act::Move { node: of, .. } if *of == node);
            if self.plan.steps.iter().any(|step| theirs(&step.act)) {
                let site = self.plan.nodes[node as usize].site;
                self.step(last, Act::Move { node, site });
            }
        }
    }

    /// For a while the network of a site is bad, or its way out is gone.
    fn weather(&mut self, draw: &mut Draw) {
        // What happens on the islands in the end is settled by then.
        let end = if self.topology == Topology::Islands {
            self.plan.length_ms * 7 / 10
        } else {
            self.plan.length_ms
        };
        for _ in 0..draw.between(1, 4) {
            let (at, to) = self.while_(draw);
            let (at, to) = (at.min(end - 2), to.min(end - 1));
            let sites: Vec<SiteNo> = (0u32..).zip(&self.plan.sites).map(|(no, _)| no).collect();
            let site = draw.pick(&sites).unwrap_or(0);
            let plan = &self.plan.sites[site as usize];
            let (inside, uplink) = (plan.inside, plan.uplink);
            let gone = draw.percent(30);
            let bad = Act::Weather {
                site,
                inside: worse(inside, draw),
                uplink: uplink.filter(|_| !gone).map(|path| worse(path, draw)),
            };
            self.step(at, bad);
            let good = Act::Weather {
                site,
                inside,
                uplink,
            };
            self.step(to, good);
        }
    }

    fn tears(&mut self, draw: &mut Draw) {
        let nodes = self.nodes_of_world();
        for _ in 0..draw.between(2, 10) {
            let at = draw.between(5 * SECOND, self.plan.length_ms - 1);
            if let [a, b] = draw.some(&nodes, 2).as_slice() {
                self.step(at, Act::Tear { a: *a, b: *b });
            }
        }
    }

    /// Who lies: people who found nothing, and perhaps a core node beside honest ones.
    fn lies(&mut self, draw: &mut Draw) {
        let mut people = self.people();
        let most = people.len() / 3;
        people.retain(|node| !self.founds(*node) && !self.has_twin(*node));
        let count = draw.between(1, most.max(1) as u64);
        let mut liars = draw.some(&people, usize::try_from(count).unwrap_or(1));
        liars.truncate(most);
        if draw.percent(25) {
            liars.extend(self.lying_core(draw));
        }
        let one_in = draw.small(2, 60);
        for node in liars {
            let kinds = draw.between(1, 3);
            let mut kinds = draw.some(&LIES, usize::try_from(kinds).unwrap_or(1));
            // Chains that part are what everything has to be compared by more than numbers for.
            if draw.percent(35) && !kinds.contains(&LieKind::Fork) {
                kinds.push(LieKind::Fork);
            }
            let most = draw.small(4, 40);
            let lies = kinds.into_iter().map(|kind| Lie { kind, one_in, most });
            self.plan.nodes[node as usize].lies = lies.collect();
        }
    }

    pub(super) fn has_twin(&self, node: NodeNo) -> bool {
        self.plan.nodes.iter().any(|one| one.twin_of == Some(node))
    }

    /// A core node that may lie, because whoever uses it uses another one as well.
    fn lying_core(&self, draw: &mut Draw) -> Option<NodeNo> {
        let mut cores = self.cores();
        if cores.len() < 2 {
            return None;
        }
        let nodes = &self.plan.nodes;
        cores.retain(|core| !nodes.iter().any(|node| node.uses == [*core]));
        draw.pick(&cores)
    }
}

/// The same network on a bad day.
fn worse(path: Path, draw: &mut Draw) -> Path {
    Path {
        latency_us: path.latency_us * draw.between(1, 8),
        jitter_us: path.jitter_us + draw.below(100_000),
        loss_ppm: draw.small(10_000, 250_000),
        duplicate_ppm: draw.small(0, 50_000),
        reorder_ppm: draw.small(0, 100_000),
        kbit: if draw.percent(50) {
            draw.between(200, 4_000)
        } else {
            path.kbit
        },
    }
}
