//! Members that lie.

use super::{cast, header_id, sign_anything};
use crate::restored::info;
use crate::story::{send, texts, wait};
use identity::{SecretKey, TopicId};
use machine::Rng;
use node::command::{Command, Reply, WaitFor};
use std::time::Duration;
use wire::TopicFrame;

#[test]
fn a_member_cannot_speak_for_another() {
    let (mut cast, _) = cast(65);
    cast.world.down(cast.carol);
    let id = send(&mut cast.world, cast.alice, "tea", "for Carol");
    cast.world.pass(Duration::from_secs(20));
    let (bobs, alices) = (cast.author(cast.bob), cast.newest(cast.alice));
    let carol = cast.author(cast.carol).public();
    let entry = wire::CutEntry {
        author: alices.author,
        number: alices.number,
        id: header_id(&alices),
    };
    let core = cast.world.nodes[cast.two].config.node_key.public();
    let mut receipts = Vec::new();
    for (holder, kind) in [
        (carol, wire::ReceiptKind::Delivered),
        (core, wire::ReceiptKind::Held),
        (bobs.public(), wire::ReceiptKind::Held),
    ] {
        let mut receipt = wire::Receipt {
            topic: cast.topic,
            holder: bobs.public(),
            counter: u64::MAX >> 8,
            kind,
            cut: vec![entry],
            exceptions: vec![],
            until: if kind == wire::ReceiptKind::Held {
                entry.number + (1 << 42)
            } else {
                0
            },
            time: alices.created + 1,
            operator: None,
        };
        let signed = wire::sign_receipt(receipt.clone(), &bobs).expect("it signs");
        let mut raw = signed.get().to_raw();
        receipt.holder = holder;
        raw.bytes = receipt.encode();
        receipts.push(raw);
    }
    for raw in receipts {
        let frame = cast.topic_frame(TopicFrame::Receipts {
            receipts: vec![raw],
        });
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(100));
    }
    match cast.world.ask(cast.alice, Command::Why { id: Some(id) }) {
        Reply::Why(why) => {
            assert_eq!((why.delivered, why.members), (1, 2), "{why:#?}");
            let held = why.states.iter().filter(|state| state.state == "held");
            for state in held {
                let cores = [cast.world.id(cast.one), cast.world.id(cast.two)];
                assert!(
                    cores.iter().any(|core| core.to_string() == state.by),
                    "{state:?}"
                );
                assert!(state.until.expect("a promise") < alices.created * 2);
            }
        }
        other => panic!("{other:?}"),
    }
}

/// A cut that claims what does not exist costs its claimer a link, and others nothing.
#[test]
fn false_cuts_are_not_believed_for_long() {
    let (mut cast, _) = cast(66);
    let alices = cast.newest(cast.alice);
    let mut rng = Rng::from_seed([66; 32]);
    for round in 0..12 {
        let mut entries = vec![wire::CutEntry {
            author: alices.author,
            number: alices.number + 1_000_000,
            id: identity::EnvelopeId::from_bytes(rng.array()),
        }];
        for _ in 0..300 {
            entries.push(wire::CutEntry {
                author: identity::PublicKey::from_bytes(rng.array()),
                number: 1 + rng.below(1 << 40),
                id: identity::EnvelopeId::from_bytes(rng.array()),
            });
        }
        entries.sort();
        let frame = TopicFrame::Cut {
            entries,
            first: true,
            last: true,
        };
        let frame = cast.topic_frame(frame);
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(1));
        let text = format!("meanwhile {round}");
        let id = send(&mut cast.world, cast.alice, "tea", &text);
        let reached = wait(
            &mut cast.world,
            cast.alice,
            &id,
            WaitFor::Delivered,
            Some(1),
        );
        assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    }
    cast.world.pass(Duration::from_secs(700));
    for node in [cast.alice, cast.bob, cast.carol] {
        assert_eq!(texts(&mut cast.world, node, "tea").len(), 15);
        assert_eq!(info(&mut cast.world, node).members.len(), 3);
    }
}

