//! Contents travel between peers of a topic, whatever happens to links, disks and nodes.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use block::eris::{BlockSize, Encoder, Reference};
use block::manifest::{CheckedManifest, References};
use block::memory::Whole;
use block::swap::limits::{
    CHALLENGE_PATIENCE, CHALLENGE_TRIES, LINK_WINDOW, MAX_IN_FLIGHT, NEAR_SPELL,
};
use block::swap::{Found, Input, LinkId, NotAContent, Swap};
use identity::Secret;
use machine::{ContentName, MemoryContents};
use wire::{Manifest, Part, SlotRange, TopicFrame};

use crate::room::{Manner, Room, SECRET, TOPIC, content, id, link};

const MIB: usize = 1 << 20;

#[test]
fn contents_of_all_sizes_come_whole_and_hardly_a_byte_twice() {
    for (seed, length) in [1, 1_023, 1_024, 16_383, 16_384, 5 * MIB, 70 * MIB]
        .into_iter()
        .enumerate()
    {
        let whole = content(seed as u64, length);
        let mut room = Room::new(seed as u64, 2);
        room.has(0, &whole);
        room.wants(1, &whole);
        room.run();
        assert!(room.is_whole(1, &whole), "{length} bytes");
        assert_eq!(room.peers[1].whole, 1);
        assert!(room.moved <= whole.stored.len() as u64);
    }
}

#[test]
fn a_long_file_keeps_no_short_one_waiting() {
    // With a disk that does one thing after everything that a link brings, what is under way waits for the disk.
    for (seed, slow) in (0..8).flat_map(|seed| [(seed, false), (seed, true)]) {
        let (film, note) = (content(seed, 40 * MIB), content(seed + 100, 200_000));
        let mut room = Room::new(seed, 2);
        room.has(0, &film);
        room.has(0, &note);
        room.wants(1, &film);
        let one = |room: &mut Room| {
            let mut stepped = slow;
            while stepped {
                let mut work = std::mem::take(&mut room.peers[1].work);
                stepped = room.step();
                work.append(&mut room.peers[1].work);
                room.peers[1].work = work;
            }
            room.step()
        };
        for _ in 0..200 {
            one(&mut room);
        }
        room.wants(1, &note);
        let moved = room.moved;
        while !room.is_whole(1, &note) {
            assert!(one(&mut room), "it comes");
        }
        let moved = room.moved - moved;
        // What was asked for before it came first, and then each had its turn.
        let most = 3 * LINK_WINDOW + if slow { MAX_IN_FLIGHT } else { 0 };
        assert!(moved <= most as u64, "{moved} bytes came first, {slow}");
        assert!(!room.is_whole(1, &film));
        room.run();
        assert!(room.is_whole(1, &film));
    }
}

#[test]
fn what_is_killed_goes_on_from_the_blocks_it_has() {
    let whole = content(9, 9 * MIB);
    for seed in 0..20 {
        let mut room = Room::new(seed, 3);
        room.has(0, &whole);
        room.wants(1, &whole);
        room.wants(2, &whole);
        let mut kills = 0;
        while kills < 12 {
            for _ in 0..room.rng.below(60) {
                room.step();
            }
            let at = room.rng.below(3) as usize;
            room.kill(at);
            kills += 1;
        }
        room.run();
        room.pass(Duration::from_secs(61));
        assert!(
            room.is_whole(1, &whole) && room.is_whole(2, &whole),
            "seed {seed}"
        );
    }
}

#[test]
fn who_has_a_part_gives_it_and_a_source_that_is_lost_is_not_missed() {
    let whole = content(2, 20 * MIB);
    let mut room = Room::new(2, 3);
    room.has(0, &whole);
    // The second has it from the first; the third knows only the second.
    room.part(0, 2);
    room.wants(1, &whole);
    room.wants(2, &whole);
    for _ in 0..250 {
        room.step();
    }
    assert!(!room.is_whole(1, &whole));
    room.pass(Duration::from_secs(1));
    assert!(room.is_whole(1, &whole));
    room.part(0, 1);
    room.pass(Duration::from_secs(1));
    assert!(room.is_whole(2, &whole), "through who had it only in part");
}

