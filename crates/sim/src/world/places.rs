//! Which machine is in which shard.
//!
//! What one machine does reaches another at the earliest after the way between them. So windows may
//! be long when machines that are close share a shard: those of one site, which may be a millisecond
//! apart, do, as long as nobody moves; people who are each behind a router of their own are spread.

use super::net::SHORTEST_US;
use crate::plan::{Act, NodeNo, Path, Plan, Role, Site};

/// Where each machine is: its shard, and its place in it.
#[derive(Debug)]
pub(crate) struct Places {
    places: Vec<(u32, u32)>,
    /// The shortest way between machines of different shards, in microseconds.
    pub(crate) apart_us: u64,
}

/// A core node has about as much to do as so many people.
const CORE_WEIGHT: u64 = 100;

impl Places {
    pub(crate) fn new(plan: &Plan, shards: usize) -> Self {
        let moves = |act: &Act| matches!(act, Act::Move { .. });
        let settled = !plan.steps.iter().any(|step| moves(&step.act));
        let site = |no: NodeNo| plan.nodes[no as usize].site;
        let count = NodeNo::try_from(plan.nodes.len()).unwrap_or(NodeNo::MAX);
        let mut groups: Vec<Vec<NodeNo>> = vec![Vec::new(); plan.sites.len()];
        let mut alone = Vec::new();
        for no in 0..count {
            if settled && !plan.sites[site(no) as usize].apart {
                groups[site(no) as usize].push(no);
            } else {
                alone.push(vec![no]);
            }
        }
        let weight = |group: &Vec<NodeNo>| -> u64 {
            let of = |no: &NodeNo| match plan.nodes[*no as usize].role {
                Role::Core => CORE_WEIGHT,
                Role::Person => 1,
            };
            group.iter().map(of).sum()
        };
        groups.retain(|group| !group.is_empty());
        groups.extend(alone);
        // The heaviest first, each to where least is: groups of one weight stay in their order.
        groups.sort_by_key(|group| std::cmp::Reverse(weight(group)));
        let mut loads = vec![0_u64; shards];
        let mut of = vec![0_u32; plan.nodes.len()];
        for group in &groups {
            let least = (0..shards).min_by_key(|shard| loads[*shard]).unwrap_or(0);
            loads[least] += weight(group);
            for no in group {
                of[*no as usize] = u32::try_from(least).unwrap_or(0);
            }
        }
        let mut next = vec![0_u32; shards];
        let places = of.into_iter().map(|shard| {
            let place = next[shard as usize];
            next[shard as usize] += 1;
            (shard, place)
        });
        Self {
            places: places.collect(),
            apart_us: apart(plan, settled),
        }
    }

    pub(crate) fn shard(&self, no: NodeNo) -> usize {
        self.places[no as usize].0 as usize
    }

    pub(crate) fn place(&self, no: NodeNo) -> usize {
        self.places[no as usize].1 as usize
    }
}

/// The shortest way that can lie between machines of different shards, whatever the weather.
fn apart(plan: &Plan, settled: bool) -> u64 {
    let weather = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Weather { inside, uplink, .. } => Some((*inside, *uplink)),
        _ => None,
    });
    let sites = plan
        .sites
        .iter()
        .map(|Site { inside, uplink, .. }| (*inside, *uplink));
    let ways = sites
        .chain(weather)
        .flat_map(|(inside, uplink): (Path, Option<Path>)| {
            // Between two sites lie two uplinks.
            let outside = uplink.map(|path| path.latency_us.saturating_mul(2));
            [(!settled).then_some(inside.latency_us), outside]
        });
    ways.flatten().min().unwrap_or(u64::MAX).max(SHORTEST_US)
}
