//! Each checker with a truth and with a lie.

use super::facts::Message;
use super::fixture::{ADA, BEN, CLEO, CORE, LOCAL, MALLORY, Town, id_of};
use super::replicas::Overview;
use super::{Broken, Everybody, Watch, agreement, graph, liveness, members, messages, rights};
use crate::disk::{Disk, Pool};
use crate::plan::{Act, NodeNo, Step};
use identity::TopicId;
use lace::rows;
use machine::Batch;
use node::command::{Line, LineKind, MessageId, Reply};
use std::sync::Arc;
use wire::{Frame, Range, TopicFrame};

fn all(everybody: &Everybody<'_>) -> Vec<Broken> {
    super::converged(everybody)
        .into_iter()
        .chain(super::meanwhile(everybody))
        .collect()
}

fn promises(broken: &[Broken]) -> Vec<&'static str> {
    let mut promises: Vec<_> = broken.iter().map(|broken| broken.promise).collect();
    promises.dedup();
    promises
}

#[test]
fn a_town_in_which_all_is_well() {
    let town = Town::settled();
    let (before, broken) = town.everybody(all);
    assert_eq!(before, []);
    assert_eq!(broken, []);
}

/// Ben forks; what others had built upon stands, and everybody has heard of it.
fn forked() -> Town {
    let mut town = Town::settled();
    let one = town.say_after(BEN, None, &[], "one");
    let two = town.say_after(BEN, None, &[], "two");
    let three = town.say_after(BEN, Some(&two), &[], "three");
    for envelope in [&one, &two, &three] {
        town.give_all(envelope);
    }
    let answer = town.say(CLEO, &[&two]);
    town.give_all(&answer);
    town
}

#[test]
fn a_fork_of_a_liar_is_as_the_model_has_it() {
    let town = forked();
    town.facts.taint(BEN);
    let (before, broken) = town.everybody(all);
    assert_eq!((before, broken), (Vec::new(), Vec::new()));
}

#[test]
fn a_fork_of_an_honest_node_breaks_a_promise() {
    let town = forked();
    let (before, broken) = town.everybody(all);
    // Whoever commits evidence after the author is known.
    assert!(!before.is_empty());
    assert_eq!(promises(&before), [members::PROMISE]);
    assert_eq!(promises(&broken), [members::PROMISE]);
}

#[test]
fn replicas_that_call_different_sets_effective_are_found() {
    let mut town = forked();
    town.facts.taint(BEN);
    // Cleo forgets that something stands.
    let stands = town.run(CLEO, |_, store| {
        let all = store.prefix(rows::STANDS, &LOCAL.to_be_bytes(), 10);
        all.first().expect("something stands").0.clone()
    });
    town.tamper(CLEO, rows::STANDS, &stands[4..], None);
    let (_, broken) = town.everybody(|everybody| {
        let overview = Overview::new(everybody);
        agreement::compare(&overview, 0)
    });
    assert_eq!(promises(&broken), [agreement::PROMISE]);
    let (_, broken) = town.everybody(|everybody| {
        let overview = Overview::new(everybody);
        graph::check(&overview, 0)
    });
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].node, Some(CLEO));
}

/// Ada takes from Ben and Cleo, who came by one invite, what it gave, and leaves what they wrote until
/// then. Ben writes once more, on what was left and beside it.
fn revoked(taken: &[wire::Right]) -> Town {
    let mut town = Town::settled();
    let ben = town.say(BEN, &[]);
    let cleo = town.say(CLEO, &[&ben]);
    let late = town.say_after(BEN, None, &[], "late");
    let old = town.say_after(BEN, Some(&ben), &[], "on an old number");
    for envelope in [&ben, &cleo] {
        town.give_all(envelope);
    }
    let end = town.revoke(taken, &[&ben, &cleo]);
    for envelope in [&end, &late, &old] {
        town.give_all(envelope);
    }
    // What Ben wrote twice is his own fault.
    town.facts.taint(BEN);
    town
}

/// The plan has it that Ada takes something from Ben and from Cleo.
fn planned(mut town: Town, whom: &[NodeNo]) -> Town {
    for (step, whom) in (0..).zip(whom.iter().copied()) {
        let act = Act::Revoke {
            node: ADA,
            topic: 0,
            whom,
            rights: Vec::new(),
            cascade: false,
        };
        town.plan.steps.push(Step { at_ms: 1, act });
        town.facts
            .change_topic(0, |topic| topic.rights.insert(step));
    }
    town
}