#[test]
fn two_who_have_a_half_each_are_both_asked() {
    let whole = content(3, 40 * MIB);
    let mut room = Room::new(3, 3);
    room.part(1, 2);
    room.part(0, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    while room
        .with(1, |swap, env| swap.known(env.cx, TOPIC, &whole.manifest))
        .expect("named")
        .have
        < 600
    {
        room.step();
    }
    room.part(0, 1);
    room.run();
    room.wants(2, &whole);
    let before = room.moved;
    room.join(1, 2);
    room.join(0, 2);
    room.run();
    assert!(room.is_whole(2, &whole));
    assert!(
        room.moved - before <= whole.stored.len() as u64,
        "nothing came twice"
    );
}

#[test]
fn who_lies_is_found_and_who_withholds_is_left_alone() {
    let both = [content(4, 3 * MIB), content(14, 2 * MIB)];
    for manner in [Manner::Lies, Manner::Withholds] {
        let mut room = Room::new(4, 3);
        room.part(1, 2);
        for whole in &both {
            room.has(0, whole);
            room.has(1, whole);
        }
        room.peers[0].manner = manner;
        room.wants(2, &both[0]);
        room.run();
        assert!(
            room.peers[2].blamed.is_empty(),
            "a disk may be at fault, once"
        );
        room.wants(2, &both[1]);
        room.run();
        for whole in &both {
            assert!(
                !room.is_whole(2, whole),
                "of nobody honest anything has come"
            );
        }
        room.join(1, 2);
        room.run();
        room.pass(Duration::from_secs(31));
        room.pass(Duration::from_secs(31));
        for whole in &both {
            assert!(room.is_whole(2, whole));
        }
        let lied = manner == Manner::Lies;
        assert_eq!(room.peers[2].blamed.contains(&0), lied);
        assert!(!room.peers[2].blamed.contains(&1));
    }
}

#[test]
fn pages_with_which_nobody_can_help_give_way_to_others() {
    // Nine pages, of blocks that nobody has: what lists them is enough here.
    let length = 9_000 * 32_768;
    let size = BlockSize::for_length(length);
    let encoder = Encoder::new(Secret::from_bytes(SECRET), length, size).expect("not too large");
    let shape = *encoder.shape();
    let mut references = References::new(&shape).expect("a content");
    for slot in 0..shape.blocks() {
        let reference = Reference::of(&slot.to_be_bytes());
        references.set(slot, reference).expect("each slot once");
    }
    let listing = references.finish().expect("all slots");
    let manifest = listing.list.manifest().to_manifest();
    let mut room = Room::new(15, 2);
    room.part(0, 1);
    let whole = Whole {
        manifest,
        ..content(15, 1)
    };
    room.wants(1, &whole);
    let run = |first, count| SlotRange { first, count };
    // The first has, as it says, a block of each of the first five pages; the second what is in the others.
    let some = (0..5).map(|page| run(page * 1_024, 1)).collect();
    let rest = vec![run(5 * 1_024, manifest.count - 5 * 1_024)];
    for (far, slots) in [(6, some), (7, rest)] {
        let (link, topic) = (LinkId(far), TOPIC);
        let near = false;
        room.give(1, Input::Proven { link, topic, near });
        let frame = TopicFrame::BlocksHere { manifest, slots };
        room.give(1, Input::Frame { link, topic, frame });
        let way = (1, far as usize);
        let mut asked = BTreeSet::new();
        while let Some((_, frame, _)) = room.frames.get_mut(&way).and_then(VecDeque::pop_front) {
            let TopicFrame::BlockWant { parts, .. } = frame else {
                continue;
            };
            for part in parts {
                asked.insert(part);
                let bytes = match part {
                    Part::List => listing.list.encode(),
                    Part::Page(page) => listing.pages[page as usize].encode(),
                    Part::Blocks(_) if far == 6 => Vec::new(),
                    Part::Blocks(_) => continue,
                };
                let frame = TopicFrame::Blocks {
                    manifest,
                    part,
                    bytes,
                };
                room.give(1, Input::Frame { link, topic, frame });
                room.work(1);
            }
        }
        let pages = asked.iter().filter(|part| matches!(part, Part::Page(_)));
        let blocks = asked.iter().filter(|part| matches!(part, Part::Blocks(_)));
        assert!(pages.count() > 0 && blocks.count() > 0, "{far}: {asked:?}");
    }
}

#[test]
fn a_read_that_fails_once_loses_nothing_and_what_is_lost_is_fetched_again() {
    let whole = content(16, 100_000);
    let mut room = Room::new(16, 3);
    room.has(0, &whole);
    room.wants(1, &whole);
    room.run();
    room.part(0, 1);
    room.part(0, 2);
    room.peers[1].unreadable = true;
    room.wants(2, &whole);
    room.run();
    assert!(
        !room.is_whole(2, &whole) && room.is_whole(1, &whole),
        "nothing is gone"
    );
    room.peers[1].unreadable = false;
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(2, &whole), "it was asked again");
    // What is gone from a disk is noticed when it is asked for, and fetched again.
    room.peers[1].disk = MemoryContents::default();
    let mut other = Room::new(17, 1);
    other.has(0, &whole);
    room.with(2, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    room.run();
    room.wants(2, &whole);
    room.run();
    let known = room.with(1, |swap, env| swap.known(env.cx, TOPIC, &whole.manifest));
    assert_eq!(
        known.map(|known| (known.have, known.wanted)),
        Some((0, true))
    );
    room.join(0, 1);
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(1, &whole) && room.is_whole(2, &whole));
}

