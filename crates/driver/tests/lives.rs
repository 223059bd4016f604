//! How lives end, and what the next one finds.

use driver::{End, Ending, Opened, Options, limits::MAX_RESTARTS, start};
use machine::Fault;

use crate::world::{Disk, Do, Obedient, Said, Silent, Wires, World, panicking};

#[test]
fn a_failed_commit_releases_nothing_and_the_node_is_built_again() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    gate.open();
    assert_eq!(world.next(), Said::Wrote(1));
    world.tell(Do::Write(2));
    let first = gate
        .knocks
        .recv_timeout(crate::world::GUARD)
        .expect("a commit comes");
    assert_eq!(first, [2]);
    // This one rests on the one that is about to fail.
    world.tell(Do::Write(3));
    world.tell(Do::Say(4));
    world.quiet();
    gate.refuse();
    let reason = Fault::Commit("the test said so".to_owned());
    assert_eq!(world.next(), Said::Ended(Ending::Store(reason)));
    assert_eq!(world.next(), Said::Began(2));
    world.tell(Do::Count);
    assert!(
        matches!(world.next(), Said::Counted(1, _)),
        "what was durable is there"
    );
    assert_eq!(world.disk.rows(), [1]);
    world.tell(Do::Write(5));
    gate.open();
    assert_eq!(world.next(), Said::Wrote(5));
}

#[test]
fn a_panic_releases_nothing_and_the_node_is_built_again() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    world.tell(Do::Panic(1001));
    panicking(1001);
    // The commit in flight ends before the next life begins, so that the store is free.
    gate.open();
    assert_eq!(
        world.next(),
        Said::Ended(Ending::Panic("told to".to_owned()))
    );
    assert_eq!(world.next(), Said::Began(2));
    world.tell(Do::Count);
    // The first row may be there or not, as after a crash; here the disk had it. Nobody was told.
    assert!(matches!(world.next(), Said::Counted(1, _)));
    assert_eq!(world.disk.rows(), [1]);
}

#[test]
fn a_life_ends_when_somebody_wants_it_to_and_what_was_not_durable_was_told_to_nobody() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    world.quiet();
    world.node.handle().renew("there is room again");
    gate.open();
    let wanted = Ending::System("there is room again".to_owned());
    let mut said = world.next();
    if said == Said::Wrote(1) {
        // The commit was done before the wish was heard.
        said = world.next();
    }
    assert_eq!(said, Said::Ended(wanted));
    assert_eq!(world.next(), Said::Began(2));
    world.tell(Do::Count);
    assert!(matches!(world.next(), Said::Counted(1, _)));
}

#[test]
fn what_waits_for_a_life_ends_with_it_and_what_comes_later_is_for_the_next() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    world.tell(Do::Panic(1002));
    world.tell(Do::Say(2));
    panicking(1002);
    gate.open();
    assert!(matches!(world.next(), Said::Ended(_)));
    world.tell(Do::Say(3));
    assert_eq!(world.next(), Said::Began(2));
    assert_eq!(world.next(), Said::Heard(3));
}

#[test]
fn each_life_has_fresh_randomness() {
    let world = World::new(Options::default());
    let mut seen = Vec::new();
    for life in 2..5 {
        world.tell(Do::Count);
        let Said::Counted(_, random) = world.next() else {
            panic!("no count")
        };
        assert!(!seen.contains(&random));
        seen.push(random);
        world.tell(Do::Panic(0));
        assert!(matches!(world.next(), Said::Ended(_)));
        assert_eq!(world.next(), Said::Began(life));
    }
}

#[test]
fn a_check_that_panics_ends_the_life() {
    let world = World::new(Options::default());
    world.tell(Do::BadCheck);
    let Said::Ended(Ending::Panic(text)) = world.next() else {
        panic!("it goes on")
    };
    assert!(text.contains("a bad check"), "{text}");
    assert_eq!(world.next(), Said::Began(2));
    // Checks of the new life are in order from the start.
    world.tell(Do::Check(1));
    assert_eq!(world.next(), Said::Heard(1));
}

#[test]
fn a_node_that_fails_too_often_is_given_up() {
    let world = World::new(Options::default());
    for life in 2.. {
        world.tell(Do::Panic(0));
        assert!(matches!(world.next(), Said::Ended(_)));
        if life > MAX_RESTARTS + 1 {
            break;
        }
        assert_eq!(world.next(), Said::Began(life as u64));
    }
    assert_eq!(
        world.node.wait(),
        End::GivenUp(Ending::Panic("told to".to_owned()))
    );
}

#[test]
fn a_node_that_cannot_be_opened_ends_at_once_with_the_reason() {
    let open = |_| Err::<Opened<Obedient, Disk>, _>("the home is locked".to_owned());
    let node = start(Options::<Do, Wires>::default(), open, |_| Silent).expect("threads");
    assert_eq!(
        node.wait(),
        End::GivenUp(Ending::Open("the home is locked".to_owned()))
    );
}

#[test]
fn stopping_between_two_lives_ends_the_node() {
    let world = World::new(Options::default());
    world.tell(Do::Panic(0));
    assert!(matches!(world.next(), Said::Ended(_)));
    world.handle.stop();
    assert_eq!(world.node.wait(), End::Unsettled);
}

#[test]
fn a_store_is_closed_when_the_node_has_stopped() {
    use store::MemoryStore;
    let memory = MemoryStore::new(&[crate::world::ROWS]);
    let disk = memory.clone();
    let open = move |_| Ok(Opened::over(Obedient::default(), disk.clone()));
    let node = start(Options::<Do, Wires>::default(), open, |_| Silent).expect("threads");
    node.handle()
        .send_blocking(Do::Write(7), 8)
        .expect("it runs");
    node.handle().stop();
    assert_eq!(node.wait(), End::Stopped);
    assert_eq!(memory.base().rows().count(), 1);
    assert!(memory.reopen().1.clean, "it was closed");
}
