//! Recognising a common topic and showing oneself.

use identity::{GrantId, SecretKey, TopicId};
use proptest::prelude::*;
use rights::limits::{MAX_SHARED_TOPICS, MIN_TAGS};
use rights::{
    BadTags, DeviceSecret, Founded, InviteSeed, KeyRing, LinkSecret, Match, MeetingSecret, Round,
    Show, ShowRefused, Standing, Tag, TooManyTopics, core_token, grant_of,
};
use wire::Frame;
use wire::limits::MAX_TAGS;

use crate::support::{DAY, NOW, core_ring, founded, founder, link, link_between, node, rng};

type Shared = (TopicId, MeetingSecret);

fn shared(of: &Founded) -> Shared {
    (of.topic, of.ring.newest_clean().unwrap().meeting().unwrap())
}

fn begin(link: &LinkSecret, topics: &[Shared], seed: u8) -> (Round, Vec<Tag>) {
    Round::begin(0, link, topics, 0, &mut rng(seed)).unwrap()
}

/// Somebody who was let into the topic by a link: device, invite, standing.
fn joiner(of: &Founded, seed: u8) -> Standing {
    let invite = InviteSeed::from_bytes([seed; 16]);
    let device = DeviceSecret::from_bytes([seed; 32]).joiner_key(of.topic);
    let grant = grant_of(&invite.item(of.topic, 1, NOW.as_millis() + DAY));
    let sealing = invite.sealing_key().public();
    let claim = invite.claim(of.topic, grant, device.public(), sealing, NOW);
    Standing {
        device,
        grant,
        claim: Some(claim),
    }
}

#[test]
fn two_members_find_their_topics_and_nothing_else() {
    let (common, mine, theirs) = (founded(1), founded(2), founded(3));
    let (dialler, acceptor) = link(7);
    let (at_dialler, sent) = begin(&dialler, &[shared(&common), shared(&mine)], 5);
    let (at_acceptor, answered) = begin(&acceptor, &[shared(&theirs), shared(&common)], 6);
    assert_eq!((sent.len(), answered.len()), (MIN_TAGS, MIN_TAGS));
    let found = at_acceptor.matches(&sent).unwrap();
    assert_eq!(
        found.iter().map(|m| m.topic).collect::<Vec<_>>(),
        [common.topic]
    );
    assert_eq!(found[0].tag, at_acceptor.own_tag(common.topic).unwrap());
    let back = at_dialler.matches(&answered).unwrap();
    assert_eq!(
        back.iter().map(|m| m.topic).collect::<Vec<_>>(),
        [common.topic]
    );

    let show = Show::build(&dialler, &back[0], &founder(&common));
    let shown = show.verify(&acceptor, &at_acceptor).unwrap();
    assert_eq!(shown.topic, common.topic);
    assert_eq!(shown.device, common.device.public());
    assert_eq!(shown.claim, None);
    let standing = joiner(&common, 40);
    let show = Show::build(&acceptor, &found[0], &standing);
    let shown = show.verify(&dialler, &at_dialler).unwrap();
    assert_eq!(
        (shown.device, shown.grant),
        (standing.device.public(), standing.grant)
    );
    assert_eq!(shown.claim, standing.claim);
    let Frame::Show { tag, claim, .. } = show.to_frame() else {
        panic!("a show's frame")
    };
    assert_eq!((tag, claim), (show.tag, show.claim));
}

#[test]
fn a_stranger_sees_random_bytes_and_finds_nothing() {
    let of = founded(1);
    let (dialler, acceptor) = link(7);
    let (_, sent) = begin(&dialler, &[shared(&of)], 5);
    let (stranger, answer) = begin(&acceptor, &[], 6);
    assert_eq!(answer.len(), MIN_TAGS);
    assert_eq!(stranger.matches(&sent), Ok(vec![]));
    // Somebody who knows the topic's id and its core secret, not its meeting secret.
    let core = core_ring(&of).newest_clean().unwrap().core().unwrap();
    let guess = MeetingSecret::from_bytes(*core.as_bytes());
    let (guesser, _) = begin(&acceptor, &[(of.topic, guess)], 6);
    assert_eq!(guesser.matches(&sent), Ok(vec![]));
}