#[test]
fn what_is_left_of_whom_something_was_taken_from_is_as_the_models_have_it() {
    for taken in [&[][..], &[wire::Right::Publish], &[wire::Right::Read]] {
        let town = planned(revoked(taken), &[BEN, CLEO]);
        let (before, broken) = town.everybody(all);
        assert_eq!((before, broken), (Vec::new(), Vec::new()), "{taken:?}");
    }
}

#[test]
fn who_lost_a_right_that_nobody_took_is_found() {
    let town = planned(revoked(&[]), &[BEN]);
    let check = |everybody: &Everybody<'_>| members::check(&Overview::new(everybody), 0);
    let broken = town.everybody(check).1;
    assert_eq!(promises(&broken), [members::PROMISE]);
    assert!(broken[0].what.contains("Cleo has lost"), "{broken:?}");
    let town = planned(revoked(&[wire::Right::Admit]), &[BEN]);
    assert_eq!(town.everybody(check).1, [], "they had no such right");
}

#[test]
fn what_stands_though_it_was_cut_off_is_found() {
    let mut town = planned(revoked(&[]), &[BEN, CLEO]);
    // Ada answers what is void, so that it is kept; Cleo has it that it stands.
    let late = town.say_after(BEN, None, &[], "late");
    let answer = town.say(ADA, &[&late]);
    town.give_all(&answer);
    let stands = town.run(CLEO, |_, store| {
        store.prefix(rows::STANDS, &LOCAL.to_be_bytes(), 10)
    });
    assert!(!stands.is_empty());
    for (key, row) in stands {
        let mut firm = row;
        if let Some(last) = firm.last_mut() {
            *last = 3;
        }
        town.tamper(CLEO, rows::STANDS, &key[4..], Some(firm));
    }
    let (_, broken) = town.everybody(|everybody| {
        let overview = Overview::new(everybody);
        graph::check(&overview, 0)
    });
    assert_eq!(promises(&broken), [graph::PROMISE]);
}

#[test]
fn an_envelope_without_its_past_is_found() {
    let mut town = Town::settled();
    let ada = town.say(ADA, &[]);
    let ben = town.say(BEN, &[&ada]);
    town.give_all(&ada);
    town.give_all(&ben);
    let spots = town.run(CLEO, |_, store| {
        let all = store.prefix(rows::HEADER, &LOCAL.to_be_bytes(), 100);
        let is_ada = |row: &[u8]| wire::Header::id_of(&row[72..]) == id_of(&ada);
        let found = all.into_iter().find(|(_, row)| is_ada(row));
        found.expect("it is there").0
    });
    town.tamper(CLEO, rows::HEADER, &spots[4..], None);
    let (_, broken) = town.everybody(|everybody| {
        let overview = Overview::new(everybody);
        graph::check(&overview, 0)
    });
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].what.contains("which is not here"), "{broken:?}");
}

#[test]
fn what_one_admits_and_another_refuses_is_found() {
    let mut town = Town::new();
    for no in [ADA, BEN, CLEO] {
        town.hold(no);
    }
    let ada = town.first(ADA);
    town.give_all(&ada);
    let ben = town.first(BEN);
    town.give(BEN, &ben);
    let refusals = |everybody: &Everybody<'_>| {
        let overview = Overview::new(everybody);
        let replicas = overview.replicas(0);
        agreement::refusals(&overview, 0, (&replicas[1], &replicas[0]))
    };
    assert_eq!(town.everybody(refusals).1, [], "it would take it");
    // Ada has forgotten whom it invited.
    let invite = town.run(ADA, |_, store| {
        let key = [&LOCAL.to_be_bytes()[..], b"f"].concat();
        store.prefix(rows::LACE, &key, 1)[0].0.clone()
    });
    town.tamper(ADA, rows::LACE, &invite[4..], None);
    let broken = town.everybody(refusals).1;
    assert_eq!(promises(&broken), [agreement::PROMISE]);
    assert!(broken[0].what.contains("NoInvite"), "{broken:?}");
}

