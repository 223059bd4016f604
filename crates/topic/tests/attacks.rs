//! What a lying peer can do: it costs itself, and nobody else anything that lasts.

use crate::net::{DAY, Net, TOPIC};
use core::time::Duration;
use identity::{EnvelopeId, PublicKey, SecretKey, Signature};
use topic::{LinkId, Role, Rule, limits};
use wire::{Class, CutEntry, Header, Range, Raw, TopicBox, TopicFrame};

fn hello(byte: u8) -> TopicFrame {
    TopicFrame::Hello {
        cut: [byte; 32],
        evidence: [byte; 32],
        receipts: [byte; 32],
        invites: [byte; 32],
    }
}

fn victim(seed: u64) -> (Net, LinkId) {
    let mut net = Net::joined(seed, 2);
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    net.frame(0, puppet, hello(1));
    net.settle();
    net.heard(puppet, 0);
    (net, puppet)
}

fn wants(frames: &[TopicFrame]) -> usize {
    frames
        .iter()
        .filter(|frame| matches!(frame, TopicFrame::Want { .. }))
        .count()
}

/// An envelope of member 1 that member 0 has not got, `ahead` numbers beyond what it has.
fn envelope(net: &Net, key: &SecretKey, number: u64, previous: [u8; 32]) -> Raw {
    let header = Header {
        destination: net.topic_id().to_id(),
        author: key.public(),
        number,
        previous,
        generation: 50 + number,
        created: net.wall(),
        expires: net.wall() + DAY,
        body_len: 0,
        body_hash: [0; 32],
        count: 1,
        class: Class::Content,
        grant: identity::GrantId::from_bytes([0; 32]),
        hops: 1,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: wire::Extensions::new(),
    };
    let verified = wire::sign_envelope(header, vec![1; 1000], key)
        .unwrap()
        .into_inner();
    verified.envelope.to_raw(verified.body)
}

fn give(net: &mut Net, link: LinkId, envelopes: Vec<Raw>, last: bool) {
    net.frame(0, link, TopicFrame::Envelopes { envelopes, last });
}

#[test]
fn a_false_cut_is_believed_once() {
    let (mut net, puppet) = victim(1);
    for round in 0..20_u64 {
        let author = SecretKey::generate(&mut net.rng).public();
        let id = EnvelopeId::from_bytes([9; 32]);
        let entries = vec![CutEntry {
            author,
            number: u64::MAX >> 1,
            id,
        }];
        net.frame(
            0,
            puppet,
            TopicFrame::Cut {
                entries,
                first: true,
                last: true,
            },
        );
        assert_eq!(wants(&net.heard(puppet, 0)), 1, "round {round}");
        give(&mut net, puppet, Vec::new(), true);
        net.settle();
        assert_eq!(
            wants(&net.heard(puppet, 0)),
            0,
            "what was not given is not asked for again"
        );
    }
    assert_eq!(net.nodes[0].problems, [Rule::Hollow]);
}

#[test]
fn a_peer_that_names_a_million_authors_is_forgotten_with_its_link() {
    let (mut net, puppet) = victim(2);
    for _ in 0..40 {
        let mut authors: Vec<[u8; 32]> = (0..512).map(|_| net.rng.array()).collect();
        authors.sort_unstable();
        let id = EnvelopeId::from_bytes([9; 32]);
        let entry = |author| CutEntry {
            author: PublicKey::from_bytes(author),
            number: 9,
            id,
        };
        let entries = authors.into_iter().map(entry).collect();
        net.frame(
            0,
            puppet,
            TopicFrame::Cut {
                entries,
                first: false,
                last: false,
            },
        );
    }
    let size = format!("{:?}", net.nodes[0].topics).len();
    assert!(size < 4_000_000, "{size}");
    net.cut(puppet);
    let size = format!("{:?}", net.nodes[0].topics).len();
    assert!(size < 100_000, "{size}");
}

