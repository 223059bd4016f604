mod ranges;

use super::*;
use crate::plan::{Act, Right, Role};
use std::collections::BTreeSet;

const SMALL: &str = r#"
length = "2h"
[[site]]
name = "home"
inside = { latency = "1ms" }
[[core]]
name = "core"
site = "home"
[[people]]
name = "ana"
site = "home"
cores = "core"
[[people]]
name = "friend"
count = 5
site = "home"
online = "50%"
sessions = 48
[[topic]]
name = "chat"
founder = "ana"
members = ["friend"]
[[messages]]
per-day = 240
"#;

fn wrong(text: &str) -> Vec<String> {
    let mistakes = Scenario::read(text, "x").expect_err("it is wrong");
    mistakes.iter().map(ToString::to_string).collect()
}

/// Everything that a world may rely on.
fn check_plan(plan: &Plan) {
    let nodes = plan.nodes.len();
    let names: BTreeSet<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), nodes, "every node has a name of its own");
    for node in &plan.nodes {
        assert!((node.site as usize) < plan.sites.len());
        let core = |no: &u32| plan.nodes[*no as usize].role == Role::Core;
        assert!(node.uses.iter().all(core));
        assert!(node.role == Role::Person || node.starts_ms == 0);
        assert!(!node.trust_clock || (node.skew_ms == 0 && node.drift_ppm == 0));
    }
    for topic in &plan.topics {
        assert_eq!(
            plan.nodes[topic.founder as usize].starts_ms, 0,
            "{}",
            topic.name
        );
        assert!(!topic.members.contains(&topic.founder));
        let members: BTreeSet<&u32> = topic.members.iter().collect();
        assert_eq!(members.len(), topic.members.len());
    }
    assert!(plan.steps.is_sorted_by_key(|step| step.at_ms));
    let mut joined = BTreeSet::new();
    for step in &plan.steps {
        assert!(step.at_ms < plan.length_ms);
        match &step.act {
            Act::Join { node, topic } => {
                let of = &plan.topics[*topic as usize];
                assert!(of.members.contains(node) || of.readers.contains(node));
                joined.insert((*node, *topic));
            }
            Act::Send { node, topic, .. } => {
                let founder = plan.topics[*topic as usize].founder == *node;
                assert!(
                    founder || joined.contains(&(*node, *topic)),
                    "it has joined"
                );
            }
            _ => {}
        }
    }
    let come = |topic: &crate::plan::TopicPlan| topic.members.len() + topic.readers.len();
    let invited: usize = plan.topics.iter().map(come).sum();
    assert_eq!(joined.len(), invited, "everybody joins");
}

#[test]
fn a_plan_is_made_of_a_scenario() {
    let scenario = Scenario::read(SMALL, "small").unwrap();
    let plan = scenario.plan(1).unwrap();
    check_plan(&plan);
    assert_eq!(plan.nodes.len(), 7);
    assert_eq!(plan.nodes[1].name, "ana");
    assert_eq!(plan.nodes[2].name, "friend-1");
    assert_eq!(plan.topics[0].members.len(), 5);
    let sent = plan
        .steps
        .iter()
        .filter(|step| matches!(step.act, Act::Send { .. }));
    // Six people, 20 in two hours, minus what falls before the joins.
    assert!((60..=130).contains(&sent.count()));
}

#[test]
fn every_ready_scenario_can_be_read_and_planned() {
    for (name, about, text) in ready() {
        let scenario = Scenario::read(text, name).unwrap_or_else(|mistakes| {
            let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            panic!("{name}: {all:#?}");
        });
        assert_eq!(
            scenario.about(),
            *about,
            "{name} is listed as it says itself"
        );
        if *name == "city" {
            continue;
        }
        let plan = scenario.plan(7).unwrap();
        check_plan(&plan);
        assert_eq!(plan, scenario.plan(7).unwrap(), "{name}");
        assert_ne!(plan, scenario.plan(8).unwrap(), "{name}");
    }
}

#[test]
fn the_city_comes_in_three_sizes() {
    let (_, _, text) = ready().iter().find(|(name, ..)| *name == "city").unwrap();
    let city = Scenario::read(text, "city").unwrap();
    for (nodes, cores, topics) in [(100, 1, 10), (1_000, 5, 100), (10_000, 50, 1_000)] {
        let plan = city.plan_scaled(3, nodes).unwrap();
        check_plan(&plan);
        assert_eq!(plan.nodes.len(), nodes as usize);
        let of_core = plan.nodes.iter().filter(|node| node.role == Role::Core);
        assert_eq!(of_core.count(), cores);
        assert_eq!(plan.topics.len(), topics);
        let mut memberships = vec![0; plan.nodes.len()];
        for topic in &plan.topics {
            for member in topic.members.iter().chain([&topic.founder]) {
                memberships[*member as usize] += 1;
            }
        }
        assert!(
            memberships.iter().all(|count| *count <= 4),
            "about three each"
        );
        let sent = plan
            .steps
            .iter()
            .filter(|step| matches!(step.act, Act::Send { .. }));
        let each = sent.count() * 10 / (nodes as usize - cores);
        assert!(
            (180..=210).contains(&each),
            "{each} tenths of a message each"
        );
    }
    assert_eq!(city.plan(3).unwrap(), city.plan_scaled(3, 10_000).unwrap());
    assert!(
        city.plan_scaled(3, 3)
            .unwrap_err()
            .to_string()
            .contains("too few")
    );
}