#[test]
fn who_can_reach_one_another_has_the_same() {
    let mut town = Town::settled();
    let check = |everybody: &Everybody<'_>| liveness::check(&Overview::new(everybody), 0);
    let said = town.say(ADA, &[]);
    let more = town.say(ADA, &[]);
    for envelope in [&said, &more] {
        town.give(ADA, envelope);
        town.give(CORE, envelope);
    }
    // Nobody has a link, and nobody knows an address.
    assert_eq!(town.everybody(check).1, []);
    // Ben has a link with the core node, which has one with Ada.
    town.links = vec![(CORE, BEN), (BEN, CORE), (ADA, CORE), (CORE, ADA)];
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1);
    let what = &broken[0].what;
    for part in [
        "Ben lack 2",
        "number 3 of Ada",
        "had by Ada (could be dialled)",
        "links: core",
    ] {
        assert!(what.contains(part), "{part}: {what}");
    }
    assert!(!what.contains("Cleo"), "{what}");
    for envelope in [&said, &more] {
        town.give(BEN, envelope);
    }
    assert_eq!(town.everybody(check).1, []);
    // Cleo knows Ada's address.
    let row = b"quic://node1x@10.0.0.1:4433 and more".to_vec();
    town.tampered[CLEO as usize].push((node::rows::NODE, b"p".to_vec(), Some(row)));
    assert_eq!(town.everybody(check).1.len(), 1);
    town.reaches = false;
    assert_eq!(town.everybody(check).1, []);
}

#[test]
fn bodies_and_lines_come_to_everybody() {
    let mut town = Town::settled();
    let check = |everybody: &Everybody<'_>| liveness::check(&Overview::new(everybody), 0);
    let said = town.say(ADA, &[]);
    town.links = vec![(ADA, BEN), (BEN, ADA), (ADA, CLEO), (CLEO, ADA)];
    for no in [BEN, CLEO] {
        town.give(no, &said);
    }
    town.give_header(ADA, &said);
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(
        broken[0].what.contains("1 bodies of tea have not come"),
        "{broken:?}"
    );
    let mut town = Town::settled();
    town.tamper(
        BEN,
        topic::rows::WAITS,
        &7_u64.to_be_bytes(),
        Some(Vec::new()),
    );
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].node, Some(BEN));
}

#[test]
fn a_member_that_is_forgotten_is_found() {
    let mut town = Town::new();
    for no in [ADA, BEN, CLEO] {
        town.hold(no);
    }
    for no in [ADA, BEN] {
        let first = town.first(no);
        town.give_all(&first);
    }
    let check = |everybody: &Everybody<'_>| members::check(&Overview::new(everybody), 0);
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].what.contains("Cleo"), "{broken:?}");
}

#[test]
fn a_topic_on_an_outsiders_disk_is_found() {
    let mut town = Town::settled();
    town.hold(MALLORY);
    let (broken, ()) = town.everybody(|_| ());
    assert_eq!(promises(&broken), [super::carriage::PROMISE]);
    assert_eq!(broken[0].node, Some(MALLORY));
    town.plan.topics[0].public = true;
    let (broken, ()) = town.everybody(|_| ());
    assert_eq!(broken.len(), 1, "she does not read it: {broken:?}");
    town.plan.topics[0].readers = vec![MALLORY];
    assert_eq!(town.everybody(|_| ()).0, []);
}

fn leave(town: &Town, from: NodeNo, to: NodeNo, frame: &[u8]) -> Vec<Broken> {
    let disk = Disk::new(&Arc::new(Pool::new()));
    let mut watch = Watch::default();
    town.at(from, |scene| watch.leaves(scene, to, frame, &disk))
}

#[test]
fn a_frame_about_a_topic_to_an_outsider_is_found() {
    let town = Town::settled();
    let about = |topic: TopicId| {
        Frame::Topic {
            topic,
            frame: TopicFrame::GenesisAsk,
        }
        .encode()
    };
    let frame = about(town.topic);
    assert_eq!(super::carriage::about(&frame), Some((21, town.topic)));
    assert_eq!(super::carriage::inner_kind(&frame), Some(9));
    assert_eq!(leave(&town, ADA, BEN, &frame), []);
    assert_eq!(leave(&town, ADA, CORE, &frame), []);
    let broken = leave(&town, ADA, MALLORY, &frame);
    assert_eq!(promises(&broken), [super::carriage::PROMISE]);
    let unserve = Frame::CoreUnserve { topic: town.topic }.encode();
    assert_eq!(leave(&town, ADA, MALLORY, &unserve).len(), 1);
    let ping = Frame::Ping { nonce: 7 }.encode();
    assert_eq!(leave(&town, ADA, MALLORY, &ping), []);
    // Of a topic that nobody has heard of nothing can be said.
    assert_eq!(
        leave(&town, ADA, MALLORY, &about(TopicId::from_bytes([1; 32]))),
        []
    );
}

