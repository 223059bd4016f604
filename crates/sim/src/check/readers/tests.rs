//! A public topic that Mallory reads.

use super::check;
use crate::check::fixture::{ADA, BEN, CLEO, CORE, MALLORY, Town};
use crate::check::replicas::Overview;
use crate::check::{Broken, liveness, members};
use crate::plan::{Act, Step};
use identity::SecretKey;
use wire::{Frame, Receipt, ReceiptKind, TopicFrame, TopicLink, sign_receipt};

/// All have the same, Mallory too; she is no member.
fn town() -> Town {
    let mut town = Town::new();
    town.plan.topics[0].public = true;
    town.plan.topics[0].readers = vec![MALLORY];
    town.settle(&[ADA, BEN, CLEO, CORE, MALLORY]);
    for no in [ADA, BEN, CLEO, CORE, MALLORY] {
        town.facts.add_node(town.author_key(no).node_id(), no);
    }
    town.facts
        .change_topic(0, |topic| topic.readers.insert(MALLORY));
    town
}

/// What is wrong when all nodes are looked at.
fn found(town: &Town) -> Vec<Broken> {
    let (broken, found) = town.everybody(|everybody| {
        let overview = Overview::new(everybody);
        let mut found: Vec<Broken> = check(&overview, 0).into_iter().collect();
        found.extend(liveness::check(&overview, 0));
        found.extend(members::check(&overview, 0));
        found
    });
    broken.into_iter().chain(found).collect()
}

#[test]
fn who_reads_and_has_everything_is_no_member_and_nothing_is_wrong() {
    assert_eq!(found(&town()), []);
    // Would the plan have her let in, somebody had to know of it.
    let mut town = town();
    town.plan.topics[0].readers.clear();
    town.facts.change_topic(0, |topic| {
        topic.readers.clear();
        topic.members.insert(MALLORY, 0);
    });
    let broken = found(&town);
    assert!(
        broken.iter().any(|it| it.promise == members::PROMISE),
        "{broken:?}"
    );
}

#[test]
fn a_reader_that_lacks_what_it_could_have_is_found() {
    let mut town = town();
    let said = town.say(BEN, &[]);
    for no in [ADA, BEN, CLEO, CORE] {
        town.give(no, &said);
    }
    town.links = vec![(MALLORY, ADA), (BEN, ADA), (CLEO, ADA)];
    let broken = found(&town);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].promise, liveness::PROMISE);
    assert!(broken[0].what.contains("Mallory lack 1"), "{broken:?}");
    town.links.remove(0);
    assert_eq!(found(&town), [], "she reaches nobody");
    town.links.push((MALLORY, ADA));
    town.plan.topics[0].readers.extend(5..40);
    assert_eq!(found(&town), [], "so many take turns");
    town.plan.topics[0].readers.truncate(1);
    town.facts
        .change_topic(0, |topic| topic.left.insert(MALLORY));
    assert_eq!(found(&town), [], "she reads no more");
}

#[test]
fn a_reader_that_has_never_found_what_it_looks_for_is_found() {
    let mut town = Town::settled();
    for no in [ADA, BEN, CLEO, CORE, MALLORY] {
        town.facts.add_node(town.author_key(no).node_id(), no);
    }
    town.plan.topics[0].public = true;
    town.plan.topics[0].readers = vec![MALLORY];
    let (node, topic) = (MALLORY, 0);
    let act = Act::Join { node, topic };
    town.plan.steps.push(Step { at_ms: 500, act });
    assert_eq!(found(&town), [], "nobody has told where it is");
    let way = |town: &Town, address: &str| {
        let node = town.author_key(ADA).node_id();
        let way = format!("{node}@{address}").parse().expect("an address");
        let topic = town.topic;
        let link = TopicLink {
            topic,
            at: vec![way],
        };
        link.to_text().expect("a link")
    };
    let told = way(&town, "10.0.0.1:4433");
    town.invites.tell_public(0, told);
    let broken = found(&town);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(
        broken[0]
            .what
            .contains("Mallory, who could have it from Ada")
    );
    town.reaches = false;
    assert_eq!(found(&town), [], "she reaches nobody");
    town.links = vec![(MALLORY, BEN)];
    assert_eq!(found(&town).len(), 1, "whoever is linked is asked");
    town.links.clear();
    town.reaches = true;
    let moved = way(&town, "10.0.0.77:4433");
    town.invites.tell_public(0, moved);
    assert_eq!(found(&town), [], "Ada has moved");
}

#[test]
fn an_author_of_a_reader_is_found() {
    let mut town = town();
    let first = town.first(MALLORY);
    town.give(ADA, &first);
    let broken = found(&town);
    let what = "an author of Mallory was admitted to tea, who only reads it";
    assert!(broken.iter().any(|it| it.what == what), "{broken:?}");
}

/// What is wrong with a receipt that Mallory gives Ada.
fn given(town: &Town, kind: ReceiptKind, key: &SecretKey) -> Vec<Broken> {
    let receipt = Receipt {
        topic: town.topic,
        holder: key.public(),
        counter: 1,
        kind,
        cut: Vec::new(),
        exceptions: Vec::new(),
        until: if kind == ReceiptKind::Held {
            1 << 41
        } else {
            0
        },
        time: 1,
        operator: None,
    };
    let receipts = vec![sign_receipt(receipt, key).expect("sound").get().to_raw()];
    let (topic, frame) = (town.topic, TopicFrame::Receipts { receipts });
    let frame = Frame::Topic { topic, frame }.encode();
    let mut town = self::town();
    town.frames.push((MALLORY, ADA, frame));
    let (broken, ()) = town.everybody(|_| ());
    broken
}

#[test]
fn a_reader_that_acknowledges_is_found_and_one_that_passes_on_is_not() {
    let town = town();
    let own = town.author_key(MALLORY);
    for kind in [ReceiptKind::Held, ReceiptKind::Delivered] {
        let broken = given(&town, kind, own);
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken[0].what.contains("acknowledges what it only reads"));
    }
    for (kind, no) in [(ReceiptKind::Delivered, BEN), (ReceiptKind::Held, CORE)] {
        assert_eq!(given(&town, kind, town.author_key(no)), []);
    }
}
