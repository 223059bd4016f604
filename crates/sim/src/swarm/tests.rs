use super::*;
use crate::plan::{LieKind, Place};
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: u64 = 200;

fn median(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of[of.len() / 2]
}

fn written(plan: &Plan) -> u64 {
    let count = |step: &Step| match step.act {
        Act::Send { count, .. } => u64::from(count),
        Act::Mail { .. } => 1,
        _ => 0,
    };
    plan.steps.iter().map(count).sum()
}

/// The word under which an act is written.
fn word(act: &Act) -> String {
    let shown = format!("{act:?}");
    shown
        .split([' ', '{'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The nodes, topics and sites that an act names exist.
fn names(plan: &Plan, act: &Act) {
    let node = |no: NodeNo| assert!((no as usize) < plan.nodes.len());
    let place = |place: Place| match place {
        Place::Node(no) => node(no),
        Place::Site(no) => assert!((no as usize) < plan.sites.len()),
    };
    match *act {
        Act::Join { node: no, topic } => {
            let topic = &plan.topics[topic as usize];
            assert!(topic.members.contains(&no) || topic.readers.contains(&no));
        }
        Act::Send {
            node: no, topic, ..
        }
        | Act::Leave { node: no, topic } => {
            let topic = &plan.topics[topic as usize];
            let no = plan.nodes[no as usize].device_of.unwrap_or(no);
            let comes = topic.members.contains(&no) || topic.readers.contains(&no);
            assert!(topic.founder == no || comes);
        }
        Act::Mail { node: no, to, .. } => {
            assert_ne!(no, to);
            node(no.max(to));
        }
        Act::Grant {
            node: no,
            topic,
            to: other,
            ..
        }
        | Act::Revoke {
            node: no,
            topic,
            whom: other,
            ..
        } => {
            let topic = &plan.topics[topic as usize];
            for no in [no, other] {
                assert!(topic.founder == no || topic.members.contains(&no));
            }
        }
        Act::Pair { node: no, device } | Act::Unpair { node: no, device } => {
            assert_eq!(plan.nodes[device as usize].device_of, Some(no));
        }
        Act::UseCore { node: no, core } | Act::LeaveCore { node: no, core } => {
            node(no);
            assert_eq!(plan.nodes[core as usize].role, Role::Core);
        }
        Act::Clone { node: no, twin, .. } => {
            assert_eq!(plan.nodes[twin as usize].twin_of, Some(no));
        }
        Act::Cut { from, to, .. } | Act::Mend { from, to } => {
            place(from);
            place(to);
        }
        Act::Move { node: no, site } => {
            node(no);
            place(Place::Site(site));
        }
        Act::Weather { site, .. } => place(Place::Site(site)),
        Act::Raid { node: no, on, .. } => {
            assert_ne!(no, on);
            node(no.max(on));
        }
        Act::Tear { a, b } => {
            assert_ne!(a, b);
            node(a.max(b));
        }
        Act::Away { node: no }
        | Act::Back { node: no }
        | Act::Crash { node: no, .. }
        | Act::FailCommit { node: no }
        | Act::TearTail { node: no, .. }
        | Act::Backup { node: no }
        | Act::Restore { node: no, .. }
        | Act::Clock { node: no, .. }
        | Act::Disk { node: no, .. } => node(no),
    }
}

/// What the steps of a plan leave behind at the end.
#[derive(Default)]
struct End {
    down: BTreeSet<NodeNo>,
    cuts: BTreeSet<String>,
    disks: BTreeMap<NodeNo, u64>,
    sites: BTreeMap<NodeNo, u32>,
    wrong_clocks: BTreeSet<NodeNo>,
    twins: BTreeSet<NodeNo>,
}

fn end(plan: &Plan) -> End {
    let mut end = End::default();
    for step in &plan.steps {
        match step.act {
            Act::Away { node }
            | Act::Crash { node, .. }
            | Act::FailCommit { node }
            | Act::TearTail { node, .. }
            | Act::Restore { node, .. } => {
                end.down.insert(node);
            }
            Act::Back { node } => {
                end.down.remove(&node);
            }
            Act::Cut { from, to, .. } => {
                end.cuts.insert(format!("{from:?} {to:?}"));
            }
            Act::Mend { from, to } => {
                end.cuts.remove(&format!("{from:?} {to:?}"));
            }
            Act::Disk { node, bytes } => {
                end.disks.insert(node, bytes);
            }
            Act::Move { node, site } => {
                end.sites.insert(node, site);
            }
            Act::Clock { node, .. } => {
                end.wrong_clocks.insert(node);
            }
            Act::Clone { twin, .. } => {
                end.twins.insert(twin);
            }
            _ => {}
        }
    }
    end
}

/// Whether a world ends with a few who have all the time to come to know the same: nothing happens
/// for so long, and who has gone away said so.
fn ends_apart(plan: &Plan) -> bool {
    let last = plan.steps.last().map_or(0, |step| step.at_ms);
    let mut away = BTreeMap::new();
    for step in &plan.steps {
        match step.act {
            Act::Away { node } => away.insert(node, true),
            Act::Back { node } | Act::Crash { node, .. } => away.insert(node, false),
            _ => None,
        };
    }
    let goodbye = end(plan)
        .down
        .iter()
        .all(|node| away.get(node) == Some(&true));
    goodbye && plan.length_ms - last >= 2 * HOUR
}

/// The rules that the module states.
fn check(plan: &Plan) {
    let end = end(plan);
    let (name, down) = (&plan.name, &end.down);
    assert!(
        down.is_empty() || ends_apart(plan),
        "{name}: {down:?} stay away"
    );
    assert!(
        end.cuts.is_empty(),
        "{}: {:?} stay cut",
        plan.name,
        end.cuts
    );
    assert!(end.disks.values().all(|bytes| *bytes == 0), "{}", plan.name);
    let (mut liars, mut people) = (0, 0);
    for (no, node) in (0u32..).zip(&plan.nodes) {
        assert!((node.site as usize) < plan.sites.len());
        let wrong = node.skew_ms != 0 || node.drift_ppm != 0 || end.wrong_clocks.contains(&no);
        assert!(!(wrong && node.trust_clock), "{}: {}", plan.name, node.name);
        assert_eq!(
            node.twin_of.is_some(),
            end.twins.contains(&no),
            "{}",
            node.name
        );
        assert!(node.disk == 0 || end.disks.contains_key(&no));
        assert!(node.role == Role::Person || node.starts_ms == 0);
        if node.role == Role::Person && node.twin_of.is_none() {
            people += 1;
            liars += usize::from(!node.is_honest());
        }
        let honest = |core: &NodeNo| plan.nodes[*core as usize].is_honest();
        assert!(node.uses.is_empty() || node.uses.iter().any(honest));
    }
    assert!(
        liars * 3 <= people,
        "{}: {liars} of {people} lie",
        plan.name
    );
    for topic in &plan.topics {
        let founder = &plan.nodes[topic.founder as usize];
        assert!(founder.is_honest() && founder.starts_ms == 0);
        assert!(!topic.members.is_empty());
        let open = plan.sites[founder.site as usize].open;
        let shares = |no: &NodeNo| plan.nodes[*no as usize].site == founder.site;
        let reached = open || !founder.uses.is_empty() || topic.members.iter().all(shares);
        assert!(reached, "{}: {}", plan.name, topic.name);
    }
    assert!(plan.steps.is_sorted_by_key(|step| step.at_ms));
    for step in &plan.steps {
        assert!(step.at_ms < plan.length_ms);
        names(plan, &step.act);
    }
}

/// At the end members share a site, are in the open, or both have a way out and a core node between
/// them; on islands, whoever still has none has been visited.
fn check_reach(plan: &Plan) {
    let ends = end(plan).sites;
    let at = |no: NodeNo| {
        ends.get(&no)
            .copied()
            .unwrap_or(plan.nodes[no as usize].site)
    };
    let mut out: Vec<bool> = plan
        .sites
        .iter()
        .map(|site| site.uplink.is_some())
        .collect();
    for step in &plan.steps {
        if let Act::Weather { site, uplink, .. } = step.act {
            out[site as usize] = uplink.is_some();
        }
    }
    let islands = plan.sites[0].name.starts_with("island");
    let served = |no: NodeNo| !plan.nodes[no as usize].uses.is_empty();
    for topic in &plan.topics {
        for member in topic.members.iter().chain(&topic.readers) {
            let (here, there) = (at(*member), at(topic.founder));
            let both_out = out[here as usize] && out[there as usize];
            let open = plan.sites[here as usize].open || plan.sites[there as usize].open;
            let through = served(topic.founder) || served(*member);
            let reaches = here == there || (both_out && (open || through));
            assert!(
                reaches || islands,
                "{}: {member} in {}",
                plan.name,
                topic.name
            );
        }
    }
}

#[test]
fn the_median_world_is_large_enough_and_every_world_keeps_the_rules() {
    let plans: Vec<Plan> = (0..SEEDS).map(plan).collect();
    for plan in &plans {
        check(plan);
        check_reach(plan);
        assert!(plan.nodes.len() <= 20, "{}", plan.nodes.len());
        assert!(written(plan) <= 900, "{}", written(plan));
    }
    let nodes = median(plans.iter().map(|plan| plan.nodes.len() as u64).collect());
    assert!(nodes >= 8, "{nodes} nodes");
    let messages = median(plans.iter().map(written).collect());
    assert!((200..=450).contains(&messages), "{messages} messages");
    let faults = |plan: &Plan| plan.steps.iter().filter(|step| step.act.is_fault()).count() as u64;
    let faults = median(plans.iter().map(faults).collect());
    assert!(faults >= 3, "{faults} faults");
    let length = median(plans.iter().map(|plan| plan.length_ms).collect());
    assert!((5 * MINUTE..2 * HOUR).contains(&length), "{length} ms");
    let long = plans.iter().filter(|plan| plan.length_ms > 3 * HOUR);
    assert!(long.count() >= 10);
}

#[test]
fn everything_that_can_happen_happens_in_a_good_share_of_worlds() {
    let mut acts: BTreeMap<String, u64> = BTreeMap::new();
    let mut lies: BTreeMap<LieKind, u64> = BTreeMap::new();
    let (mut public, mut read) = (0, 0);
    for seed in 0..SEEDS {
        let plan = plan(seed);
        public += u64::from(plan.topics.iter().any(|topic| topic.public));
        read += u64::from(plan.topics.iter().any(|topic| !topic.readers.is_empty()));
        let of: BTreeSet<String> = plan.steps.iter().map(|step| word(&step.act)).collect();
        for act in of {
            *acts.entry(act).or_default() += 1;
        }
        let told = plan.nodes.iter().flat_map(|node| &node.lies);
        let told: BTreeSet<LieKind> = told.map(|lie| lie.kind).collect();
        for lie in told {
            *lies.entry(lie).or_default() += 1;
        }
    }
    assert_eq!(acts.len(), 25, "{acts:?}");
    assert!(
        acts.values().all(|worlds| *worlds >= SEEDS / 10),
        "{acts:?}"
    );
    assert!(public >= SEEDS / 10, "{public}");
    assert!(read >= SEEDS / 10, "{read} are read");
    assert_eq!(lies.len(), 15, "{lies:?}");
    assert!(
        lies.values().all(|worlds| *worlds >= SEEDS / 20),
        "{lies:?}"
    );
}

#[test]
fn a_world_is_a_function_of_its_seed_and_survives_being_written_down() {
    for seed in [0, 1, 41, u64::MAX] {
        let first = plan(seed);
        assert_eq!(first, plan(seed));
        assert_ne!(first.steps, plan(seed.wrapping_add(1)).steps);
        let text = toml::to_string(&first).unwrap();
        let read: Plan = toml::from_str(&text).unwrap();
        assert_eq!(first, read);
    }
}

/// The last who comes back uses no core node of the last who wrote, and most are away at the end.
#[test]
fn in_about_one_world_in_ten_people_are_never_there_together() {
    let plans: Vec<Plan> = (0..SEEDS).map(plan).collect();
    let apart: Vec<&Plan> = plans
        .iter()
        .filter(|plan| !end(plan).down.is_empty())
        .collect();
    assert!((14..=30).contains(&apart.len()), "{}", apart.len());
    let mut after = 0;
    for plan in &apart {
        let last = |is: &dyn Fn(&Act) -> Option<NodeNo>| {
            let steps = plan.steps.iter().rev();
            let found = steps.filter_map(|step| Some((step.at_ms, is(&step.act)?)));
            found.take(1).next().expect("there is one")
        };
        let (wrote, writer) = last(&|act| match act {
            Act::Send { node, .. } => Some(*node),
            _ => None,
        });
        let (_, reader) = last(&|act| match act {
            Act::Back { node } => Some(*node),
            _ => None,
        });
        let uses = |no: NodeNo| &plan.nodes[no as usize].uses;
        assert!(uses(writer).iter().all(|core| !uses(reader).contains(core)));
        // All core nodes have started again by themselves.
        let is_core = |no: NodeNo| plan.nodes[no as usize].role == Role::Core;
        let began = |step: &&Step| {
            let starts = matches!(step.act, Act::Back { node } if is_core(node));
            starts && step.at_ms >= wrote - 30 * MINUTE
        };
        let starts = plan.steps.iter().filter(began);
        let starts: Vec<u64> = starts.map(|step| step.at_ms).collect();
        let cores = plan.nodes.iter().filter(|node| node.role == Role::Core);
        assert_eq!(starts.len(), cores.count(), "{}", plan.name);
        assert!(starts.len() >= 2);
        after += usize::from(starts.iter().all(|at| *at < wrote));
        let people = plan.nodes.iter().filter(|node| node.role == Role::Person);
        let down = end(plan).down;
        let away = down
            .iter()
            .filter(|no| plan.nodes[**no as usize].role == Role::Person);
        assert_eq!(away.count() + 1, people.count(), "{}", plan.name);
    }
    assert!((3..apart.len() - 3).contains(&after), "{after} write after");
}