#[test]
fn what_somebody_near_has_is_not_fetched_from_afar() {
    let whole = content(31, 9 * MIB);
    let mut room = Room::new(31, 4);
    room.near.insert(1);
    for (at, from) in [(2, 0), (2, 1), (3, 0), (3, 1)] {
        room.part(at, from);
    }
    room.part(2, 3);
    room.has(0, &whole);
    room.has(1, &whole);
    room.join(2, 0);
    room.join(2, 1);
    room.wants(2, &whole);
    room.run();
    assert!(room.is_whole(2, &whole));
    // But for what was asked of it before the other one said that it has it.
    let far = room.peers[0].gave;
    assert!(far <= LINK_WINDOW as u64, "{far}");
    // Whoever is near and does not answer is left for who does.
    room.peers[1].manner = Manner::Withholds;
    room.join(3, 0);
    room.join(3, 1);
    room.wants(3, &whole);
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(3, &whole));
    assert!(room.peers[0].gave > far);
}

#[test]
fn who_is_near_and_slow_keeps_nobody_from_others() {
    // One part every few seconds: it is not silent, and too slow.
    let whole = content(34, 9 * MIB);
    let mut room = Room::new(34, 3);
    room.near.insert(1);
    room.part(2, 0);
    room.part(2, 1);
    room.has(0, &whole);
    room.has(1, &whole);
    room.peers[1].manner = Manner::Drips;
    room.join(2, 1);
    room.wants(2, &whole);
    room.run();
    room.join(2, 0);
    for _ in 0..12 {
        room.pass(NEAR_SPELL * 2);
    }
    assert!(room.peers[0].gave > 6 << 20, "{}", room.peers[0].gave);
}

#[test]
fn what_is_asked_of_nobody_is_asked_when_who_is_near_has_lost_something_else() {
    let (one, two) = (content(35, 3 * MIB), content(36, 3 * MIB));
    let mut room = Room::new(35, 3);
    room.near.insert(1);
    room.part(2, 0);
    room.part(2, 1);
    for whole in [&one, &two] {
        room.has(1, whole);
        room.has(0, whole);
        room.wants(2, whole);
    }
    // What is near has nothing left, and says so of each part that it is asked for.
    room.peers[1].disk = MemoryContents::default();
    room.join(2, 1);
    room.join(2, 0);
    room.run();
    assert!(room.is_whole(2, &one) && room.is_whole(2, &two));
}

