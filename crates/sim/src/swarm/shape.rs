//! Sites, nodes and topics of a drawn world.

use super::{HOUR, MINUTE, Making, SECOND, Topology};
use crate::plan::{Act, NodeNo, NodePlan, Path, Role, Site, SiteNo, TopicPlan};
use crate::scenario::draw::Draw;

const MIB: u64 = 1 << 20;

/// Topics that anybody may read, in hundredths.
const PUBLIC: u32 = 15;

/// How many of these have readers, in hundredths.
const READ: u32 = 70;

/// A network inside a site.
fn inside(draw: &mut Draw) -> Path {
    let latency_us = draw.between(1_000, 6_000);
    Path {
        latency_us,
        jitter_us: draw.below(latency_us),
        ..Path::default()
    }
}

/// A way to the rest of the world: mostly good, sometimes far, thin or bad.
fn uplink(draw: &mut Draw) -> Path {
    let latency_us = match draw.below(10) {
        0 => draw.between(150_000, 350_000),
        _ => draw.between(4_000, 60_000),
    };
    let jitter_us = draw.below(latency_us / 2 + 1);
    let kbit = match draw.below(10) {
        0 => draw.between(500, 2_000),
        1..5 => draw.between(2_000, 50_000),
        _ => 0,
    };
    Path {
        latency_us,
        jitter_us,
        kbit,
        ..Path::default()
    }
}

/// Packets get lost, doubled and late, at the rate of this world.
fn noise(path: &mut Path, most: u32, draw: &mut Draw) {
    path.loss_ppm = draw.small(0, most);
    path.duplicate_ppm = draw.small(0, most / 4);
    path.reorder_ppm = draw.small(0, most / 2);
}

impl Making {
    fn site(&mut self, name: String, uplink: Option<Path>, open: bool, draw: &mut Draw) -> SiteNo {
        let inside = inside(draw);
        self.plan.sites.push(Site {
            name,
            inside,
            uplink,
            open,
            apart: false,
        });
        u32::try_from(self.plan.sites.len() - 1).unwrap_or_default()
    }

    /// Where core nodes are comes first, unless there is one place only.
    pub(super) fn sites(&mut self) {
        let mut draw = self.draw("sites");
        match self.topology {
            Topology::Room => {
                self.site("room".to_owned(), None, false, &mut draw);
                self.site("yard".to_owned(), None, false, &mut draw);
            }
            Topology::Islands => {
                for index in 0..draw.between(2, 3) {
                    // Nobody dials into an island while it has no way out.
                    self.site(format!("island-{}", index + 1), None, true, &mut draw);
                }
            }
            Topology::Open => {
                for index in 0..draw.between(2, 5) {
                    let way = Some(uplink(&mut draw));
                    self.site(format!("open-{}", index + 1), way, true, &mut draw);
                }
            }
            Topology::Homes | Topology::Mixed => {
                for index in 0..draw.between(1, 2) {
                    let way = Some(uplink(&mut draw));
                    self.site(format!("centre-{}", index + 1), way, true, &mut draw);
                }
                if self.topology == Topology::Mixed {
                    let way = Some(uplink(&mut draw));
                    self.site("hall".to_owned(), way, false, &mut draw);
                }
                for index in 0..draw.between(2, 6) {
                    let way = Some(uplink(&mut draw));
                    self.site(format!("home-{}", index + 1), way, false, &mut draw);
                }
            }
        }
        let mut draw = self.draw("noise");
        let most = match draw.below(10) {
            0..3 => 0,
            3..8 => 10_000,
            _ => 60_000,
        };
        for site in &mut self.plan.sites {
            noise(&mut site.inside, most / 4, &mut draw);
            if let Some(uplink) = &mut site.uplink {
                noise(uplink, most, &mut draw);
            }
        }
    }

    fn sites_named(&self, start: &str) -> Vec<SiteNo> {
        let sites = (0u32..).zip(&self.plan.sites);
        let named = sites.filter(|(_, site)| site.name.starts_with(start));
        named.map(|(no, _)| no).collect()
    }