#[test]
fn reflected_and_replayed_tags_match_nothing() {
    let of = founded(1);
    let (dialler, acceptor) = link(7);
    let (at_dialler, sent) = begin(&dialler, &[shared(&of)], 5);
    let (at_acceptor, answered) = begin(&acceptor, &[shared(&of)], 6);
    assert_eq!(
        at_dialler.matches(&sent),
        Ok(vec![]),
        "one's own list thrown back"
    );
    assert_eq!(at_acceptor.matches(&answered), Ok(vec![]));
    // A list passed on to other links: of another exporter, to another node, from another node.
    let others = [
        link(8).1,
        link_between(7, node(1), node(3)).1,
        link_between(7, node(3), node(2)).1,
        link_between(7, node(2), node(1)).0,
    ];
    for other in others {
        let (round, _) = begin(&other, &[shared(&of)], 6);
        assert_eq!(round.matches(&sent), Ok(vec![]), "{other:?}");
        let show = Show::build(
            &dialler,
            &Match {
                topic: of.topic,
                tag: at_dialler.own_tag(of.topic).unwrap(),
            },
            &founder(&of),
        );
        assert_eq!(show.verify(&other, &round), Err(ShowRefused::UnknownTag));
    }
    // A list of an earlier round of the same link.
    let (next, _) = Round::begin(1, &acceptor, &[shared(&of)], 0, &mut rng(6)).unwrap();
    assert_eq!(next.matches(&sent), Ok(vec![]));
}

#[test]
fn a_reflected_show_proves_nothing() {
    let of = founded(1);
    let (dialler, acceptor) = link(7);
    let (at_dialler, _) = begin(&dialler, &[shared(&of)], 5);
    let (at_acceptor, _) = begin(&acceptor, &[shared(&of)], 6);
    let tag = at_dialler.own_tag(of.topic).unwrap();
    let show = Show::build(
        &dialler,
        &Match {
            topic: of.topic,
            tag,
        },
        &founder(&of),
    );
    assert!(show.verify(&acceptor, &at_acceptor).is_ok());
    assert_eq!(
        show.verify(&dialler, &at_dialler),
        Err(ShowRefused::UnknownTag)
    );
    // Thrown back under the thief's own tag, which the dialler expects: the role differs.
    let own = Show {
        tag: at_acceptor.own_tag(of.topic).unwrap(),
        ..show
    };
    assert_eq!(
        own.verify(&dialler, &at_dialler),
        Err(ShowRefused::Signature)
    );
}

#[test]
fn a_show_of_another_link_topic_or_device_is_refused() {
    let (of, other) = (founded(1), founded(2));
    let (dialler, acceptor) = link(7);
    let topics = [shared(&of), shared(&other)];
    let (at_dialler, _) = begin(&dialler, &topics, 5);
    let (at_acceptor, _) = begin(&acceptor, &topics, 6);
    let matched = Match {
        topic: of.topic,
        tag: at_dialler.own_tag(of.topic).unwrap(),
    };
    let show = Show::build(&dialler, &matched, &founder(&of));
    // Another member's device, without its key.
    let posed = Show {
        device: SecretKey::from_seed([9; 32]).public(),
        ..show
    };
    assert_eq!(
        posed.verify(&acceptor, &at_acceptor),
        Err(ShowRefused::Signature)
    );
    // The statement for one topic under the tag of another.
    let moved = Show {
        tag: at_dialler.own_tag(other.topic).unwrap(),
        ..show
    };
    assert_eq!(
        moved.verify(&acceptor, &at_acceptor),
        Err(ShowRefused::Signature)
    );
    // A member that knows M relays a statement made on its own link with the founder.
    let (elsewhere, _) = link_between(7, node(1), node(3));
    let relayed = Show::build(&elsewhere, &matched, &founder(&of));
    assert_eq!(
        relayed.verify(&acceptor, &at_acceptor),
        Err(ShowRefused::Signature)
    );
    let unknown = Show {
        tag: [0; 16],
        ..show
    };
    assert_eq!(
        unknown.verify(&acceptor, &at_acceptor),
        Err(ShowRefused::UnknownTag)
    );
}