#[test]
fn an_author_whom_nobody_let_in_is_found() {
    let mut town = Town::settled();
    let first = town.first(MALLORY);
    town.give_all(&first);
    let (broken, _) = town.everybody(|_| ());
    assert_eq!(promises(&broken), [rights::PROMISE]);
    assert_eq!(broken.len(), 4, "at each replica");
}

#[test]
fn texts_are_read_by_nobody_else() {
    let text = Message { step: 12, index: 3 };
    for before in 0..20 {
        for long in [24, 40, 300] {
            let bytes = [
                vec![b'z'; before],
                text.text(long).into_bytes(),
                vec![1; 30],
            ]
            .concat();
            assert_eq!(
                rights::readable(&bytes),
                Some("m12.3".to_owned()),
                "{before} {long}"
            );
        }
    }
    for other in [
        "xxxxxxxxxxxxxxxx",
        "m1 xxxxxxxxxxxxxxxx",
        "m1.2xxxxxxxxxxxxxxx",
        "",
    ] {
        assert_eq!(rights::readable(other.as_bytes()), None, "{other}");
    }
    let town = Town::settled();
    let frame = [&[0x82, 22][..], text.text(40).as_bytes()].concat();
    assert_eq!(promises(&leave(&town, ADA, BEN, &frame)), [rights::PROMISE]);
    let batch = Batch {
        number: 1,
        last_turn: 1,
        writes: vec![(node::rows::NODE, vec![1], Some(text.text(40).into_bytes()))],
    };
    let disk = Disk::new(&Arc::new(Pool::new()));
    for (no, count) in [(ADA, 0), (CORE, 1)] {
        let broken = town.at(no, |scene| {
            Watch::default().commits(scene, &batch, &disk);
        });
        assert_eq!(broken.len(), count);
    }
}

/// One line of the town's topic.
fn lines(town: &Town, text: &str) -> Reply {
    let line = Line {
        n: 1,
        id: MessageId {
            envelope: identity::EnvelopeId::from_bytes([1; 32]),
            index: 0,
        },
        from: String::new(),
        from_name: String::new(),
        at: 0,
        seq: 1,
        kind: LineKind::Text,
        text: text.to_owned(),
    };
    Reply::Lines {
        topic: town.topic,
        lines: vec![line],
        last: 1,
        more: false,
    }
}

#[test]
fn what_one_member_was_shown_all_are() {
    let check = |everybody: &Everybody<'_>| messages::check(&Overview::new(everybody), 0);
    let mut town = Town::settled();
    let act = Act::Send {
        node: ADA,
        topic: 0,
        bytes: 20,
        count: 1,
        expires_ms: 0,
        file: 0,
    };
    town.plan.steps.push(Step { at_ms: 1, act });
    assert_eq!(town.everybody(check).1, [], "it was never sent");
    town.facts
        .sent(0, machine::Time::from_micros(1), std::iter::empty());
    // It is there, but nobody has seen it, not even its writer.
    assert_eq!(town.everybody(check).1.len(), 3);
    for no in [ADA, BEN] {
        let reply = lines(&town, &Message { step: 0, index: 0 }.text(20));
        town.replies.push((no, reply));
    }
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].node, Some(CLEO));
    assert!(broken[0].what.contains("m0.0 of Ada"), "{broken:?}");
    let reply = lines(&town, &Message { step: 0, index: 0 }.text(20));
    town.replies.push((CLEO, reply));
    assert_eq!(town.everybody(check).1, []);
}

