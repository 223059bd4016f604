//! From what is written to what happens: every node, every step, drawn from the seed.
//!
//! Each purpose has a stream of its own, named after the table and the node that it concerns, so
//! that adding one table to a scenario changes nothing of what the others give.

use super::Mistake;
use super::draw::Draw;
use super::form::{Form, Machine};
use super::limits::{MAX_CORES_USED, MAX_STEPS};
use super::names::{Kind, Names, Sizes, called};
use super::source::Named;
use crate::plan::{Act, NodeNo, NodePlan, Plan, Role, Site, SiteNo, Step, TopicNo};

/// From when to when somebody writes in a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) topic: TopicNo,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// A plan in the making.
pub(super) struct Making<'a> {
    pub(super) form: &'a Form,
    pub(super) sizes: Sizes,
    pub(super) names: Names,
    pub(super) seed: u64,
    pub(super) plan: Plan,
    /// When each node is online, in order, apart.
    pub(super) online: Vec<Vec<(u64, u64)>>,
    pub(super) memberships: Vec<Vec<Membership>>,
}

/// Makes the plan of a form.
pub(super) fn plan(name: &str, form: &Form, sizes: Sizes, seed: u64) -> Result<Plan, Mistake> {
    sizes.check(form)?;
    let (names, mut wrong) = Names::new(form, &sizes);
    wrong.extend(names.check(form));
    if let Some(first) = wrong.into_iter().next() {
        return Err(first);
    }
    let mut making = Making {
        form,
        sizes,
        names,
        seed,
        plan: Plan {
            name: name.to_owned(),
            seed,
            length_ms: form.length,
            converge_ms: form.converge,
            sites: Vec::new(),
            nodes: Vec::new(),
            topics: Vec::new(),
            steps: Vec::new(),
        },
        online: Vec::new(),
        memberships: Vec::new(),
    };
    making.sites();
    making.cores()?;
    making.people()?;
    making.topics()?;
    making.days()?;
    making.joins()?;
    making.leaves()?;
    making.devices()?;
    making.giving()?;
    making.messages()?;
    making.changes()?;
    making.mails()?;
    making.trouble()?;
    let mut plan = making.plan;
    plan.steps.sort_by_key(|step| step.at_ms);
    Ok(plan)
}

impl Making<'_> {
    /// The stream of this purpose.
    pub(super) fn draw(&self, purpose: &str) -> Draw {
        Draw::new(self.seed, purpose)
    }

    /// Notes a step, if the world lasts so long. `line` is that of the table that asks for it.
    pub(super) fn step(&mut self, line: u32, at_ms: u64, act: Act) -> Result<(), Mistake> {
        if self.plan.steps.len() >= MAX_STEPS {
            return Err(too_many_steps(line));
        }
        if at_ms < self.form.length {
            self.plan.steps.push(Step { at_ms, act });
        }
        Ok(())
    }

    /// The first time from then on at which a node is online.
    pub(super) fn online_from(&self, node: NodeNo, at: u64) -> Option<u64> {
        let sessions = &self.online[node as usize];
        let session = sessions.iter().find(|(_, end)| *end > at)?;
        Some(at.max(session.0))
    }

    /// When the session ends that a node is in.
    pub(super) fn session_end(&self, node: NodeNo, at: u64) -> Option<u64> {
        let sessions = &self.online[node as usize];
        let within = |session: &&(u64, u64)| session.0 <= at && at < session.1;
        sessions.iter().find(within).map(|session| session.1)
    }

    fn sites(&mut self) {
        for (form, count) in self.form.sites.iter().zip(&self.sizes.sites) {
            for index in 0..*count {
                self.plan.sites.push(Site {
                    name: called(&form.name.name, form.copies, index),
                    inside: form.inside,
                    uplink: form.uplink,
                    open: form.open,
                    apart: form.apart,
                });
            }
        }
    }

    fn node(&self, machine: &Machine, index: usize, role: Role) -> Result<NodePlan, Mistake> {
        let name = called(&machine.name.name, machine.count, index);
        let sites: &[SiteNo] = self.names.find(Kind::Site, &machine.site)?;
        let mut draw = self.draw(&format!("disk {name}"));
        Ok(NodePlan {
            site: sites[index % sites.len()],
            role,
            uses: Vec::new(),
            starts_ms: 0,
            commit_us: draw.between(machine.commit.low, machine.commit.high),
            skew_ms: 0,
            drift_ppm: 0,
            trust_clock: machine.trusts_clock,
            disk: machine.disk,
            quota: 0,
            reads_after_ms: 0,
            lies: Vec::new(),
            twin_of: None,
            device_of: None,
            name,
        })
    }

    fn cores(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for (at, core) in form.cores.iter().enumerate() {
            for index in 0..self.sizes.cores[at] {
                let mut node = self.node(&core.machine, index, Role::Core)?;
                node.quota = core.quota;
                self.plan.nodes.push(node);
                self.online.push(vec![(0, form.length)]);
            }
        }
        Ok(())
    }

    fn people(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for (at, group) in form.people.iter().enumerate() {
            let cores = self.names.all(Kind::Core, &group.cores)?;
            let uses = group.uses.unwrap_or(cores.len()).min(cores.len());
            if uses > MAX_CORES_USED {
                return Err(too_many_cores(&group.cores, uses));
            }
            let mut draw = self.draw(&format!("cores {}", group.machine.name.name));
            let mut spread = cores.clone();
            draw.shuffle(&mut spread);
            for index in 0..self.sizes.people[at] {
                let mut node = self.node(&group.machine, index, Role::Person)?;
                // One after the other, so that all core nodes have as many clients.
                let one = |k: usize| spread[(index * uses + k) % spread.len()];
                node.uses = if uses == cores.len() {
                    cores.clone()
                } else {
                    (0..uses).map(one).collect()
                };
                let mut draw = self.draw(&format!("reads {}", node.name));
                node.reads_after_ms = draw.skewed(group.reads_after.low, group.reads_after.high);
                self.plan.nodes.push(node);
                self.online.push(Vec::new());
            }
        }
        self.memberships = vec![Vec::new(); self.plan.nodes.len()];
        Ok(())
    }
}

/// The table in this line asks for more steps than a plan may have.
pub(super) fn too_many_steps(line: u32) -> Mistake {
    Mistake {
        line: Some(line),
        what: "with this the plan has too many steps".to_owned(),
        hint: format!("expected: at most {MAX_STEPS}; do less, or run it for less time"),
    }
}

fn too_many_cores(named: &[Named], uses: usize) -> Mistake {
    Mistake {
        line: named.first().map(|named| named.line),
        what: format!("everybody uses {uses} core nodes"),
        hint: format!("expected: at most {MAX_CORES_USED}; add `uses = 2`"),
    }
}