    pub(super) fn nodes(&mut self) {
        let mut draw = self.draw("nodes");
        let cores = match self.topology {
            Topology::Homes | Topology::Mixed => draw.between(1, 3),
            Topology::Room | Topology::Open if self.tight => draw.between(1, 2),
            Topology::Room | Topology::Open | Topology::Islands => draw.below(3),
        };
        // Who is never there together needs two.
        let cores = cores.max(if self.apart { 2 } else { 0 });
        let people = draw.between(4, 14);
        let slow = draw.percent(15);
        let late = draw.percent(40);
        for index in 0..cores + people {
            let role = if index < cores {
                Role::Core
            } else {
                Role::Person
            };
            let name = match role {
                Role::Core => format!("core-{}", index + 1),
                Role::Person => format!("person-{}", index + 1 - cores),
            };
            let mut node = NodePlan {
                name,
                role,
                site: self.home(role, &mut draw),
                uses: Vec::new(),
                starts_ms: 0,
                commit_us: draw.between(0, if slow { 50_000 } else { 5_000 }),
                skew_ms: 0,
                drift_ppm: 0,
                trust_clock: draw.percent(if role == Role::Core { 80 } else { 50 }),
                disk: 0,
                quota: 0,
                reads_after_ms: draw.skewed(50, 20 * SECOND),
                lies: Vec::new(),
                twin_of: None,
                device_of: None,
            };
            if role == Role::Core && self.tight {
                node.quota = draw.between(MIB, 3 * MIB);
            }
            if role == Role::Person && late && draw.percent(50) {
                node.starts_ms = draw.skewed(0, (self.plan.length_ms / 8).min(HOUR));
            }
            self.plan.nodes.push(node);
            self.down.push(Vec::new());
        }
        self.uses();
    }

    fn home(&self, role: Role, draw: &mut Draw) -> SiteNo {
        let from = match (self.topology, role) {
            (Topology::Room, _) => vec![0],
            (Topology::Homes | Topology::Mixed, Role::Core) => self.sites_named("centre"),
            (Topology::Homes, Role::Person) => self.sites_named("home"),
            (Topology::Mixed, Role::Person) if draw.percent(60) => self.sites_named("hall"),
            (Topology::Mixed, Role::Person) => self.sites_named("home"),
            (Topology::Open, _) => self.sites_named("open"),
            (Topology::Islands, _) => self.sites_named("island"),
        };
        draw.pick(&from).unwrap_or(0)
    }

    /// Who uses which core nodes: all the same, or each one or two of their own.
    fn uses(&mut self) {
        let mut draw = self.draw("uses");
        let cores = self.cores();
        let all = draw.percent(35);
        let some_without = matches!(
            self.topology,
            Topology::Room | Topology::Open | Topology::Mixed
        );
        for node in self.people() {
            let site = self.plan.nodes[node as usize].site;
            let mut mine = cores.clone();
            if self.topology == Topology::Islands {
                mine.retain(|core| self.plan.nodes[*core as usize].site == site);
            }
            // In the hall somebody without a core node is a guest of the others.
            let hall = self.topology != Topology::Mixed || self.sites_named("hall") == [site];
            if some_without && hall && draw.percent(30) {
                continue;
            }
            if !all {
                let count = draw.between(1, 2);
                mine = draw.some(&mine, usize::try_from(count).unwrap_or(1));
            }
            if self.apart {
                mine = draw.some(&mine, 1);
            }
            mine.sort_unstable();
            self.plan.nodes[node as usize].uses = mine;
        }
    }

    /// Whether somebody may found topics: behind NAT only with a core node.
    fn may_found(&self, node: NodeNo) -> bool {
        let behind = matches!(self.topology, Topology::Homes | Topology::Mixed);
        !behind || !self.plan.nodes[node as usize].uses.is_empty()
    }