#[test]
fn bad_bytes_are_reported_at_once() {
    let (mut net, puppet) = victim(3);
    let proof = Signature::from_bytes([1; 64]);
    give(
        &mut net,
        puppet,
        vec![Raw {
            header_bytes: vec![0xff; 40],
            proof,
            body: None,
        }],
        false,
    );
    assert_eq!(net.nodes[0].problems, [Rule::BadEnvelope]);
    let key = net.nodes[1].host.author.clone().unwrap();
    let good = envelope(&net, &key, 2, [4; 32]);
    let mut signature = good.clone();
    signature.proof = proof;
    give(&mut net, puppet, vec![signature], false);
    let mut body = good.clone();
    body.body = Some(vec![2; 1000]);
    give(&mut net, puppet, vec![body], false);
    assert_eq!(net.nodes[0].problems, [Rule::BadEnvelope; 3]);
    let before = net.cut_hash(0);
    give(&mut net, puppet, vec![good], false);
    net.settle();
    assert_eq!(net.cut_hash(0), before, "what has no past changes nothing");
}

#[test]
fn what_can_only_be_parked_is_bounded_and_its_past_is_asked_for() {
    let (mut net, puppet) = victim(4);
    let known = net.nodes[1].host.author.clone().unwrap();
    for key in [known, SecretKey::generate(&mut net.rng)] {
        for start in 0..30_u64 {
            let envelopes = (0..60)
                .map(|n| envelope(&net, &key, 3 + start * 60 + n, [n as u8; 32]))
                .collect();
            give(&mut net, puppet, envelopes, false);
        }
    }
    let summary = net
        .with(0, |topics, env| topics.summary(env.cx, TOPIC))
        .unwrap();
    assert!(summary.parked <= 512, "{} parked", summary.parked);
    net.settle();
    let heard = net.heard(puppet, 0);
    assert_eq!(wants(&heard), 1, "one want for all of it");
    net.pass(Duration::from_secs(60));
    assert!(net.heard(puppet, 0).len() < 20, "and no storm");
    // Nothing parked is forwarded.
    let other = net.peer_of(1);
    let witness = net.puppet(0, other);
    net.settle();
    assert!(
        !net.heard(witness, 0)
            .iter()
            .any(|frame| { matches!(frame, TopicFrame::Envelopes { .. }) })
    );
}

/// Whoever gives them hears which rule they broke, a few times, and is reported in the end.
#[test]
fn inadmissible_envelopes_are_answered_and_counted() {
    let (mut net, puppet) = victim(5);
    let key = net.nodes[1].host.author.clone().unwrap();
    let mut raw = Vec::new();
    for number in 0..limits::MAX_INADMISSIBLE {
        // A lifespan of no time at all.
        let mut header =
            wire::decode_header(&envelope(&net, &key, 2, [4; 32]).header_bytes).unwrap();
        header.expires = header.created + 2 * 366 * DAY;
        header.generation = u64::from(number) + 3;
        match wire::sign_envelope(header, vec![1], &key) {
            Ok(signed) => {
                let verified = signed.into_inner();
                raw.push(verified.envelope.to_raw(verified.body));
            }
            // The codec does not even let it be written: then a wrong destination.
            Err(_) => {
                let mut header =
                    wire::decode_header(&envelope(&net, &key, 2, [4; 32]).header_bytes).unwrap();
                header.destination = identity::TopicId::from_bytes([1; 32]).to_id();
                header.generation = u64::from(number) + 3;
                let verified = wire::sign_envelope(header, vec![1], &key)
                    .unwrap()
                    .into_inner();
                raw.push(verified.envelope.to_raw(verified.body));
            }
        }
    }
    for envelopes in raw.chunks(60) {
        give(&mut net, puppet, envelopes.to_vec(), false);
    }
    assert_eq!(net.nodes[0].problems, [Rule::Inadmissible]);
    net.settle();
    let heard = net.heard(puppet, 0).into_iter();
    let told: Vec<TopicFrame> = heard
        .filter(|frame| matches!(frame, TopicFrame::Refused { .. }))
        .collect();
    assert_eq!(told.len(), limits::MAX_INADMISSIBLE_TOLD as usize);
    for frame in told {
        let TopicFrame::Refused {
            author, code, text, ..
        } = frame
        else {
            continue;
        };
        assert_eq!((author, code), (key.public(), wire::Code::INADMISSIBLE));
        assert_eq!(text, lace::Rule::Destination.to_string());
    }
}