#[test]
fn mail_comes_to_who_can_be_reached() {
    let check = |everybody: &Everybody<'_>| messages::mails(&Overview::new(everybody));
    let mut town = Town::settled();
    let act = Act::Mail {
        node: ADA,
        to: BEN,
        bytes: 20,
        best_effort: false,
    };
    town.plan.steps.push(Step { at_ms: 1, act });
    assert_eq!(town.everybody(check).1, [], "it was never sent");
    town.facts
        .sent(0, machine::Time::from_micros(1), std::iter::empty());
    assert_eq!(town.everybody(check).1.len(), 1);
    town.reaches = false;
    assert_eq!(town.everybody(check).1, []);
    // By a core node of the reader's, where both have a link with it and it has room.
    town.links = vec![(ADA, CORE), (BEN, CORE)];
    assert_eq!(town.everybody(check).1, [], "it is not Ben's");
    town.plan.nodes[BEN as usize].uses = vec![CORE];
    assert_eq!(town.everybody(check).1.len(), 1);
    town.plan.nodes[ADA as usize].uses.clear();
    assert_eq!(town.everybody(check).1.len(), 1, "it holds their topic");
    town.plan.nodes[CORE as usize].quota = 1;
    assert_eq!(town.everybody(check).1, []);
    town.plan.nodes[CORE as usize].quota = 0;
    for link in [(ADA, CORE), (BEN, CORE)] {
        town.links = vec![link];
        assert_eq!(town.everybody(check).1, [], "{link:?} alone");
    }
}

#[test]
fn who_cannot_write_at_the_end_is_found() {
    let mut town = Town::settled();
    for no in [ADA, BEN] {
        let act = Act::Send {
            node: no,
            topic: 0,
            bytes: 0,
            count: 1,
            expires_ms: 0,
            file: 0,
        };
        town.plan.steps.push(Step { at_ms: 1_500, act });
    }
    town.facts
        .sent(1, machine::Time::from_micros(1), std::iter::empty());
    let check = |everybody: &Everybody<'_>| members::last_words(&Overview::new(everybody));
    let broken = town.everybody(check).1;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].node, Some(ADA));
}

#[test]
fn lines_are_shown_to_members_alone() {
    let town = Town::settled();
    let reply = lines(&town, "hush");
    for (no, count) in [(BEN, 0), (MALLORY, 1), (CORE, 1)] {
        let broken = town.at(no, |scene| rights::answered(scene, &reply));
        assert_eq!(broken.len(), count);
    }
    let mut town = town;
    town.plan.topics[0].public = true;
    town.plan.topics[0].readers = vec![MALLORY];
    let broken = town.at(MALLORY, |scene| rights::answered(scene, &reply));
    assert_eq!(broken, [], "whoever reads is shown them");
}

/// So many frames of Ben to Ada.
fn chatter(town: &mut Town, frames: usize, frame: &Frame) {
    let said = std::iter::repeat_n((BEN, ADA, frame.encode()), frames);
    town.frames.extend(said);
}

#[test]
fn who_says_something_when_nothing_is_left_to_say_is_found() {
    let mut town = Town::settled();
    // Ada has many links, and is silent.
    town.links = vec![(BEN, ADA), (ADA, BEN), (ADA, CLEO), (ADA, CORE)];
    chatter(&mut town, 40, &Frame::Ping { nonce: 1 });
    chatter(&mut town, 1, &Frame::AdvertAsk);
    assert_eq!(
        town.everybody(super::at_rest).1,
        [],
        "a receipt may be renewed"
    );
    chatter(&mut town, 1, &Frame::AdvertAsk);
    let broken = town.everybody(super::at_rest).1;
    assert_eq!(promises(&broken), [super::silence::PROMISE]);
    assert_eq!((broken.len(), broken[0].node), (1, Some(BEN)));
    assert!(broken[0].what.contains("2 advert-ask"), "{broken:?}");
    // Ada has refused something of Cleo's, which Ben offers again. He says nothing else.
    town.frames.clear();
    town.plan.length_ms = 0;
    refuse(&mut town, ADA, CLEO, 2);
    let want = |whose: &[NodeNo]| {
        let range = |no: &NodeNo| Range {
            author: town.author(*no),
            from: 2,
            to: 3,
        };
        let frame = TopicFrame::Want {
            ranges: whose.iter().map(range).collect(),
            control_only: false,
        };
        let topic = town.topic;
        Frame::Topic { topic, frame }
    };
    let (hers, others, both) = (want(&[CLEO]), want(&[BEN]), want(&[BEN, CLEO]));
    chatter(&mut town, 16, &hers);
    assert_eq!(town.everybody(super::at_rest).1, []);
    chatter(&mut town, 1, &Frame::AdvertAsk);
    assert_eq!(town.everybody(super::at_rest).1, []);
    let about_others = [&others, &both, &Frame::AdvertAsk];
    for frame in about_others {
        let before = town.frames.len();
        chatter(&mut town, 1, frame);
        let broken = town.everybody(super::at_rest).1;
        assert_eq!(broken.len(), 1, "{frame:?} is about another chain");
        town.frames.truncate(before);
    }
    // Nor is there any end of it.
    chatter(&mut town, 1, &hers);
    assert_eq!(town.everybody(super::at_rest).1.len(), 1);
}