/// Envelopes that a member signs and no rule admits.
#[test]
fn inadmissible_envelopes_are_not_stored() {
    let (mut cast, _) = cast(67);
    let key = cast.author(cast.bob);
    let alice = cast.author(cast.alice).public();
    let good = cast.next(cast.bob);
    let mut bad: Vec<(&str, wire::Header)> = Vec::new();
    let mut with = |what, change: &dyn Fn(&mut wire::Header)| {
        let mut header = good.clone();
        change(&mut header);
        bad.push((what, header));
    };
    with("a generation too high", &|header| header.generation += 5);
    with("a generation too low", &|header| header.generation = 1);
    with("an earlier time", &|header| header.created = 1);
    with("a life too long", &|header| {
        header.expires = header.created + (1 << 45)
    });
    with("over before it began", &|header| {
        header.expires = header.created.saturating_sub(1)
    });
    with("another grant", &|header| {
        header.grant = identity::GrantId::from_bytes([9; 32])
    });
    with("a past that does not exist", &|header| {
        header.deps = vec![identity::EnvelopeId::from_bytes([9; 32])];
    });
    with("another topic", &|header| {
        header.destination = TopicId::from_bytes([9; 32]).to_id();
    });
    let mut raws: Vec<(&str, wire::Raw)> = bad
        .into_iter()
        .map(|(what, header)| (what, sign_anything(header, &key, b"body")))
        .collect();
    let good = sign_anything(good, &key, b"body");
    let mut header = wire::decode_header(&good.header_bytes).expect("a good one");
    header.author = alice;
    raws.push((
        "another's name",
        wire::Raw {
            header_bytes: header.encode(),
            ..good.clone()
        },
    ));
    let mut header = wire::decode_header(&good.header_bytes).expect("a good one");
    header.body_len += 1;
    raws.push((
        "another length",
        wire::Raw {
            header_bytes: header.encode(),
            ..good.clone()
        },
    ));
    for (what, raw) in raws {
        let id = wire::Header::id_of(&raw.header_bytes);
        let frame = TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        };
        let frame = cast.topic_frame(frame);
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(2));
        let stored =
            crate::witness::on_disk(cast.world.disk(cast.alice), &cast.topic, |lace, store| {
                lace.contains(store, &id)
            });
        assert_eq!(stored, Some(false), "{what}");
    }
    cast.talk_goes_on();
}

/// Someone without an invite makes itself a member, with whatever it can sign.
#[test]
fn nobody_lets_itself_in() {
    let (mut cast, _) = cast(68);
    let mut rng = Rng::from_seed([68; 32]);
    let template = cast.newest(cast.bob);
    let (device, author) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    let forged = SecretKey::generate(&mut rng);
    let sealing = identity::seal::hpke::derive_key_pair(&[7; 32]).1;
    let carrier = crate::witness::on_disk(cast.world.disk(cast.bob), &cast.topic, |lace, _| {
        let invite = lace.invites().next().expect("an invite");
        (invite.carrier, invite.key)
    });
    let (carrier, invite) = carrier.expect("the topic");
    let certificate = wire::Certificate::sign(cast.topic, &device, author.public(), 0);
    let mut claim = wire::Claim::sign(
        cast.topic,
        &forged,
        template.grant,
        device.public(),
        sealing,
        template.created,
    );
    let own = claim;
    claim.invite = invite;
    let mut false_certificate = certificate.clone();
    false_certificate.device = cast.newest(cast.carol).author;
    use wire::Item;
    for items in [
        vec![Item::Certificate(certificate.clone()), Item::Claim(claim)],
        vec![Item::Certificate(certificate.clone()), Item::Claim(own)],
        vec![Item::Certificate(certificate)],
        vec![Item::Certificate(false_certificate), Item::Claim(own)],
        vec![Item::Leave],
    ] {
        let mut header = template.clone();
        header.author = author.public();
        header.number = 1;
        header.previous = *cast.topic.as_bytes();
        header.class = wire::Class::Control;
        header.expires = 0;
        header.count = u16::try_from(items.len()).expect("few");
        header.deps = vec![carrier];
        let body = wire::encode_items(&items);
        let raw = sign_anything(header, &author, &body);
        let frame = TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        };
        let frame = cast.topic_frame(frame);
        for to in [cast.alice, cast.two] {
            cast.say_bytes(cast.bob, to, frame.clone());
            cast.world.pass(Duration::from_secs(2));
            let known = crate::witness::on_disk(cast.world.disk(to), &cast.topic, |lace, _| {
                lace.author(&author.public()).is_some()
            });
            assert_eq!(known, Some(false));
        }
    }
    cast.talk_goes_on();
}

/// A member signs two envelopes with one number and shows each to somebody else.
#[test]
fn a_member_that_forks_hurts_itself_alone() {
    let (mut cast, _) = cast(69);
    let key = cast.author(cast.bob);
    let next = cast.next(cast.bob);
    for branch in 0..20 {
        let mut header = next.clone();
        header.created += branch;
        let to = if branch % 2 == 0 {
            cast.alice
        } else {
            cast.carol
        };
        let frame = cast.envelope(&key, header, format!("branch {branch}").as_bytes());
        cast.say_bytes(cast.bob, to, frame);
        cast.world.settle();
    }
    cast.world.pass(Duration::from_secs(700));
    let id = send(&mut cast.world, cast.alice, "tea", "still here");
    wait(
        &mut cast.world,
        cast.alice,
        &id,
        WaitFor::Delivered,
        Some(1),
    );
    send(&mut cast.world, cast.carol, "tea", "so am I");
    send(&mut cast.world, cast.bob, "tea", "sorry");
    cast.world.pass(Duration::from_secs(60));
    for node in [cast.alice, cast.carol] {
        let seen = texts(&mut cast.world, node, "tea");
        for text in ["one", "two", "three", "still here", "so am I", "sorry"] {
            assert_eq!(
                seen.iter().filter(|seen| *seen == text).count(),
                1,
                "{text}: {seen:?}"
            );
        }
        let info = info(&mut cast.world, node);
        assert_eq!((info.forked.len(), info.members.len()), (1, 3));
    }
}
