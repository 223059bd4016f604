//! The swarm: a world of which everything is drawn from one number, so that worlds are tried that
//! nobody would think of.
//!
//! Size, topology, topics, workload, faults and their rates, and limits all come from the seed.
//! Not every world has every fault: each has a few kinds, because a world with all of them at once
//! hides as much as it shows. What is drawn keeps to rules, so that promises can be demanded
//! afterwards:
//!
//! - Founders of topics are honest people who are there from the beginning.
//! - When everything is mended and the network of a site is as it was, the members of a topic can
//!   reach a common node, or a traveller among them has visited everybody.
//! - At most a third of the people lie. Who uses a core node that lies uses an honest one as well.
//! - Who changes core nodes goes over to an honest one.
//! - Whoever went away, crashed or was set back comes back before the end. Only in worlds that end
//!   with people who are never there together (`apart`) most are away by then.
//! - Disks that are small are large again before the end; quotas are small only where members reach
//!   one another without a core node.
//! - Nobody whose clock is ever wrong relies on it, and most clocks are right.

mod apart;
mod devices;
mod files;
mod rights;
mod shape;
#[cfg(test)]
mod tests;
mod trouble;
mod work;

use crate::plan::{Act, NodeNo, NodePlan, Plan, Role, Step, TopicNo};
use crate::scenario::draw::Draw;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The least and the longest time in which everybody has to converge, in milliseconds. The longest
/// of the node's own waits is an hour (a core node that refused for want of room), so that the
/// stated time may not be much shorter.
const CONVERGE_MS: (u64, u64) = (2 * HOUR, 3 * HOUR);

/// Where people and core nodes are, and who reaches whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    /// All on one network without a way out.
    Room,
    /// Homes that let nobody in, and core nodes that are open.
    Homes,
    /// Some share a room with a way out, some are at home; core nodes are open.
    Mixed,
    /// Open sites; core nodes, if any, are a convenience.
    Open,
    /// Sites without a way out, and one who travels between them.
    Islands,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crash,
    FailCommit,
    TearTail,
    Restore,
    Clone,
    Clock,
    Disk,
    Cut,
    Move,
    Weather,
    Tear,
    Lies,
}

const KINDS: [Kind; 12] = [
    Kind::Crash,
    Kind::FailCommit,
    Kind::TearTail,
    Kind::Restore,
    Kind::Clone,
    Kind::Clock,
    Kind::Disk,
    Kind::Cut,
    Kind::Move,
    Kind::Weather,
    Kind::Tear,
    Kind::Lies,
];

/// A world in the making.
struct Making {
    seed: u64,
    topology: Topology,
    kinds: Vec<Kind>,
    /// Whether core nodes give little.
    tight: bool,
    /// Whether people are never there together at the end, each at a core node of their own.
    apart: bool,
    plan: Plan,
    /// When each node is certainly not there.
    down: Vec<Vec<(u64, u64)>>,
    /// Who is of which topic from when to when, founders included.
    belongs: Vec<(NodeNo, TopicNo, u64, u64)>,
    set_back: Vec<SetBack>,
}

/// A home that is an older one again.
#[derive(Clone, Copy, Debug)]
struct SetBack {
    node: NodeNo,
    /// What was done from then on is lost.
    from: u64,
    /// What was done until then is lost.
    until: u64,
    /// It is up again.
    back: u64,
}

/// The world of this seed. It depends on nothing else.
#[must_use]
pub fn plan(seed: u64) -> Plan {
    let mut draw = Draw::new(seed, "swarm");
    let topology = match draw.below(100) {
        0..20 => Topology::Room,
        20..50 => Topology::Homes,
        50..70 => Topology::Mixed,
        70..85 => Topology::Open,
        _ => Topology::Islands,
    };
    let count = draw.between(2, 6);
    let mut kinds = draw.some(&KINDS, usize::try_from(count).unwrap_or(2));
    // All kinds of lies share one place here.
    if !kinds.contains(&Kind::Lies) && draw.percent(15) {
        kinds.push(Kind::Lies);
    }
    let tight = draw.percent(75) && matches!(topology, Topology::Room | Topology::Open);
    let mut making = Making {
        seed,
        topology,
        kinds,
        tight,
        apart: Making::draws_apart(seed, topology, tight),
        plan: Plan {
            name: format!("swarm {seed}"),
            seed,
            length_ms: length(topology, &mut draw),
            converge_ms: draw.between(CONVERGE_MS.0, CONVERGE_MS.1),
            sites: Vec::new(),
            nodes: Vec::new(),
            topics: Vec::new(),
            steps: Vec::new(),
        },
        down: Vec::new(),
        belongs: Vec::new(),
        set_back: Vec::new(),
    };
    making.sites();
    making.nodes();
    making.topics();
    making.travels();
    making.days();
    making.trouble();
    making.joins();
    making.reading();
    making.leaves();
    making.rights();
    making.messages();
    making.files();
    making.changes();
    making.mails();
    making.late_mails();
    making.around_set_backs();
    making.devices();
    making.apart();
    making.plan.steps.sort_by_key(|step| step.at_ms);
    making.plan
}

/// Most worlds last minutes; some last long enough for expiry and for what happens every hour.
fn length(topology: Topology, draw: &mut Draw) -> u64 {
    let length = match draw.below(100) {
        0..50 => draw.between(4 * MINUTE, 15 * MINUTE),
        50..80 => draw.between(15 * MINUTE, 2 * HOUR),
        80..95 => draw.between(2 * HOUR, 8 * HOUR),
        _ => draw.between(8 * HOUR, 30 * HOUR),
    };
    if topology == Topology::Islands {
        length.max(draw.between(40 * MINUTE, 90 * MINUTE))
    } else {
        length
    }
}

impl Making {
    fn draw(&self, purpose: &str) -> Draw {
        Draw::new(self.seed, &format!("swarm {purpose}"))
    }

    fn step(&mut self, at_ms: u64, act: Act) {
        let at_ms = at_ms.min(self.plan.length_ms - 1);
        self.plan.steps.push(Step { at_ms, act });
    }

    /// Whether a node is not known to be down at that time.
    fn is_up(&self, node: NodeNo, at: u64) -> bool {
        let starts = self.plan.nodes[node as usize].starts_ms;
        let down = &self.down[node as usize];
        starts <= at && !down.iter().any(|(from, to)| *from <= at && at < *to)
    }

    fn of_role(&self, role: Role) -> Vec<NodeNo> {
        let nodes = (0u32..).zip(&self.plan.nodes);
        let own = |node: &NodePlan| node.twin_of.is_none() && node.device_of.is_none();
        let of = nodes.filter(|(_, node)| node.role == role && own(node));
        of.map(|(no, _)| no).collect()
    }

    fn people(&self) -> Vec<NodeNo> {
        self.of_role(Role::Person)
    }

    fn cores(&self) -> Vec<NodeNo> {
        self.of_role(Role::Core)
    }

    fn founds(&self, node: NodeNo) -> bool {
        self.plan.topics.iter().any(|topic| topic.founder == node)
    }
}