#[test]
fn who_still_asks_to_be_let_in_is_answered() {
    let mut town = Town::settled();
    town.links = vec![(BEN, ADA)];
    chatter(&mut town, 2, &Frame::AdvertAsk);
    assert_eq!(town.everybody(super::at_rest).1.len(), 1);
    for asks in [ADA, BEN] {
        town.asking = [asks].into();
        assert_eq!(town.everybody(super::at_rest).1, []);
    }
}

/// Ada has written what Ben does not know, and has a link with him.
fn half_known() -> Town {
    let mut town = Town::settled();
    let said = town.say(ADA, &[]);
    for no in [ADA, CLEO, CORE] {
        town.give(no, &said);
    }
    town.links = vec![(ADA, BEN), (BEN, ADA)];
    town
}

#[test]
fn who_is_linked_and_silent_holds_the_same() {
    let mut town = half_known();
    let broken = town.everybody(super::half_way).1;
    assert_eq!(promises(&broken), [liveness::PROMISE]);
    assert!(broken[0].what.contains("Ben lack 1"), "{broken:?}");
    // Whoever has just said something may not be done.
    chatter(&mut town, 1, &Frame::AdvertAsk);
    assert_eq!(town.everybody(super::half_way).1, []);
    town.frames.clear();
    chatter(&mut town, 1, &Frame::Ping { nonce: 1 });
    assert_eq!(town.everybody(super::half_way).1.len(), 1);
    town.links.clear();
    assert_eq!(town.everybody(super::half_way).1, []);
}

/// Says to somebody that it does not take what somebody wrote, from a number on.
fn refuse(town: &mut Town, from: NodeNo, whose: NodeNo, number: u64) {
    let frame = TopicFrame::Refused {
        author: town.author(whose),
        number,
        code: wire::Code::QUOTA,
        text: String::new(),
        retry: 1,
    };
    let topic = town.topic;
    let frame = Frame::Topic { topic, frame }.encode();
    town.frames.push((from, ADA, frame));
}

#[test]
fn who_refuses_one_passes_on_all_others() {
    let check = |everybody: &Everybody<'_>| liveness::check(&Overview::new(everybody), 0);
    let town = |whose: NodeNo| {
        let mut town = Town::settled();
        // Faults have stopped before anything is refused.
        town.plan.length_ms = 0;
        let said = town.say(ADA, &[]);
        let answer = town.say(CLEO, &[&said]);
        for no in [ADA, CLEO] {
            town.give(no, &said);
            town.give(no, &answer);
        }
        let both = [(ADA, CORE), (BEN, CORE), (CLEO, CORE), (ADA, CLEO)];
        let back = both.map(|(from, to)| (to, from));
        town.links = both.into_iter().chain(back).collect();
        refuse(&mut town, CORE, whose, 3);
        town
    };
    // All that Ben lacks rests on what was refused.
    assert_eq!(town(ADA).everybody(check).1, []);
    // What Ada wrote could have come.
    let broken = town(CLEO).everybody(check).1;
    assert_eq!(promises(&broken), [liveness::PROMISE]);
    assert!(broken[0].what.contains("Ben lack 1"), "{broken:?}");
    // Earlier numbers were not refused.
    let mut town = town(CLEO);
    town.frames.clear();
    refuse(&mut town, CORE, ADA, 4);
    assert_eq!(town.everybody(check).1.len(), 1);
}