#[test]
fn a_claim_serves_its_own_device_grant_and_topic() {
    let (of, other) = (founded(1), founded(2));
    let (dialler, acceptor) = link(7);
    let (at_dialler, _) = begin(&dialler, &[shared(&of)], 5);
    let (at_acceptor, _) = begin(&acceptor, &[shared(&of)], 6);
    let matched = Match {
        topic: of.topic,
        tag: at_dialler.own_tag(of.topic).unwrap(),
    };
    let honest = joiner(&of, 40);
    let verdict = |standing: &Standing| {
        Show::build(&dialler, &matched, standing).verify(&acceptor, &at_acceptor)
    };
    assert!(verdict(&honest).is_ok());
    // Another's claim, which everybody in the topic can read.
    let thief = Standing {
        device: SecretKey::from_seed([9; 32]),
        ..honest.clone()
    };
    assert_eq!(verdict(&thief), Err(ShowRefused::ClaimForeign));
    let other_grant = Standing {
        grant: GrantId::from_bytes([9; 32]),
        ..honest.clone()
    };
    assert_eq!(verdict(&other_grant), Err(ShowRefused::ClaimForeign));
    let other_topic = Standing {
        claim: joiner(&other, 40).claim,
        ..honest.clone()
    };
    assert_eq!(verdict(&other_topic), Err(ShowRefused::ClaimForeign));
    // A claim made out by oneself in the name of an invite whose seed one has not.
    let mut forged = honest.clone();
    let claim = forged.claim.as_mut().unwrap();
    claim.time += 1;
    assert_eq!(verdict(&forged), Err(ShowRefused::ClaimForeign));
}

#[test]
fn lists_that_nobody_sends_are_refused() {
    let (dialler, acceptor) = link(7);
    let (round, _) = begin(&acceptor, &[], 6);
    let (_, good) = begin(&dialler, &[], 5);
    assert!(round.matches(&good).is_ok());
    for len in [0, 1, 8, 15] {
        assert_eq!(round.matches(&good[..len]), Err(BadTags::Length(len)));
    }
    let long: Vec<Tag> = (0..1024u32)
        .map(|n| {
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&n.to_be_bytes());
            tag
        })
        .collect();
    assert_eq!(round.matches(&long), Err(BadTags::Length(1024)));
    assert_eq!(round.matches(&long[..17]), Err(BadTags::Length(17)));
    assert!(round.matches(&long[..MAX_TAGS]).is_ok());
    let mut unsorted = good.clone();
    unsorted.swap(3, 4);
    assert_eq!(round.matches(&unsorted), Err(BadTags::Order));
    let mut repeated = good;
    repeated[4] = repeated[3];
    assert_eq!(round.matches(&repeated), Err(BadTags::Order));
}

fn many(count: u16) -> Vec<Shared> {
    (0..count)
        .map(|n| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            (TopicId::from_bytes(bytes), MeetingSecret::from_bytes(bytes))
        })
        .collect()
}

