//! Lines: after their past, once, with gaps instead of stalls, and for ever the same.

use crate::net::{DAY, Net, TOPIC};
use core::time::Duration;
use identity::{SealingKey, SecretKey};
use topic::{Draft, GapReason, LineKind, Payload, Phase, ReadError, ReadFrom, RefusedPart, Role};
use wire::plain::{Message, Profile, Title};
use wire::{Item, NodeAdvert, sign_advert};

const HOUR: u64 = 3_600_000;

/// Members 0 to 2; a core node 3 that has the header of 0's "lost" and not its body.
fn with_a_lost_body(seed: u64) -> Net {
    let mut net = Net::joined(seed, 3);
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::Body, net.wall() + DAY));
    net.say(0, "lost");
    net.settle();
    net.cut(link);
    net.nodes[core].host.refuse = None;
    net
}

fn gaps(net: &mut Net, node: usize) -> Vec<(u64, GapReason, u16)> {
    net.follow(node);
    net.nodes[node]
        .seen
        .iter()
        .filter_map(|line| match &line.kind {
            LineKind::Gap { reason, messages } => Some((line.n, *reason, *messages)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_body_that_is_gone_becomes_a_gap_and_comes_late_at_the_end() {
    let mut net = with_a_lost_body(1);
    let link = net.link(1, 3);
    net.settle();
    // The only peer says that it is gone: nothing is waited for.
    assert_eq!(gaps(&mut net, 1).len(), 1);
    assert_eq!(gaps(&mut net, 1)[0].1, GapReason::Missing);
    net.cut(link);
    net.say(1, "after");
    net.link(0, 1);
    net.settle();
    assert_eq!(net.texts(1), ["after", "lost"]);
    assert_eq!(net.texts(0), ["lost", "after"]);
    let last = net.nodes[1].seen.last().cloned().unwrap();
    net.restart(1);
    net.link(0, 1);
    net.settle();
    net.nodes[1].seen.clear();
    net.follow(1);
    assert_eq!(net.nodes[1].seen.last(), Some(&last), "never shown twice");
}

#[test]
fn a_missing_body_holds_back_its_own_author_and_nobody_else() {
    let mut net = with_a_lost_body(2);
    // Two writes behind the lost one, by the same author, that the core node holds whole.
    let link = net.link(0, 3);
    net.say(0, "behind");
    net.settle();
    net.cut(link);
    let link = net.link(2, 3);
    net.settle();
    net.cut(link);
    let mut other = Net::joined(2, 1);
    other.settle();
    // A peer that is proven and silent may still have it: that is worth waiting for.
    let peer = net.peer_of(0);
    net.puppet(1, peer);
    net.link(1, 3);
    net.settle();
    assert!(net.texts(1).is_empty());
    net.say(1, "mine");
    net.settle();
    assert!(gaps(&mut net, 1).is_empty());
    net.pass(Duration::from_secs(31));
    assert_eq!(gaps(&mut net, 1).len(), 1);
    assert_eq!(net.texts(1).len(), 2, "all that waited has come");
}

#[test]
fn unrelated_authors_are_not_held_back() {
    let mut net = with_a_lost_body(3);
    // Member 2 knows nothing of the lost one.
    net.say(2, "unrelated");
    let peer = net.peer_of(0);
    net.puppet(1, peer);
    net.link(2, 1);
    net.link(1, 3);
    net.settle();
    assert_eq!(net.texts(1), ["unrelated"]);
    assert!(gaps(&mut net, 1).is_empty());
}

#[test]
fn waiting_is_found_again_after_a_restart() {
    let mut net = with_a_lost_body(4);
    let peer = net.peer_of(0);
    net.puppet(1, peer);
    net.link(1, 3);
    net.settle();
    net.restart(1);
    assert!(net.texts(1).is_empty());
    // Alone it waits for ever: there is nobody to hear from.
    net.pass(Duration::from_secs(3600));
    assert!(gaps(&mut net, 1).is_empty());
    net.link(0, 1);
    net.settle();
    assert_eq!(net.texts(1), ["lost"]);
    assert!(gaps(&mut net, 1).is_empty());
}

#[test]
fn a_newcomer_to_a_half_expired_topic_gets_the_rest_in_order() {
    let mut net = Net::joined(5, 2);
    for number in 0..400 {
        net.say_for(
            0,
            &format!("{number}"),
            Some(if number % 2 == 0 { HOUR } else { 9 * DAY }),
        );
    }
    net.pass(Duration::from_secs(3 * 3600));
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    net.settle();
    net.cut(link);
    net.link(1, core);
    net.settle();
    let texts = net.texts(1);
    let expected: Vec<String> = (0..400)
        .filter(|n| n % 2 == 1)
        .map(|n| n.to_string())
        .collect();
    assert_eq!(texts, expected);
    let gaps = gaps(&mut net, 1);
    assert_eq!(gaps.len(), 200);
    assert!(
        gaps.iter()
            .all(|(_, reason, messages)| { *reason == GapReason::Expired && *messages == 1 })
    );
    // Who had them shows them as gone now, at the same numbers.
    let lines = net.read(0, ReadFrom::Line(1), 1000).lines;
    let gone = lines
        .iter()
        .filter(|line| matches!(line.kind, LineKind::Gap { .. }))
        .count();
    assert_eq!(gone, 200);
    assert!(net.agree(), "headers never expire");
}

#[test]
fn nothing_is_deleted_on_a_clock_that_nobody_confirmed() {
    let mut net = Net::joined(6, 1);
    net.input(0, topic::Input::Clock { confirmed: false });
    net.say_for(0, "short", Some(1));
    net.pass(Duration::from_secs(3 * 3600));
    assert_eq!(net.texts(0), ["short"]);
    net.input(0, topic::Input::Clock { confirmed: true });
    net.pass(Duration::from_secs(120));
    net.nodes[0].seen.clear();
    assert!(net.texts(0).is_empty());
    assert_eq!(gaps(&mut net, 0)[0].1, GapReason::Expired);
    assert!(!net.is_charged(0), "less is held than was");
}

#[test]
fn joining_leaving_and_names() {
    let mut net = Net::joined(7, 2);
    net.link(0, 1);
    net.settle();
    let node = &net.nodes[1].host.node;
    let advert = NodeAdvert {
        node: node.node_id(),
        addresses: Vec::new(),
        name: String::new(),
        version: 1,
        created: 0,
        sealing: SealingKey::from_bytes([9; 32]),
        sealing_before: None,
        cores: Vec::new(),
    };
    let profile = Profile {
        name: "Ada".into(),
        advert: sign_advert(advert, node).unwrap().into_inner(),
    };
    net.items(1, vec![Item::Profile(profile.encode())]);
    net.items(
        0,
        vec![Item::Title(
            Title {
                name: "boats".into(),
            }
            .encode(),
        )],
    );
    net.say(1, "hello");
    net.settle();
    net.follow(0);
    let kinds: Vec<(LineKind, Option<String>)> = net.nodes[0]
        .seen
        .iter()
        .map(|line| (line.kind.clone(), line.name.clone()))
        .collect();
    let hello = LineKind::Message(Message::text("hello"));
    // Names are those of the moment of reading.
    let ada = Some("Ada".to_owned());
    assert_eq!(
        kinds,
        [
            (LineKind::Join, None),
            (LineKind::Join, ada.clone()),
            (hello, ada.clone())
        ]
    );
    net.with(1, |topics, env| topics.leave(env, TOPIC)).unwrap();
    net.settle();
    net.follow(0);
    assert_eq!(net.nodes[0].seen.last().unwrap().kind, LineKind::Leave);
    let summary = net
        .with(0, |topics, env| topics.summary(env.cx, TOPIC))
        .unwrap();
    assert_eq!(
        (summary.members, summary.title.as_deref()),
        (1, Some("boats"))
    );
    let summary = net
        .with(1, |topics, env| topics.summary(env.cx, TOPIC))
        .unwrap();
    assert_eq!(summary.phase, Phase::Left);
    let payload = Payload::Messages(vec![Message::text("ghost")]);
    let draft = Draft {
        payload,
        lifespan: None,
        answers: Vec::new(),
        manifest: None,
    };
    assert!(net.publish(1, draft).is_err());
    net.say(0, "alone");
    net.settle();
    assert_eq!(net.texts(1), ["hello"], "who has left takes nothing new");
}

#[test]
fn another_incarnation_is_not_another_person() {
    let mut net = Net::joined(8, 2);
    net.link(0, 1);
    net.settle();
    net.nodes[1].host.author = Some(SecretKey::generate(&mut net.rng));
    let items = vec![net.certificate_of(1, 1), net.claim(1)];
    net.items(1, items);
    net.say(1, "me again");
    net.settle();
    net.follow(0);
    let joins = net.nodes[0]
        .seen
        .iter()
        .filter(|line| line.kind == LineKind::Join)
        .count();
    assert_eq!(joins, 2);
    let summary = net
        .with(0, |topics, env| topics.summary(env.cx, TOPIC))
        .unwrap();
    assert_eq!(summary.members, 2);
}

#[test]
fn a_malformed_body_is_one_gap_for_everybody() {
    let mut net = Net::joined(9, 2);
    net.link(0, 1);
    net.settle();
    // What its author sealed is not what the header says: three messages, one inside.
    let header = {
        let crate::net::Node {
            world,
            topics,
            host,
            ..
        } = &mut net.nodes[0];
        let author = host.author.as_ref().unwrap().public();
        let base = world.base().clone();
        let _ = topics;
        machine::test::World::over(base, 1).turn(|cx| {
            let lace = lace::Lace::open(&mut cx.store, TOPIC).unwrap();
            let plan = lace::Plan {
                class: wire::Class::Content,
                now: cx.wall.as_millis(),
                clock_confirmed: true,
                lifespan: DAY,
                count: 3,
                hops: 1,
                answers: Vec::new(),
                manifest: None,
            };
            let grant = identity::GrantId::from_bytes(*lace.id().as_bytes());
            lace.next_header(&mut cx.store, &author, &grant, &plan)
                .unwrap()
        })
    };
    let author = net.nodes[0].host.author.as_ref().unwrap();
    let signed = wire::sign_envelope(header, b"sealed:rubbish".to_vec(), author).unwrap();
    let verified = signed.into_inner();
    let raw = verified.envelope.to_raw(verified.body);
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    net.frame(
        0,
        puppet,
        wire::TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        },
    );
    net.settle();
    for node in 0..2 {
        let gaps = gaps(&mut net, node);
        assert_eq!(gaps.len(), 1);
        assert_eq!((gaps[0].1, gaps[0].2), (GapReason::Malformed, 3));
    }
    // It came to its own author from outside, who did not have it.
    assert_eq!(net.nodes[0].ahead.len(), 1);
}

#[test]
fn reading_begins_where_it_is_asked_to() {
    let mut net = Net::joined(10, 1);
    let mut ids = Vec::new();
    let mut starts = Vec::new();
    for number in 0..5 {
        starts.push(net.wall());
        let texts = (0..3)
            .map(|part| Message::text(format!("{number}.{part}")))
            .collect();
        let payload = Payload::Messages(texts);
        let draft = Draft {
            payload,
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        ids.push(net.publish(0, draft).unwrap().id);
        net.pass(Duration::from_secs(60));
    }
    // Line 1 is the founder's joining.
    let page = net.read(0, ReadFrom::Line(1), 1000);
    assert_eq!((page.lines.len(), page.next, page.more), (16, 17, false));
    assert_eq!(page.lines[4].envelope, ids[1]);
    assert_eq!(page.lines[5].index, 1);
    let page = net.read(0, ReadFrom::Line(6), 2);
    assert_eq!(
        (page.lines[0].n, page.lines[1].n, page.next, page.more),
        (6, 7, 8, true)
    );
    let page = net.read(0, ReadFrom::After(ids[3]), 10);
    assert_eq!(page.lines[0].envelope, ids[4]);
    for (number, start) in starts.iter().enumerate() {
        let page = net.read(0, ReadFrom::Time(*start), 1);
        assert_eq!(page.lines[0].envelope, ids[number]);
        let page = net.read(0, ReadFrom::Time(*start - 1_000), 1);
        assert_eq!(
            page.lines[0].envelope,
            if number == 0 {
                page.lines[0].envelope
            } else {
                ids[number]
            }
        );
    }
    let page = net.read(0, ReadFrom::Time(net.wall()), 1);
    assert!(page.lines.is_empty() && !page.more);
    let strange = identity::EnvelopeId::from_bytes([1; 32]);
    let read = net.with(0, |topics, env| {
        topics.read(env, TOPIC, ReadFrom::After(strange), 1)
    });
    assert_eq!(read, Err(ReadError::NoEnvelope));
}

#[test]
fn what_was_confirmed_stays_confirmed() {
    let mut net = Net::joined(11, 1);
    for number in 0..5 {
        net.say(0, &format!("{number}"));
    }
    let confirm = |net: &mut Net, n| {
        net.with(0, |topics, env| topics.confirm(env.cx, TOPIC, n))
            .unwrap();
    };
    confirm(&mut net, 3);
    net.restart(0);
    assert_eq!(net.read(0, ReadFrom::Unconfirmed, 10).lines[0].n, 4);
    confirm(&mut net, 2);
    assert_eq!(
        net.read(0, ReadFrom::Unconfirmed, 10).lines[0].n,
        4,
        "it never goes back"
    );
    confirm(&mut net, 999);
    let summary = net
        .with(0, |topics, env| topics.summary(env.cx, TOPIC))
        .unwrap();
    assert_eq!(summary.confirmed, summary.last_line);
}

#[test]
fn forgetting_leaves_nothing() {
    let mut net = Net::joined(12, 2);
    net.link(0, 1);
    for number in 0..700 {
        net.say(0, &format!("{number}"));
    }
    net.settle();
    net.with(1, |topics, env| topics.forget(env.cx, TOPIC))
        .unwrap();
    assert!(
        net.with(1, |topics, env| topics.summary(env.cx, TOPIC))
            .is_err()
    );
    // It goes on after a restart.
    net.with(1, |topics, env| topics.on_deadline(env));
    assert!(!net.nodes[1].topics.is_forgotten(TOPIC));
    net.restart(1);
    net.settle();
    assert!(net.nodes[1].topics.is_forgotten(TOPIC));
    assert_eq!(*net.nodes[1].world.base(), machine::MemoryBase::new());
}
