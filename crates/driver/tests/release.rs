//! The rule of release, under the real driver.

use driver::{End, Full, Options};
use machine::MAX_BATCHES_IN_FLIGHT;

use crate::world::{Do, GUARD, QUIET, Said, World};

#[test]
fn nothing_held_leaves_before_its_commit() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::All(1));
    // What asserts nothing leaves at once.
    assert_eq!(world.next(), Said::Verbatim(1));
    assert_eq!(world.next(), Said::Advisory(1));
    assert_eq!(world.next(), Said::Content(1));
    // A turn that staged nothing still waits for those before it: else it would reveal them.
    world.tell(Do::Say(2));
    world.quiet();
    assert_eq!(world.disk.rows(), []);
    assert_eq!(gate.open(), [1]);
    assert_eq!(world.next(), Said::Wrote(1));
    assert_eq!(world.next(), Said::Heard(2));
    assert_eq!(world.disk.rows(), [1]);
    // With nothing in flight it leaves at once.
    world.tell(Do::Say(3));
    assert_eq!(world.next(), Said::Heard(3));
}

#[test]
fn reads_see_what_is_staged_and_what_they_saw_is_not_told() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    world.tell(Do::Count);
    world.quiet();
    gate.open();
    assert_eq!(world.next(), Said::Wrote(1));
    assert!(matches!(world.next(), Said::Counted(1, _)));
}

#[test]
fn commits_are_grouped_and_pipelined() {
    let (world, gate) = World::gated(Options::default());
    for n in 0..100 {
        world.tell(Do::Write(n));
    }
    // However many turns there were, no more batches are given out than may be in flight.
    let mut batches = 0;
    for n in 0..100 {
        while let Ok(numbers) = gate.knocks.recv_timeout(QUIET) {
            batches += numbers.len();
            assert!(numbers.len() <= MAX_BATCHES_IN_FLIGHT);
            gate.land();
        }
        assert_eq!(world.next(), Said::Wrote(n));
    }
    assert!(batches < 50, "{batches} batches for 100 turns");
}

#[test]
fn ten_thousand_inputs_keep_their_order() {
    let world = World::new(Options::default());
    let handle = world.handle.clone();
    let sender = std::thread::spawn(move || {
        for n in 0..10_000 {
            let input = if n % 3 == 0 { Do::Say(n) } else { Do::Write(n) };
            handle.send_blocking(input, 100).expect("it runs");
        }
    });
    for n in 0..10_000 {
        let wanted = if n % 3 == 0 {
            Said::Heard(n)
        } else {
            Said::Wrote(n)
        };
        assert_eq!(world.next(), wanted);
    }
    sender.join().expect("it sent everything");
}

#[test]
fn results_of_checks_keep_the_order_in_which_they_were_asked_for() {
    let world = World::new(Options {
        workers: Some(4),
        ..Options::default()
    });
    // More than may wait: some are carried out by the node's own thread.
    for n in 0..5_000 {
        world.tell(Do::Check(n));
    }
    for n in 0..5_000 {
        assert_eq!(world.next(), Said::Heard(n));
    }
}

#[test]
fn long_work_and_inputs_take_turns() {
    let world = World::new(Options::default());
    world.tell(Do::Work(u64::MAX));
    // The work never ends; an input is taken all the same.
    world.tell(Do::Say(1));
    assert_eq!(world.next(), Said::Heard(1));
    world.tell(Do::Work(1));
    assert_eq!(world.next(), Said::Worked);
}

#[test]
fn deadlines_come() {
    let world = World::new(Options::default());
    world.tell(Do::Wake(20));
    assert_eq!(world.next(), Said::Woke);
}

#[test]
fn a_full_inbox_makes_its_senders_wait() {
    let (world, gate) = World::gated(Options::default());
    let big = 4 * 1024 * 1024;
    let mut waiting = 0;
    world.tell(Do::Work(u64::MAX));
    let refused = loop {
        // The node takes inputs as they come; the test has to be quicker than it once.
        let burst: Vec<_> = (0..64)
            .map(|n| world.handle.try_send(Do::Write(n), big))
            .collect();
        waiting += burst.iter().filter(|sent| sent.is_ok()).count();
        if let Some(refused) = burst.into_iter().find_map(Result::err) {
            break refused;
        }
    };
    assert!(matches!(refused, Full::Full(Do::Write(_))));
    // Whoever waits gets room.
    let handle = world.handle.clone();
    let sender = std::thread::spawn(move || handle.send_blocking(Do::Say(99), big));
    let mut said = Vec::new();
    while said.len() < waiting + 1 {
        if gate.knocks.recv_timeout(QUIET).is_ok() {
            gate.land();
        }
        said.extend(world.said.try_iter());
    }
    sender.join().expect("it ends").expect("the node runs");
    assert_eq!(said.last(), Some(&Said::Heard(99)));
}

#[test]
fn stopping_works_off_what_waits_and_commits_it() {
    let world = World::new(Options::default());
    for n in 0..500 {
        world.tell(Do::Write(n));
        world.tell(Do::Check(n));
    }
    world.handle.stop();
    let World {
        node,
        handle,
        said,
        disk,
    } = world;
    assert_eq!(node.wait(), End::Stopped);
    assert_eq!(disk.rows().len(), 500);
    let said: Vec<_> = said.try_iter().collect();
    for n in 0..500 {
        assert!(said.contains(&Said::Wrote(n)));
        assert!(said.contains(&Said::Heard(n)));
    }
    // Nothing is taken any longer.
    assert!(handle.send_blocking(Do::Say(1), 1).is_err());
    assert!(matches!(handle.try_send(Do::Say(1), 1), Err(Full::Gone(_))));
}

#[test]
fn stopping_does_not_wait_for_ever_for_a_disk_that_hangs() {
    let (world, gate) = World::gated(Options::default());
    world.tell(Do::Write(1));
    gate.knocks.recv_timeout(GUARD).expect("a commit comes");
    world.handle.stop();
    let World { node, said, .. } = world;
    assert_eq!(node.wait(), End::Unsettled);
    assert_eq!(
        said.try_iter().count(),
        0,
        "what is not durable was never asserted"
    );
}

#[tokio::test]
async fn the_end_can_be_waited_for_by_a_task() {
    let world = World::new(Options::default());
    world.handle.send(Do::Say(1), 8).await.expect("it runs");
    world.handle.stop();
    assert_eq!(world.node.ended().await, End::Stopped);
}

#[cfg(feature = "planted")]
#[test]
fn without_the_rule_the_first_test_would_fail() {
    let options = Options {
        plant_early_release: true,
        ..Options::default()
    };
    let (world, gate) = World::gated(options);
    world.tell(Do::Write(1));
    assert_eq!(world.next(), Said::Wrote(1), "it left before its commit");
    assert_eq!(world.disk.rows(), []);
    drop(gate);
}