    pub(super) fn topics(&mut self) {
        let mut draw = self.draw("topics");
        let mut invites = self.draw("invites");
        let mut public = self.draw("public");
        let people = self.people();
        let count = draw.skewed(1, 4);
        for index in 0..count {
            let size = if index == 0 && draw.percent(60) {
                people.len()
            } else {
                let most = people.len() as u64;
                usize::try_from(draw.between(most.min(3), most)).unwrap_or(2)
            };
            let mut members = draw.some(&people, size);
            let founder = match self.topology {
                // The first person travels, and meets everybody.
                Topology::Islands => people[0],
                _ => {
                    let may = |node: &NodeNo| self.may_found(*node);
                    let founder = members.iter().copied().find(may);
                    let founder = founder.or_else(|| people.iter().copied().find(may));
                    founder.unwrap_or_else(|| self.gets_core(people[0]))
                }
            };
            members.retain(|member| *member != founder);
            self.plan.nodes[founder as usize].starts_ms = 0;
            self.belongs
                .push((founder, u32::try_from(index).unwrap_or(0), 0, u64::MAX));
            self.plan.topics.push(TopicPlan {
                name: format!("topic-{}", index + 1),
                founder,
                members,
                personal: invites.percent(60),
                public: public.percent(PUBLIC),
                readers: Vec::new(),
            });
        }
        self.readers();
    }

    /// In most public topics some read: of those who are no members, and of those who would be.
    fn readers(&mut self) {
        let mut draw = self.draw("readers");
        let people = self.people();
        for topic in self.plan.topics.iter_mut().filter(|topic| topic.public) {
            if !draw.percent(READ) {
                continue;
            }
            let most = topic.members.len() / 2;
            let turned = draw.below(1 + most as u64);
            let turned = usize::try_from(turned).unwrap_or(0);
            let stay = (topic.members.len() - turned).max(1);
            topic.members.truncate(stay);
            let others = people.iter().copied();
            let is_let_in = |no: &NodeNo| topic.members.contains(no) || topic.founder == *no;
            let others: Vec<NodeNo> = others.filter(|no| !is_let_in(no)).collect();
            let count = draw.between(1, (others.len() as u64).max(1));
            topic.readers = draw.some(&others, usize::try_from(count).unwrap_or(1));
        }
    }

    fn gets_core(&mut self, node: NodeNo) -> NodeNo {
        self.plan.nodes[node as usize].uses = self.cores();
        node
    }

    /// On the islands the first person goes round, again and again; later most islands get a way to
    /// the rest of the world.
    pub(super) fn travels(&mut self) {
        if self.topology != Topology::Islands {
            return;
        }
        let mut draw = self.draw("travels");
        let traveller = self.people()[0];
        let sites: Vec<SiteNo> = self.sites_named("island");
        let length = self.plan.length_ms;
        let rounds = draw.between(2, 4);
        let stay = length / (rounds * sites.len() as u64);
        let mut site = self.plan.nodes[traveller as usize].site;
        let mut at = stay;
        while at + MINUTE < length {
            site = (site + 1) % u32::try_from(sites.len()).unwrap_or(1);
            let node = traveller;
            if draw.percent(50) {
                let asleep = draw.between(10 * SECOND, (stay / 4).max(20 * SECOND));
                self.absence(node, at.saturating_sub(asleep), at + 1);
            }
            self.step(at, Act::Move { node, site });
            at += draw.between(stay * 3 / 4, stay * 5 / 4);
        }
        if draw.percent(70) {
            let at = draw.between(length * 7 / 10, length * 9 / 10);
            for site in sites {
                let inside = self.plan.sites[site as usize].inside;
                let uplink = Some(uplink(&mut draw));
                let act = Act::Weather {
                    site,
                    inside,
                    uplink,
                };
                self.step(at, act);
            }
        }
    }

    /// A node says goodbye and comes back.
    pub(super) fn absence(&mut self, node: NodeNo, from: u64, to: u64) {
        let to = to.min(self.plan.length_ms - 1);
        self.step(from, Act::Away { node });
        self.step(to, Act::Back { node });
        self.down[node as usize].push((from, to));
    }
}