#[test]
fn people_are_online_as_long_as_it_says() {
    let (_, _, text) = ready().iter().find(|(name, ..)| *name == "city").unwrap();
    let plan = Scenario::read(text, "city")
        .unwrap()
        .plan_scaled(5, 300)
        .unwrap();
    let mut online: u64 = 0;
    let mut since: Vec<u64> = plan.nodes.iter().map(|node| node.starts_ms).collect();
    let people = plan
        .nodes
        .iter()
        .filter(|node| node.role == Role::Person)
        .count() as u64;
    for step in &plan.steps {
        match step.act {
            Act::Back { node } => since[node as usize] = since[node as usize].min(step.at_ms),
            Act::Away { node } => {
                online += step.at_ms - since[node as usize];
                since[node as usize] = u64::MAX;
            }
            _ => {}
        }
    }
    let percent = online * 100 / (people * plan.length_ms);
    assert!((27..=31).contains(&percent), "{percent} %");
}

#[test]
fn a_fault_changes_nothing_of_what_people_do() {
    let before = Scenario::read(SMALL, "small").unwrap().plan(1).unwrap();
    let text = format!("{SMALL}\n[[crash]]\nwho = \"friend\"\nper-day = 24\n");
    let after = Scenario::read(&text, "small").unwrap().plan(1).unwrap();
    let people = |plan: &Plan| -> Vec<(u64, Act)> {
        let steps = plan.steps.iter().filter(|step| {
            matches!(
                step.act,
                Act::Send { .. } | Act::Join { .. } | Act::Away { .. }
            )
        });
        steps.map(|step| (step.at_ms, step.act.clone())).collect()
    };
    assert_eq!(people(&before), people(&after));
    assert!(after.steps.iter().any(|step| step.act.is_fault()));
}

#[test]
fn mistakes_are_told_with_their_line_and_a_suggestion() {
    let text = SMALL
        .replace("latency = \"1ms\"", "latncy = \"1ms\"")
        .replace("count = 5", "count = 0")
        .replace("cores = \"core\"", "cores = \"core\"\nreads-after = 5");
    assert_eq!(
        wrong(&text),
        [
            "line 5: unknown key `latncy` in `inside`; did you mean `latency`?",
            "line 13: `5` is impossible for `reads-after` in [[people]]; expected: a length of \
             time needs a unit: \"5s\", \"5ms\"",
            "line 16: `0` is impossible for `count` in [[people]]; expected: at least 1",
        ]
    );
}

#[test]
fn references_to_nothing_are_refused() {
    let text = SMALL
        .replace("founder = \"ana\"", "founder = \"anna\"")
        .replace("[\"friend\"]", "[\"friend\", \"friend-9\"]")
        .replace("cores = \"core\"", "cores = [\n\"cor\"]");
    assert_eq!(
        wrong(&text),
        [
            "line 13: there is no core node `cor`; did you mean `core`?",
            "line 22: there is no person or group `anna`; did you mean `ana`?",
            "line 23: there is no person or group `friend-9`; did you mean `friend-1`?",
        ]
    );
}

#[test]
fn what_cannot_be_is_refused() {
    for (from, to, line, said) in [
        ("length = \"2h\"", "length = \"0s\"", 2, "at least \"1s\""),
        ("length = \"2h\"", "", 1, "`length` is missing"),
        ("\"ana\"\nsite", "\"friend\"\nsite", 14, "there twice"),
        (
            "\"ana\"\nsite",
            "\"core\"\nsite",
            10,
            "means something else",
        ),
        ("per-day = 240", "", 23, "`per-day = 20` or `every"),
        (
            "per-day = 240",
            "per-day = 240\nbytes = \"1MB\"",
            25,
            "at most 60000",
        ),
        (
            "online = \"50%\"",
            "online = \"150%\"",
            17,
            "at most \"100%\"",
        ),
        ("online = \"50%\"", "online = \"9-5\"", 17, "08:30"),
        ("count = 5", "count = 5_000_000", 15, "at most"),
        (
            "members = [\"friend\"]",
            "members = 3",
            22,
            "a name in quotes",
        ),
        (
            "site = \"home\"",
            "site = \"home\"\nsite = \"hall\"",
            9,
            "duplicate key",
        ),
        ("[[messages]]", "[messages]", 23, "two brackets"),
        (
            "[[messages]]",
            "[[mesages]]",
            23,
            "did you mean `messages`?",
        ),
        (
            "inside",
            "open = true\ninside",
            3,
            "`open` without `uplink`",
        ),
    ] {
        let text = SMALL.replacen(from, to, 1);
        let mistakes = wrong(&text);
        let fits = |mistake: &String| {
            mistake.starts_with(&format!("line {line}: ")) && mistake.contains(said)
        };
        assert!(mistakes.iter().any(fits), "{to}: {mistakes:#?}");
    }
}