#[test]
fn who_says_that_it_holds_a_file_is_asked_for_a_part_of_it() {
    let whole = content(33, 3 * MIB);
    let mut room = Room::new(33, 2);
    room.has(0, &whole);
    // Whoever asks need not have anything of it.
    room.name_it(1, &whole);
    let ask = |room: &mut Room| {
        let asked = room.with(1, |swap, env| {
            let drawn = Swap::drawn(env, TOPIC);
            let (manifest, id) = drawn.first().expect("there is a file");
            assert_eq!(*manifest, whole.manifest);
            swap.challenge(env, (link(0), TOPIC), (manifest, *id))
        });
        room.run();
        asked
    };
    for _ in 0..20 {
        assert!(ask(&mut room));
    }
    assert_eq!(room.peers[1].found, [Found::Kept; 20]);
    let moved = room.moved;
    assert!(
        moved <= 20 * (64 << 10),
        "{moved}: a page and a block each time"
    );
    room.peers[1].found.clear();
    room.peers[0].manner = Manner::Lies;
    assert!(ask(&mut room));
    room.peers[0].manner = Manner::Withholds;
    assert!(ask(&mut room));
    // One question at a time.
    assert!(!ask(&mut room));
    // It is asked several times before its silence counts.
    for _ in 1..CHALLENGE_TRIES {
        room.pass(CHALLENGE_PATIENCE);
        assert_eq!(room.peers[1].found.len(), 1);
    }
    room.pass(CHALLENGE_PATIENCE);
    room.peers[0].manner = Manner::Honest;
    room.peers[0].disk = MemoryContents::default();
    assert!(ask(&mut room));
    let found = [Found::Other, Found::Silence, Found::Lacks];
    assert_eq!(room.peers[1].found, found);
    // Of a link that ends nothing is said, nor of one that has proved nothing.
    room.peers[0].manner = Manner::Withholds;
    assert!(ask(&mut room));
    room.part(0, 1);
    for _ in 0..CHALLENGE_TRIES * 2 {
        room.pass(CHALLENGE_PATIENCE);
    }
    assert_eq!(room.peers[1].found, found);
    assert!(!ask(&mut room));
}

#[test]
fn what_nobody_has_is_asked_for_ever_more_rarely() {
    let whole = content(32, 50_000);
    let mut room = Room::new(32, 2);
    room.wants(1, &whole);
    room.run();
    let mut asked = Vec::new();
    for minute in 0..600 {
        room.peers[1].world.pass(Duration::from_secs(60));
        room.with(1, Swap::on_deadline);
        let way = room.frames.entry((1, 0)).or_default();
        if !way.is_empty() {
            asked.push(minute);
        }
        way.clear();
    }
    let (first, last) = (asked.first(), asked.last());
    assert!(first.is_some_and(|first| *first <= 2), "{asked:?}");
    assert!(asked.len() <= 18 && last >= Some(&500), "{asked:?}");
    // What comes all the same is taken, and it is asked soon again.
    room.has(0, &whole);
    room.join(0, 1);
    room.run();
    assert!(room.is_whole(1, &whole));
}