/// Whoever is told that a rule refuses a chain offers no more of it on that link: what follows could only
/// wait there for what is refused.
#[test]
fn a_chain_that_a_rule_refuses_is_kept_back() {
    for code in [wire::Code::INADMISSIBLE, wire::Code::NEEDS_VERSION] {
        let mut net = Net::joined(7, 2);
        let link = net.link(0, 1);
        net.settle();
        net.say(0, "one");
        net.settle();
        assert_eq!(net.texts(1), ["one"]);
        let author = net.nodes[0].host.author.as_ref().unwrap().public();
        let refused = TopicFrame::Refused {
            author,
            number: 2,
            code,
            text: "by a rule".to_owned(),
            retry: 0,
        };
        net.frame(0, link, refused);
        net.say(0, "two");
        net.pass(Duration::from_secs(60));
        assert_eq!(net.texts(1), ["one"]);
    }
}

#[test]
fn replayed_frames_change_nothing() {
    let mut net = Net::joined(6, 2);
    net.say(1, "one");
    let link = net.link(0, 1);
    net.settle();
    net.cut(link);
    let peer = net.peer_of(0);
    let source = net.puppet(1, peer);
    net.frame(1, source, hello(1));
    let author = net.nodes[1].host.author.as_ref().unwrap().public();
    let ranges = vec![Range {
        author,
        from: 1,
        to: 9,
    }];
    net.frame(
        1,
        source,
        TopicFrame::Want {
            ranges,
            control_only: false,
        },
    );
    let recorded: Vec<TopicFrame> = net.heard(source, 1);
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    let texts = net.texts(0);
    for _ in 0..20 {
        for frame in &recorded {
            net.frame(0, puppet, frame.clone());
        }
    }
    net.settle();
    assert_eq!(net.texts(0), texts);
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn bodies_must_be_the_ones_that_are_missing() {
    let mut net = Net::joined(7, 2);
    let core = net.add(Role::Custodian);
    let link = net.link(1, core);
    net.settle();
    net.nodes[core].host.refuse = Some((topic::RefusedPart::Body, net.wall() + DAY));
    let lost = net.say(1, "lost");
    let here = net.say(1, "here");
    net.settle();
    net.cut(link);
    net.link(0, core);
    net.settle();
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    let strange = EnvelopeId::from_bytes([1; 32]);
    for bodies in [vec![(strange, Some(vec![1; 9]))], vec![(strange, None)]] {
        net.frame(0, puppet, TopicFrame::Bodies { bodies });
    }
    assert!(net.nodes[0].problems.is_empty(), "unasked and harmless");
    for id in [lost.id, here.id] {
        net.frame(
            0,
            puppet,
            TopicFrame::Bodies {
                bodies: vec![(id, Some(vec![1; 9]))],
            },
        );
    }
    assert_eq!(net.nodes[0].problems, [Rule::BadBody; 2]);
}

#[test]
fn frames_beyond_their_limits_are_not_looked_at() {
    let (mut net, puppet) = victim(8);
    let key = net.nodes[1].host.author.clone().unwrap();
    let raw = envelope(&net, &key, 2, [4; 32]);
    give(&mut net, puppet, vec![raw; 65], false);
    let id = EnvelopeId::from_bytes([1; 32]);
    net.frame(
        0,
        puppet,
        TopicFrame::Bodies {
            bodies: vec![(id, None); 65],
        },
    );
    net.frame(
        0,
        puppet,
        TopicFrame::Box(TopicBox {
            loc: [1; 32],
            sealed: vec![1; 5000],
            until: 1,
            signature: Signature::from_bytes([0; 64]),
            device: key.public(),
            grant: identity::GrantId::from_bytes([2; 32]),
        }),
    );
    assert_eq!(net.nodes[0].problems, [Rule::TooMuch; 3]);
    let author = key.public();
    let entry = |number| CutEntry { author, number, id };
    for entries in [vec![entry(5), entry(4)], vec![entry(0)]] {
        net.frame(
            0,
            puppet,
            TopicFrame::Cut {
                entries,
                first: true,
                last: true,
            },
        );
    }
    assert_eq!(net.nodes[0].problems[3..], [Rule::BadCut; 2]);
}

#[test]
fn wants_and_hellos_without_end_are_answered_at_a_measure() {
    let mut net = Net::joined(9, 2);
    for number in 0..300 {
        net.say(0, &format!("{number}"));
    }
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    net.settle();
    net.heard(puppet, 0);
    let author = net.nodes[0].host.author.as_ref().unwrap().public();
    for _ in 0..500 {
        net.frame(0, puppet, hello(3));
    }
    net.run();
    let heard = net.heard(puppet, 0);
    let cuts = heard
        .iter()
        .filter(|frame| matches!(frame, TopicFrame::Cut { .. }))
        .count();
    assert_eq!(
        (cuts, heard.len()),
        (1, 2),
        "one cut a second, receipts once"
    );
    // With room for a few frames only, five hundred wants cost these few frames.
    net.input(
        0,
        topic::Input::Writable {
            link: puppet,
            bytes: 0,
        },
    );
    for _ in 0..500 {
        let ranges = vec![
            Range {
                author,
                from: 1,
                to: 400
            };
            256
        ];
        net.input(
            0,
            topic::Input::Frame {
                link: puppet,
                topic: TOPIC,
                frame: TopicFrame::Want {
                    ranges,
                    control_only: false,
                },
            },
        );
        net.heard(puppet, 0);
    }
    let size = format!("{:?}", net.nodes[0].topics).len();
    assert!(size < 200_000, "{size}");
}

#[test]
fn a_link_without_credit_gets_nothing_and_costs_nothing() {
    let mut net = Net::joined(10, 3);
    net.credit = 0;
    net.link(0, 1);
    for number in 0..200 {
        net.say(0, &format!("{number}"));
    }
    net.settle();
    assert_eq!(net.texts(1).len(), 0);
    let size = format!("{:?}", net.nodes[0].topics).len();
    assert!(size < 100_000, "{size}");
    net.credit = 128 * 1024;
    net.link(0, 2);
    net.settle();
    assert_eq!(net.texts(2).len(), 200, "others are not held up");
}

#[test]
fn a_fork_is_told_to_all_and_they_agree() {
    let mut net = Net::joined(11, 4);
    // Member 3 goes on from one store in two places.
    let backup = net.nodes[3].world.base().clone();
    net.say(3, "to the left");
    let link = net.link(3, 1);
    net.settle();
    net.cut(link);
    net.set_back(3, backup);
    net.say(3, "to the right");
    let link = net.link(3, 2);
    net.settle();
    net.cut(link);
    net.say(1, "I have seen the left");
    net.link(0, 1);
    net.link(0, 2);
    net.settle();
    net.nodes.truncate(3);
    assert!(net.agree());
    let forks = |net: &mut Net, node: usize| {
        let crate::net::Node { world, topics, .. } = &mut net.nodes[node];
        world.turn(|cx| topics.lace(cx, TOPIC).unwrap().evidence_hash())
    };
    assert_eq!(forks(&mut net, 0), forks(&mut net, 1));
    assert_eq!(forks(&mut net, 0), forks(&mut net, 2));
    net.say(2, "we go on");
    net.settle();
    assert!(net.agree());
    for node in 0..3 {
        assert!(net.texts(node).contains(&"we go on".to_owned()));
        assert!(net.texts(node).contains(&"I have seen the left".to_owned()));
    }
    net.pass(limits::PASS_LATER_MAX);
    let before = net.sent();
    net.pass(Duration::from_secs(600));
    assert_eq!(net.sent(), before, "and it ends");
    // What became void and what stands again was charged once like everything.
    for node in 0..3 {
        assert!(net.is_charged(node), "node {node}");
    }
}