#[test]
fn trouble_is_read_and_refused_as_well() {
    for (table, said) in [
        (
            "[[crash]]\nwho = \"friends\"\nat = \"1h\"",
            "did you mean `friend`?",
        ),
        ("[[crash]]\nwho = \"friend\"", "when it happens is missing"),
        (
            "[[liar]]\nwho = \"friend\"\nkinds = [\"forks\"]",
            "did you mean `fork`?",
        ),
        ("[[clock]]\nwho = \"core\"", "the clock is right"),
        (
            "[[weather]]\nsite = \"home\"\nat = \"1h\"",
            "nothing changes",
        ),
        (
            "[[weather]]\nsite = \"home\"\nat = \"1h\"\nuplink = \"nothing\"",
            "a table in braces",
        ),
        (
            "[[tear]]\nbetween = \"ana\"\nat = \"1h\"",
            "does not name two",
        ),
        (
            "[[cut]]\nfrom = \"hme\"\nat = \"1h\"",
            "did you mean `home`?",
        ),
        (
            "[[travel]]\nwho = \"ana\"\nstops = []",
            "there are no stops",
        ),
        ("[[disk]]\nwho = \"ana\"\nat = \"1h\"", "`bytes` is missing"),
    ] {
        let mistakes = wrong(&format!("{SMALL}\n{table}\n"));
        assert!(
            mistakes.iter().all(|text| text.starts_with("line 2")),
            "{mistakes:#?}"
        );
        assert!(
            mistakes.iter().any(|text| text.contains(said)),
            "{said}: {mistakes:#?}"
        );
    }
}

#[test]
fn readers_come_to_what_is_public_and_are_no_members() {
    let text = SMALL.replace(
        "members = [\"friend\"]",
        "members = [\"friend-1\", \"friend-2\"]\npublic = true\nreaders = \"people\"",
    );
    let plan = Scenario::read(&text, "x").unwrap().plan(1).unwrap();
    check_plan(&plan);
    let topic = &plan.topics[0];
    let names = |of: &[u32]| -> Vec<&str> {
        let names = of.iter().map(|no| plan.nodes[*no as usize].name.as_str());
        names.collect()
    };
    // Whoever is let in reads as a member.
    assert_eq!(names(&topic.readers), ["friend-3", "friend-4", "friend-5"]);
    assert_eq!(topic.members.len(), 2);
    for no in &topic.readers {
        let steps = plan.steps.iter().filter(|step| match &step.act {
            Act::Send { node, .. } | Act::Join { node, .. } => node == no,
            _ => false,
        });
        let acts: Vec<&Act> = steps.map(|step| &step.act).collect();
        assert!(matches!(acts[..], [Act::Join { topic: 0, .. }]), "{acts:?}");
    }
    let private = wrong(&text.replace("public = true\n", ""));
    assert!(
        private[0].contains("`readers` of what is not public"),
        "{private:?}"
    );
}

#[test]
fn what_only_the_plan_shows_is_refused_with_its_line() {
    let plan = |text: &str| Scenario::read(text, "x").unwrap().plan(1).unwrap_err();
    let many = SMALL.replace("members = [\"friend\"]", "members = [\"friend\"]\nsize = 9");
    assert_eq!(plan(&many).line, Some(19));
    let leave = "[[leave]]\nwho = \"friend\"\ntopic = \"other\"\nat = \"1h\"";
    let other = "[[topic]]\nname = \"other\"\nmembers = \"ana\"";
    let refused = plan(&format!("{SMALL}\n{leave}\n{other}\n"));
    assert!(
        refused
            .to_string()
            .contains("`friend-1` is no member of `other`"),
        "{refused}"
    );
    let gift = "[[grant]]\nwho = \"friend\"\nto = \"ana\"\ntopic = \"other\"\nat = \"1h\"";
    let refused = plan(&format!("{SMALL}\n{gift}\nrights = \"read\"\n{other}\n"));
    assert!(
        refused
            .what
            .contains("no two of these are members of `other`"),
        "{refused}"
    );
    let swapped = "[[backup]]\nwho = \"ana\"\nat = \"1h\"\nrestored = \"30m\"";
    assert!(
        plan(&format!("{SMALL}\n{swapped}\n"))
            .what
            .contains("before it is made")
    );
    let endless = SMALL.replace("per-day = 240", "every = \"1ms\"");
    assert!(plan(&endless).what.contains("too many steps"));
}