#[test]
fn an_author_whose_disk_loses_a_file_has_it_back_from_who_fetched_it() {
    let whole = content(21, 100_000);
    let mut room = Room::new(21, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    room.run();
    room.peers[0].disk = MemoryContents::default();
    room.with(1, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    room.run();
    let name = ContentName(whole.manifest.root);
    room.peers[1].disk.insert(name, whole.stored.clone());
    room.wants(1, &whole);
    room.run();
    room.with(1, |swap, env| swap.adopt(env, TOPIC, &whole.manifest, name))
        .expect("named before");
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(0, &whole) && room.is_whole(1, &whole));
}

#[test]
fn a_fetch_that_is_begun_again_and_again_counts_what_is_under_way_right() {
    let whole = content(18, 8 * MIB);
    let mut room = Room::new(18, 3);
    room.has(0, &whole);
    room.has(1, &whole);
    for _ in 0..300 {
        room.wants(2, &whole);
        for _ in 0..room.rng.below(40) {
            room.step();
        }
        room.with(2, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    }
    room.wants(2, &whole);
    room.run();
    assert!(room.is_whole(2, &whole));
}

#[test]
fn a_link_that_proves_a_topic_no_longer_may_be_asked_in_others() {
    let whole = content(19, 8 * MIB);
    let mut room = Room::new(19, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    for _ in 0..6 {
        room.step();
    }
    for (at, to) in [(1, 0), (0, 1)] {
        room.give(
            at,
            Input::Unproven {
                link: link(to),
                topic: TOPIC,
            },
        );
    }
    room.run();
    assert!(!room.is_whole(1, &whole));
    room.join(0, 1);
    room.run();
    assert!(room.is_whole(1, &whole));
}

#[test]
fn nothing_is_asked_for_while_the_disk_is_full() {
    let whole = content(20, MIB);
    let mut room = Room::new(20, 2);
    room.has(0, &whole);
    room.give(1, Input::Room { full: true });
    room.wants(1, &whole);
    room.run();
    assert_eq!(room.moved, 0);
    room.give(1, Input::Room { full: false });
    room.run();
    assert!(room.is_whole(1, &whole));
}

#[test]
fn nothing_is_said_of_a_topic_to_who_has_not_proved_it() {
    let whole = content(5, 3_000);
    let mut room = Room::new(5, 2);
    room.has(0, &whole);
    room.run();
    let manifest = whole.manifest;
    let asks = [
        TopicFrame::BlocksAsk { manifest },
        TopicFrame::BlockWant {
            manifest,
            parts: vec![Part::List, Part::Blocks(SlotRange { first: 0, count: 1 })],
        },
    ];
    for frame in asks {
        // In another topic, that it has proved; and in this one, by a link that has not.
        room.give(
            0,
            Input::Proven {
                link: link(1),
                topic: 8,
                near: false,
            },
        );
        let ask = |topic, from| Input::Frame {
            link: link(from),
            topic,
            frame: frame.clone(),
        };
        room.give(0, ask(8, 1));
        room.give(0, ask(TOPIC, 5));
        let said: Vec<TopicFrame> = room
            .frames
            .values()
            .flatten()
            .map(|(_, frame, _)| frame.clone())
            .collect();
        let empty = |frame: &TopicFrame| matches!(frame, TopicFrame::Blocks { bytes, .. } if bytes.is_empty());
        assert!(said.iter().all(empty), "{said:?}");
        assert!(room.peers[0].work.is_empty());
        room.frames.clear();
    }
}

#[test]
fn what_a_manifest_cannot_have_is_neither_kept_nor_given() {
    let whole = content(6, 3_000);
    let mut room = Room::new(6, 2);
    let petabytes = Manifest {
        root: [1; 32],
        count: u32::MAX,
        bytes: 1 << 48,
    };
    let refused = room.with(0, |swap, env| swap.used(env, TOPIC, &petabytes, (id(1), 0)));
    assert!(matches!(refused, Err(NotAContent::Manifest(_))));
    room.has(0, &whole);
    room.run();
    let (manifest, blocks) = (whole.manifest, whole.manifest.count);
    let parts = vec![
        Part::Page(1),
        Part::Page(1_023),
        Part::Blocks(SlotRange {
            first: blocks - 1,
            count: 2,
        }),
        Part::Blocks(SlotRange {
            first: 1_048_575,
            count: 1,
        }),
    ];
    let frame = TopicFrame::BlockWant { manifest, parts };
    room.give(
        0,
        Input::Frame {
            link: link(1),
            topic: TOPIC,
            frame,
        },
    );
    assert!(room.peers[0].work.is_empty());
    // Another count under the same root is another content, which nobody has.
    let other = Manifest {
        count: 2_000,
        bytes: 2_000 * 32_768,
        ..manifest
    };
    room.with(0, |swap, env| swap.used(env, TOPIC, &other, (id(2), 0)))
        .expect("there may be such");
    let frame = TopicFrame::BlockWant {
        manifest: other,
        parts: vec![Part::List],
    };
    room.give(
        0,
        Input::Frame {
            link: link(1),
            topic: TOPIC,
            frame,
        },
    );
    assert!(room.peers[0].work.is_empty());
}

#[test]
fn a_content_stays_as_long_as_an_envelope_names_it_by_a_clock_that_is_confirmed() {
    let whole = content(7, 50_000);
    let mut room = Room::new(7, 1);
    room.has(0, &whole);
    let manifest = whole.manifest;
    let wall = room.peers[0].world.wall.as_millis();
    room.with(0, |swap, env| {
        swap.unuse(env, TOPIC, &manifest, &id(9));
        swap.used(env, TOPIC, &manifest, (id(2), wall + 5_000))
            .expect("a content");
        swap.used(env, TOPIC, &manifest, (id(3), wall + 500_000))
            .expect("a content");
        swap.unuse(env, TOPIC, &manifest, &id(1));
    });
    let known = |room: &mut Room| room.with(0, |swap, env| swap.known(env.cx, TOPIC, &manifest));
    room.pass(Duration::from_secs(100));
    assert_eq!(
        room.with(0, |swap, env| swap.uses(env.cx, (TOPIC, &manifest), None))
            .len(),
        2,
        "nobody knows the time"
    );
    room.give(0, Input::Clock { confirmed: true });
    room.pass(Duration::from_secs(61));
    assert_eq!(
        room.with(0, |swap, env| swap.uses(env.cx, (TOPIC, &manifest), None)),
        [id(3)]
    );
    assert!(known(&mut room).is_some_and(|known| known.whole));
    room.pass(Duration::from_secs(600));
    assert_eq!(known(&mut room), None);
    assert!(room.peers[0].disk.is_empty());
    assert_eq!(
        room.peers[0].world.base().rows().count(),
        0,
        "no row is left"
    );
}

#[test]
fn a_full_disk_ends_nothing() {
    let whole = content(8, 5 * MIB);
    let mut room = Room::new(8, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    for _ in 0..40 {
        room.step();
    }
    room.peers[1].full = true;
    room.run();
    assert!(!room.is_whole(1, &whole));
    room.pass(Duration::from_secs(31));
    assert!(!room.is_whole(1, &whole));
    room.peers[1].full = false;
    room.pass(Duration::from_secs(31));
    assert!(room.is_whole(1, &whole));
    assert!(
        room.peers[1].blamed.is_empty(),
        "whose disk is full blames nobody"
    );
}

#[test]
fn a_forgotten_topic_leaves_nothing() {
    let mut room = Room::new(10, 2);
    let some: Vec<Whole> = (0..40)
        .map(|seed| content(seed, 2_000 + seed as usize))
        .collect();
    for whole in &some {
        room.has(0, whole);
        room.wants(1, whole);
    }
    room.peers[0].disk = MemoryContents::default();
    room.run();
    for at in 0..2 {
        room.with(at, |swap, env| swap.forget(env, TOPIC));
        for _ in 0..20 {
            room.pass(Duration::from_millis(1));
        }
        assert_eq!(room.peers[at].world.base().rows().count(), 0);
    }
}

#[test]
fn more_is_wanted_than_can_be_fetched_at_once() {
    let mut room = Room::new(11, 2);
    let some: Vec<Whole> = (0..200)
        .map(|seed| content(seed, 3_000 + seed as usize))
        .collect();
    // Of most nothing is to be had.
    for whole in &some {
        room.wants(1, whole);
    }
    for whole in &some[190..] {
        let manifest = whole.manifest;
        let name = ContentName(manifest.root);
        room.name_it(0, whole);
        room.peers[0].disk.insert(name, whole.stored.clone());
        room.with(0, |swap, env| swap.adopt(env, TOPIC, &manifest, name))
            .expect("named before");
    }
    for _ in 0..20 {
        room.pass(Duration::from_secs(10));
    }
    let got = some.iter().filter(|whole| room.is_whole(1, whole)).count();
    assert_eq!(got, 10);
}

#[test]
fn the_same_file_again_takes_no_more_room() {
    let whole = content(12, 9_000);
    let mut room = Room::new(12, 1);
    room.has(0, &whole);
    let again = ContentName([200; 32]);
    room.peers[0].disk.insert(again, whole.stored.clone());
    let manifest = whole.manifest;
    room.with(0, |swap, env| swap.adopt(env, TOPIC, &manifest, again))
        .expect("named before");
    room.run();
    assert_eq!(room.peers[0].disk.len(), 1);
    assert!(room.is_whole(0, &whole));
    let named = room.with(0, |_, env| Swap::is_named(env.cx, again));
    assert!(!named);
    let checked = CheckedManifest::of(&manifest).expect("a content");
    assert_eq!(checked.pages(), 1);
}