#[test]
fn more_topics_than_a_list_holds_are_found_in_further_rounds() {
    let (dialler, acceptor) = link(7);
    let topics = many(600);
    let common = topics[599].clone();
    let mut found = Vec::new();
    let mut tags = rng(5);
    for (number, from) in [(0, 0), (1, MAX_TAGS)] {
        let (mine, sent) = Round::begin(number, &dialler, &topics, from, &mut tags).unwrap();
        let theirs = core::slice::from_ref(&common);
        let (round, answered) = Round::begin(number, &acceptor, theirs, 0, &mut tags).unwrap();
        assert_eq!(sent.len(), if number == 0 { 512 } else { 128 });
        // The acceptor lists the topic in each round, and the dialler expects it in each: whoever
        // sees it first shows, and the other recognises the show's tag.
        assert_eq!(mine.matches(&answered).unwrap().len(), 1);
        found.extend(round.matches(&sent).unwrap());
    }
    assert_eq!(found.len(), 1);
    let too_many = many(u16::MAX)
        .into_iter()
        .chain(many(2))
        .collect::<Vec<_>>();
    let refused = Round::begin(0, &dialler, &too_many, 0, &mut tags).unwrap_err();
    assert_eq!(refused, TooManyTopics(MAX_SHARED_TOPICS + 1));
}

#[test]
fn a_topic_with_another_topics_epoch_is_told_apart_by_the_signature() {
    let of = founded(1);
    let mut genesis = of.genesis.clone();
    genesis.random = [77; 32];
    let held = of.ring.newest_clean().unwrap();
    let mut copy = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    copy.unlock(held.epoch().id(), held.access().unwrap().clone())
        .unwrap();
    let both = [shared(&of), (copy.topic(), shared(&of).1)];
    let (dialler, acceptor) = link(7);
    let (at_dialler, sent) = begin(&dialler, &both, 5);
    let (at_acceptor, _) = begin(&acceptor, &both, 6);
    assert_eq!(at_acceptor.matches(&sent).unwrap().len(), 2);
    for topic in [of.topic, copy.topic()] {
        let matched = Match {
            topic,
            tag: at_dialler.own_tag(topic).unwrap(),
        };
        let show = Show::build(&dialler, &matched, &founder(&of));
        assert_eq!(show.verify(&acceptor, &at_acceptor).unwrap().topic, topic);
    }
    let core = shared(&of).1.core();
    assert_eq!(
        core_token(&core, node(2)),
        core_token(&copy.core_secrets().next().unwrap(), node(2))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_ends_find_exactly_what_both_have(
        mine in proptest::collection::btree_set(0u16..60, 0..40),
        theirs in proptest::collection::btree_set(0u16..60, 0..40),
        exporter: u8,
    ) {
        let all = many(60);
        let pick = |set: &std::collections::BTreeSet<u16>| {
            set.iter().map(|n| all[usize::from(*n)].clone()).collect::<Vec<_>>()
        };
        let (dialler, acceptor) = link(exporter);
        let (one, sent) = begin(&dialler, &pick(&mine), 5);
        let (two, answered) = begin(&acceptor, &pick(&theirs), 6);
        let expected: Vec<TopicId> =
            mine.intersection(&theirs).map(|n| all[usize::from(*n)].0).collect();
        for (round, list) in [(&one, &answered), (&two, &sent)] {
            let mut found: Vec<TopicId> =
                round.matches(list).unwrap().into_iter().map(|m| m.topic).collect();
            found.sort();
            prop_assert_eq!(&found, &expected);
        }
        prop_assert_eq!(sent.len(), mine.len().next_power_of_two().max(16));
    }

    #[test]
    fn no_changed_show_passes(at in 0usize..64, bit in 0u8..8) {
        let of = founded(1);
        let (dialler, acceptor) = link(7);
        let (at_dialler, _) = begin(&dialler, &[shared(&of)], 5);
        let (at_acceptor, _) = begin(&acceptor, &[shared(&of)], 6);
        let matched = Match { topic: of.topic, tag: at_dialler.own_tag(of.topic).unwrap() };
        let mut show = Show::build(&dialler, &matched, &founder(&of));
        let mut signature = show.signature.to_bytes();
        signature[at] ^= 1 << bit;
        show.signature = identity::Signature::from_bytes(signature);
        prop_assert_eq!(show.verify(&acceptor, &at_acceptor), Err(ShowRefused::Signature));
    }
}