#[test]
fn rights_are_given_and_taken_by_members_in_each_topic() {
    let text = r#"
[[grant]]
who = "ana"
to = ["friend-1", "friend-2", "ana"]
topic = "chat"
at = "30m"
rights = ["admit", "read"]
per-minute = 60
[[revoke]]
who = "ana"
from = "friend-1"
topic = "chat"
at = "1h"
cascade = true
"#;
    let scenario = Scenario::read(&format!("{SMALL}{text}"), "x").expect("it is right");
    let plan = scenario.plan(1).expect("it is right");
    let no = |name: &str| {
        let at = plan.nodes.iter().position(|node| node.name == name);
        u32::try_from(at.expect("it is there")).expect("few")
    };
    let acts = plan.steps.iter().map(|step| step.act.clone());
    let about = |act: &Act| matches!(act, Act::Grant { .. } | Act::Revoke { .. });
    let (node, topic) = (no("ana"), 0);
    let grant = |to: &str| Act::Grant {
        node,
        topic,
        to: no(to),
        rights: vec![Right::Read, Right::Admit],
        per_minute: 60,
    };
    let revoke = Act::Revoke {
        node,
        topic,
        whom: no("friend-1"),
        rights: Vec::new(),
        cascade: true,
    };
    assert_eq!(
        acts.filter(about).collect::<Vec<_>>(),
        [grant("friend-1"), grant("friend-2"), revoke]
    );
}

const TROUBLE: &str = r#"
[[torn]]
who = "friend-1"
at = "30m"
[[failed-commit]]
who = "friend-2"
per-day = 100
[[disk]]
who = "core"
at = "30m"
bytes = "1MiB"
[[backup]]
who = "ana"
at = "20m"
restored = "40m"
[[clone]]
who = ["friend-3", "friend-4"]
at = "50m"
noticed = false
[[clock]]
who = "friend-5"
skew = "-3h"
until = "1h"
[[cut]]
from = "ana"
to = "friend"
at = ["10m", "20m"]
[[tear]]
between = ["ana", "core"]
per-day = 48
[[weather]]
site = "home"
at = "1h"
until = "90m"
inside = { loss = "20%" }
[[travel]]
who = "friend-1"
takes = "5m"
stops = [{ at = "1h", to = "home" }]
[[liar]]
who = "friend-2"
kinds = ["fork", "garble"]
"#;

#[test]
fn every_kind_of_trouble_becomes_a_step() {
    let plan = Scenario::read(&format!("{SMALL}{TROUBLE}"), "x")
        .unwrap()
        .plan(1)
        .unwrap();
    check_plan(&plan);
    let has = |wanted: fn(&Act) -> bool| plan.steps.iter().any(|step| wanted(&step.act));
    assert!(has(|act| matches!(act, Act::TearTail { .. })));
    assert!(has(|act| matches!(act, Act::FailCommit { .. })));
    assert!(has(|act| matches!(
        act,
        Act::Disk {
            bytes: 1_048_576,
            ..
        }
    )));
    assert!(has(|act| matches!(act, Act::Disk { bytes: 0, .. })));
    assert!(has(|act| matches!(act, Act::Backup { node: 1 })));
    assert!(has(|act| matches!(
        act,
        Act::Restore {
            node: 1,
            noticed: true
        }
    )));
    assert!(has(|act| matches!(act, Act::Clone { noticed: false, .. })));
    assert!(has(|act| matches!(act, Act::Clock { skew_ms: 0, .. })));
    assert!(has(|act| matches!(act, Act::Mend { .. })));
    assert!(has(|act| matches!(act, Act::Tear { a: 1, b: 0 })));
    assert!(has(|act| matches!(act, Act::Weather { .. })));
    assert!(has(|act| matches!(act, Act::Move { node: 2, site: 0 })));
    assert_eq!(plan.nodes[3].lies.len(), 2);
    assert_eq!(plan.nodes[6].skew_ms, -10_800_000);
    assert_eq!(plan.nodes[7].twin_of, Some(4));
    assert_eq!(plan.nodes.len(), 9);
    let text = toml::to_string(&plan).unwrap();
    let read: Plan = toml::from_str(&text).unwrap();
    assert_eq!(plan, read);
}
