//! An invite, and people for whom it leads to somebody or to nobody.

use super::{CORE_BOXES, check};
use crate::check::Broken;
use crate::check::fixture::{ADA, BEN, CLEO, CORE, LOCAL, MALLORY, Town};
use crate::check::replicas::Overview;
use crate::plan::{Act, NodeNo, START_MS, Step};
use node::command::Reply;
use rights::InviteSeed;
use wire::JoinLink;

const SEED: [u8; 16] = [7; 16];

/// A town which Cleo may join and has not joined. The invite names Ada, at this address.
fn town(address: &str) -> Town {
    let mut town = Town::settled();
    for no in [ADA, BEN, CLEO, CORE, MALLORY] {
        town.facts.add_node(town.author_key(no).node_id(), no);
    }
    town.facts.change_topic(0, |topic| {
        topic.members.remove(&CLEO);
    });
    let act = Act::Join {
        node: CLEO,
        topic: 0,
    };
    town.plan.steps.push(Step { at_ms: 500, act });
    names(&mut town, ADA, address);
    town
}

/// The invite names this node alone.
fn names(town: &mut Town, no: NodeNo, address: &str) {
    let node = town.author_key(no).node_id();
    let way = format!("{node}@{address}").parse().expect("an address");
    let link = JoinLink {
        seed: SEED,
        at: vec![way],
    };
    let text = link.to_text().expect("a link");
    town.invites.tell(0, None, text);
}

fn found(town: &Town) -> Option<Broken> {
    town.everybody(|everybody| check(&Overview::new(everybody), 0))
        .1
}

#[test]
fn who_could_be_let_in_and_is_not_is_found() {
    let mut town = town("10.0.0.1:4433");
    let broken = found(&town).expect("Ada could let Cleo in");
    assert_eq!(broken.node, Some(CLEO));
    for part in ["1 of 1 who were invited to tea", "Cleo", "by Ada"] {
        assert!(broken.what.contains(part), "{part}: {broken:?}");
    }
    town.reaches = false;
    assert_eq!(found(&town), None, "nobody is reached");
    town.links = vec![(CLEO, ADA)];
    assert!(found(&town).is_some(), "there is a link");
}

#[test]
fn who_has_no_way_is_not_asked_for() {
    assert_eq!(found(&town("10.0.0.77:4433")), None, "Ada has moved");
    let mut left = town("10.0.0.1:4433");
    left.facts.change_topic(0, |topic| topic.left.insert(CLEO));
    assert_eq!(found(&left), None, "whoever left wants no more");
    left.plan.steps.clear();
    let mut early = town("10.0.0.1:4433");
    early.invites.clear();
    assert_eq!(found(&early), None, "there is no invite yet");
}

#[test]
fn an_invite_that_was_over_when_it_was_made_lets_nobody_in() {
    let mut town = town("10.0.0.1:4433");
    let stands = |town: &mut Town, expires: u64| {
        let reply = Reply::Invited {
            link: String::new(),
            topic: town.topic,
            uses: 2,
            expires,
            rights: Vec::new(),
            messages: None,
            bytes: None,
            attended: false,
        };
        town.replies = vec![(ADA, reply)];
        found(town)
    };
    assert!(stands(&mut town, START_MS + 86_400_000).is_some());
    assert_eq!(stands(&mut town, START_MS - 86_400_000), None);
}

#[test]
fn a_joiner_whose_disk_has_lost_the_topic_is_found() {
    let town = town("10.0.0.1:4433");
    town.facts.change_topic(0, |topic| {
        topic.members.insert(CLEO, 1);
    });
    assert_eq!(found(&town), None);
    let mut town = Town::new();
    town.hold(ADA);
    let act = Act::Join {
        node: BEN,
        topic: 0,
    };
    town.plan.steps.push(Step { at_ms: 500, act });
    let node = town.author_key(ADA).node_id();
    town.facts.add_node(node, ADA);
    names(&mut town, ADA, "10.0.0.1:4433");
    assert!(found(&town).is_some());
}

#[test]
fn whoever_has_the_box_lets_in_who_finds_it_there() {
    // A core node that the joiner uses, and the invite does not name.
    let mut town = town("10.0.0.77:4433");
    town.plan.nodes[CLEO as usize].uses = vec![CORE];
    town.links = vec![(CLEO, CORE)];
    assert_eq!(found(&town), None, "it has no box");
    let locator = InviteSeed::from_bytes(SEED).locator().to_vec();
    let row = (CORE_BOXES, locator.clone(), Some(vec![1]));
    town.tampered[CORE as usize].push(row);
    let broken = found(&town).expect("the core node could");
    assert!(broken.what.contains("by core"), "{broken:?}");
    town.links.clear();
    assert_eq!(found(&town), None, "nobody says where the core node is");
    // A member whom the invite names.
    names(&mut town, BEN, "10.0.0.2:4433");
    assert_eq!(found(&town), None, "Ben has no box");
    town.tamper(BEN, topic::rows::TOPIC, &LOCAL.to_be_bytes(), None);
    town.tampered[BEN as usize].push((topic::rows::BOX, locator, Some(vec![1])));
    assert!(found(&town).is_some());
}
