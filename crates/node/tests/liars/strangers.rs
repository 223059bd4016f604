//! Strangers, and whoever changes what honest nodes say.

use super::{Said, assert_same_disk, cast, heard, hello, specimens};
use machine::Rng;
use node::LinkId;
use router::limits::SORRY_EVERY;
use std::time::Duration;
use wire::Frame;

#[test]
fn a_stranger_leaves_nothing_behind() {
    let (mut cast, said) = cast(60);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one] {
        let before = world.disk(node).clone();
        for bytes in specimens(&said) {
            // Before the hello.
            let link = world.connect(liar, Some(1), node);
            world.inject(link, bytes.clone());
            world.pass(SORRY_EVERY.saturating_add(Duration::from_millis(10)));
            assert!(
                // A ping may overtake the hello, which waits for a commit.
                Frame::decode(&bytes).expect("honest").kind() <= 3
                    || world.link(liar, node).is_none(),
                "whoever does not say hello first is shown out"
            );
            world.tear(link);
            // After it.
            let link = world.connect(liar, Some(1), node);
            world.inject(link, hello(world).encode());
            world.inject(link, bytes);
            world.pass(Duration::from_millis(10));
            for frame in heard(world, liar, link) {
                assert!(!matches!(
                    frame,
                    Frame::Topic { .. } | Frame::GrantProof { .. }
                ));
            }
            world.tear(link);
        }
        world.pass(Duration::from_secs(20));
        assert_same_disk(world, node, &before, "frames of a stranger");
    }
    cast.talk_goes_on();
}

#[test]
fn a_stranger_gets_sixteen_kilobytes_and_ten_seconds() {
    let (mut cast, said) = cast(61);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    let before = world.disk(cast.alice).clone();
    let tags = said.iter().map(|(_, _, bytes)| bytes);
    let tags = tags.filter(|bytes| Frame::decode(bytes).expect("honest").kind() == 6);
    let tags = tags.max_by_key(|bytes| bytes.len()).expect("tags").clone();
    let link = world.connect(liar, Some(1), cast.alice);
    world.inject(link, hello(world).encode());
    let mut taken = 0;
    while world.link(liar, cast.alice).is_some() {
        taken += tags.len();
        world.inject(link, tags.clone());
        world.pass(SORRY_EVERY);
        assert!(taken < 17 * 1024, "{taken} bytes were taken");
    }
    // One that says nothing.
    world.connect(liar, Some(1), cast.alice);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.link(liar, cast.alice), None);
    // Very many at once.
    let links: Vec<LinkId> = (0..200)
        .map(|_| world.connect(liar, Some(1), cast.alice))
        .collect();
    world.pass(SORRY_EVERY);
    let open = world
        .links()
        .iter()
        .filter(|(link, ..)| links.contains(link))
        .count();
    assert!(open <= 33, "{open} links of one stranger");
    world.pass(Duration::from_secs(30));
    assert_same_disk(world, cast.alice, &before, "a stranger's flood");
    cast.talk_goes_on();
}

#[test]
fn proofs_of_another_link_prove_nothing() {
    let (mut cast, said) = cast(62);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one, cast.two] {
        let before = world.disk(node).clone();
        for from in 0..5 {
            let link = world.connect(liar, Some(1), node);
            world.inject(link, hello(world).encode());
            for (_, _, bytes) in said.iter().filter(|(by, to, _)| (*by, *to) == (from, node)) {
                let kind = Frame::decode(bytes).expect("honest").kind();
                if matches!(kind, 6 | 7 | 8 | 9 | 10 | 14 | 15 | 17 | 21) {
                    world.inject(link, bytes.clone());
                }
            }
            world.pass(Duration::from_secs(1));
            for frame in heard(world, liar, link) {
                let shown = matches!(
                    frame,
                    Frame::Topic { .. }
                        | Frame::Show { .. }
                        | Frame::GrantProof { .. }
                        | Frame::CoreAgreed { .. }
                        | Frame::CoreServing { .. }
                );
                assert!(!shown, "{frame:?}");
            }
            world.tear(link);
        }
        // Its own words, thrown back.
        let link = world.connect(liar, Some(1), node);
        world.inject(link, hello(world).encode());
        for _ in 0..20 {
            world.settle();
            let words = heard(world, liar, link);
            for frame in words.iter().filter(|frame| frame.kind() > 1) {
                world.inject(link, frame.encode());
            }
        }
        assert!(
            heard(world, liar, link)
                .iter()
                .all(|frame| frame.kind() < 21)
        );
        world.tear(link);
        world.pass(Duration::from_secs(20));
        assert_same_disk(world, node, &before, "replayed proofs");
    }
    cast.talk_goes_on();
}

/// Whether a client asks for its topic to be held under a secret that nobody has: the core node then
/// knows nobody by it, for it is the client's to say.
fn names_another_secret(bytes: &[u8], said: &Said) -> bool {
    let secret = |bytes: &[u8]| match Frame::decode(bytes) {
        Ok(Frame::CoreServe { secret, .. }) => Some(*secret.as_bytes()),
        _ => None,
    };
    let mut known = said.iter().filter_map(|(.., bytes)| secret(bytes));
    secret(bytes).is_some_and(|changed| !known.any(|known| known == changed))
}

/// Everything that was ever said, again and changed, on the links of honest nodes.
#[test]
fn changed_frames_on_honest_links_change_nothing() {
    let (mut cast, said) = cast(63);
    let mut rng = Rng::from_seed([63; 32]);
    let mut count = 0;
    for round in 0..3 {
        for (from, to, bytes) in &said {
            let kind = Frame::decode(bytes).expect("honest").kind();
            // A peer may of course say goodbye, cancel its service or refuse.
            if matches!(kind, 1 | 16 | 19 | 24) {
                continue;
            }
            let mut bytes = bytes.clone();
            for _ in 0..round {
                let at = usize::try_from(rng.below(bytes.len() as u64)).expect("short");
                bytes[at] ^= 1 << rng.below(8);
            }
            if matches!(Frame::decode(&bytes), Ok(frame) if matches!(frame.kind(), 1 | 16 | 19 | 24))
            {
                continue;
            }
            if round > 0 && names_another_secret(&bytes, &said) {
                continue;
            }
            cast.say_bytes(*from, *to, bytes);
            cast.world.settle();
            count += 1;
        }
    }
    assert!(count > 500, "{count} frames");
    cast.talk_goes_on();
}

/// Garbage that no decoder takes ends the link and nothing else.
#[test]
fn garbage_ends_the_link() {
    let (mut cast, _) = cast(64);
    let mut rng = Rng::from_seed([64; 32]);
    for length in [
        0_usize,
        1,
        2,
        100,
        5_000,
        wire::limits::MAX_FRAME,
        wire::limits::MAX_FRAME + 1,
    ] {
        let mut bytes = vec![0; length];
        rng.fill(&mut bytes);
        cast.say_bytes(cast.bob, cast.alice, bytes);
        cast.world.settle();
    }
    cast.talk_goes_on();
}
