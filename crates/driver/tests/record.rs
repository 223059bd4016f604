//! What was recorded replays, hash for hash; what differs is named.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use driver::{
    Options,
    record::{Recorder, ReplayFailed, Replayed, replay},
};

use crate::world::{Do, Obedient, ROWS, Said, Wires, World};

fn recording(path: &Path) -> Options<Do, Wires> {
    let recorder = Recorder::create(path, b"about the node", vec![ROWS]).expect("it is new");
    Options {
        recorder: Some(recorder),
        ..Options::default()
    }
}

fn play(path: &Path, whim: u64) -> Result<Replayed, ReplayFailed> {
    replay(path, |header, _, _| {
        assert_eq!(header, b"about the node");
        Ok(Obedient {
            whim,
            ..Obedient::default()
        })
    })
}

/// A life with a bit of everything, recorded.
fn record(folder: &Path) -> PathBuf {
    let path = folder.join("record");
    let world = World::new(recording(&path));
    for n in 0..200 {
        world.tell(Do::Write(n));
        world.tell(Do::Say(n));
        world.tell(Do::Check(n));
        world.tell(Do::Count);
        world.tell(Do::All(n));
        world.tell(Do::Work(3));
    }
    world.tell(Do::Wake(1));
    while world.next() != Said::Woke {}
    world.handle.stop();
    world.node.wait();
    path
}

#[test]
fn a_record_replays_hash_for_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path());
    let found = play(&path, 0).expect("the same outputs");
    assert_eq!(found.lives, 1);
    assert!(found.turns > 1_200, "{found:?}");
    assert!(found.outputs > 1_600, "{found:?}");
    assert_ne!(found.hash, [0; 16]);
    assert_eq!(play(&path, 0).expect("the same outputs"), found, "again");
}

#[test]
fn a_machine_that_depends_on_something_else_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path());
    let found = play(&path, 1).expect_err("it says other things");
    assert!(
        matches!(found, ReplayFailed::Differs { life: 1, turn: 2.. }),
        "{found}"
    );
}

#[test]
fn each_life_is_recorded_from_its_own_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    let (world, gate) = World::gated(recording(&path));
    world.tell(Do::Write(1));
    gate.open();
    assert_eq!(world.next(), Said::Wrote(1));
    world.tell(Do::Write(2));
    gate.fail();
    assert!(matches!(world.next(), Said::Ended(_)));
    assert_eq!(world.next(), Said::Began(2));
    world.tell(Do::Count);
    assert!(matches!(world.next(), Said::Counted(1, _)));
    world.handle.stop();
    world.node.wait();
    let found = play(&path, 0).expect("the same outputs");
    assert_eq!((found.lives, found.outputs), (2, 2));
}

#[test]
fn a_panic_is_met_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    let world = World::new(recording(&path));
    world.tell(Do::Say(1));
    world.tell(Do::Panic(2));
    assert_eq!(world.next(), Said::Heard(1));
    assert!(matches!(world.next(), Said::Ended(_)));
    assert_eq!(world.next(), Said::Began(2));
    world.handle.stop();
    world.node.wait();
    let found = play(&path, 0).expect_err("it panics");
    let ReplayFailed::Panicked {
        life: 1,
        turn: 3,
        text,
    } = found
    else {
        panic!("{found}")
    };
    assert_eq!(text, "told to");
}

#[test]
fn a_record_cut_off_anywhere_replays_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    let world = World::new(recording(&path));
    for n in 0..3 {
        world.tell(Do::Write(n));
        assert_eq!(world.next(), Said::Wrote(n));
    }
    world.handle.stop();
    world.node.wait();
    let whole = std::fs::read(&path).expect("it is there");
    let short = folder.path().join("short");
    let head = b"waystation record 1\n".len() + 9 + b"about the node".len();
    for end in head..whole.len() {
        std::fs::write(&short, &whole[..end]).expect("written");
        play(&short, 0).expect("what is there is right");
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    for bytes in [
        &b""[..],
        b"waystation record 2\n",
        b"waystation record 1\n\0\0\0\0\x05",
    ] {
        std::fs::write(&path, bytes).expect("written");
        assert!(matches!(play(&path, 0), Err(ReplayFailed::Read(_))));
    }
    assert!(play(&folder.path().join("absent"), 0).is_err());
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    let world = World::new(recording(&path));
    world.tell(Do::Write(1));
    assert_eq!(world.next(), Said::Wrote(1));
    world.handle.stop();
    world.node.wait();
    let whole = std::fs::read(&path).expect("it is there");
    let broken = folder.path().join("broken");
    let mut lengths = BTreeSet::new();
    let mut entry = b"waystation record 1\n".len();
    while let Some(&[a, b, c, d]) = whole.get(entry..entry + 4) {
        lengths.extend(entry..entry + 4);
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).expect("memory holds it");
        entry += 9 + length;
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&broken, bytes).expect("written");
        // It must come to an end, without a crash and without a wish for memory.
        let end = replay(&broken, |_, _, _| Ok(Obedient::default()));
        // A length that reaches beyond the end of the file looks like a record that was cut off.
        assert!(end.is_err() || lengths.contains(&at), "byte {at}");
    }
}

#[test]
fn a_record_that_was_cut_off_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    let world = World::new(recording(&path));
    world.tell(Do::Write(1));
    assert_eq!(world.next(), Said::Wrote(1));
    world.handle.stop();
    world.node.wait();
    let whole = std::fs::read(&path).expect("it is there");
    assert!(!play(&path, 0).expect("the same outputs").ends_early);
    let cut = folder.path().join("cut");
    for end in [whole.len() - 1, whole.len() - 8] {
        std::fs::write(&cut, &whole[..end]).expect("written");
        assert!(play(&cut, 0).expect("what is whole is the same").ends_early);
    }
}

#[test]
fn a_record_is_private_and_never_overwrites() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    drop(Recorder::<Do, Wires>::create(&path, b"", vec![]).expect("it is new"));
    assert!(Recorder::<Do, Wires>::create(&path, b"", vec![]).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
