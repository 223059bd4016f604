//! What was shared is unpacked again, as it was.

use crate::files::{NAME, World, bytes, millis, on, secret, set_time, tree};
use block::bundle::What;
use driver::files::{Progress, ShareFailed, Unpacked, look, share, verify};
use machine::ContentName;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

/// Shares it, sees that the content is whole, unpacks it and compares.
fn there_and_back(world: &World, name: &str) -> Unpacked {
    let shared = world.share(name).expect("shared");
    assert_eq!(shared.root, name);
    let manifest = &shared.opening.manifest;
    let whole =
        verify(&world.content, NAME, &manifest.to_manifest(), &mut on).expect("looked through");
    assert_eq!(whole, []);
    let length = world.content_file().metadata().expect("known").len();
    assert_eq!(length, manifest.content_len());
    let index = look(&world.content, NAME, &shared.opening).expect("it has an index");
    assert_eq!(index.entry(0).expect("the first").name, name);
    let unpacked = world.unpack(&shared.opening, "back").expect("unpacked");
    assert_eq!(tree(&world.path(name)), tree(&world.path("back")));
    let said = Unpacked {
        folder: shared.folder,
        entries: shared.entries,
        bytes: shared.bytes,
    };
    assert_eq!(unpacked, said);
    unpacked
}

#[test]
fn two_thousand_files_and_a_large_one() {
    let world = World::new();
    for number in 0..2_000 {
        let name = format!("folder/{:02}/file {number}", number % 37);
        world.put(&name, &bytes(3, number % 700));
    }
    // A few pages of blocks would take long to make here; a bit more than a page does.
    world.put("folder/large", &bytes(4, 34 << 20));
    let unpacked = there_and_back(&world, "folder");
    assert_eq!(unpacked.entries, 1 + 37 + 2_000 + 1);
    assert!(unpacked.folder);
}

#[test]
fn files_and_folders_of_every_small_form() {
    for (name, len) in [
        ("empty", 0),
        ("one", 1),
        ("small", 16_000),
        ("large", 16_384),
    ] {
        let world = World::new();
        world.put(name, &bytes(5, len));
        let unpacked = there_and_back(&world, name);
        let expected = Unpacked {
            folder: false,
            entries: 1,
            bytes: len as u64,
        };
        assert_eq!(unpacked, expected);
    }
    // Contents that end with a leaf, so that there is one of padding alone.
    for len in [1_024 - 23, 32_768 - 25, 65_536 - 25] {
        for around in 0..5 {
            let world = World::new();
            world.put("edge", &bytes(5, len - around));
            there_and_back(&world, "edge");
        }
    }
    let world = World::new();
    fs::create_dir_all(world.path("empty")).expect("writable");
    assert_eq!(there_and_back(&world, "empty").entries, 1);
    let world = World::new();
    fs::create_dir_all(world.path("f/a/b/c")).expect("writable");
    fs::create_dir_all(world.path("f/a.b")).expect("writable");
    world.put("f/a/b/file", b"");
    world.put("f/ä/ö", b"umlauts");
    assert_eq!(there_and_back(&world, "f").entries, 8);
}

#[test]
fn as_deep_as_a_bundle_may_be_and_no_deeper() {
    let world = World::new();
    // With the folder that is shared, 63 folders and a file.
    let deep = "d/".repeat(62);
    world.put(&format!("folder/{deep}file"), b"deep");
    assert_eq!(there_and_back(&world, "folder").entries, 64);
    let world = World::new();
    world.put(&format!("folder/{deep}d/file"), b"too deep");
    let refused = world.share("folder").expect_err("too deep");
    assert!(matches!(refused, ShareFailed::Bundle(_)), "{refused}");
}

#[test]
fn times_and_the_right_to_execute_come_along_and_no_others() {
    let world = World::new();
    let program = world.put("folder/program", b"#!/bin/sh");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).expect("ours");
    set_time(&program, millis(1_234_567_890_123));
    let old = world.put("folder/old", b"old");
    set_time(&old, UNIX_EPOCH - Duration::from_secs(5));
    let open = world.put("folder/open", b"open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).expect("ours");
    there_and_back(&world, "folder");
    let mode = |name: &str| {
        let meta = fs::metadata(world.path(name)).expect("there");
        (
            meta.permissions().mode() & 0o7777,
            meta.modified().expect("known"),
        )
    };
    assert_eq!(mode("back").0, 0o700);
    let time = millis(1_234_567_890_123);
    assert_eq!(mode("back/program"), (0o700, time));
    assert_eq!(mode("back/old"), (0o600, UNIX_EPOCH));
    assert_eq!(mode("back/open").0, 0o600);
}

#[test]
fn equal_folders_make_equal_contents_under_equal_secrets_alone() {
    let world = World::new();
    for folder in ["one/folder", "two/folder"] {
        for (file, len) in [("a", 10), ("b/c", 40_000)] {
            let path = world.put(&format!("{folder}/{file}"), &bytes(6, len));
            set_time(&path, millis(1_700_000_000_000));
        }
    }
    let make = |name: u8, path: &str, key: u8| {
        let name = ContentName([name; 32]);
        let path = world.path(path);
        let made = share(&world.content, name, &path, secret(key), &mut on);
        made.expect("shared")
    };
    let one = make(1, "one/folder", 1);
    assert_eq!(make(2, "one/folder", 1), one);
    assert_eq!(make(3, "two/folder", 1), one);
    let other = make(4, "one/folder", 2);
    assert_ne!(other.opening.manifest, one.opening.manifest);
    assert_ne!(other.opening.capability, one.opening.capability);
    assert_eq!(other.opening.length, one.opening.length);
    // What is not here is not made, and what is here is not written over.
    let path = world.path("two/folder");
    let again = share(
        &world.content,
        ContentName([1; 32]),
        &path,
        secret(2),
        &mut on,
    );
    assert!(matches!(again, Err(ShareFailed::Content(_))));
    let first = verify(
        &world.content,
        ContentName([1; 32]),
        &one.opening.manifest.to_manifest(),
        &mut on,
    );
    assert_eq!(first.expect("looked through"), []);
}

#[test]
fn progress_goes_up_to_all_of_it() {
    let world = World::new();
    world.put("folder/a", &bytes(1, 3 << 20));
    world.put("folder/b", &bytes(2, 70_000));
    let mut told: Vec<Progress> = Vec::new();
    let mut watch = |progress| {
        told.push(progress);
        ControlFlow::Continue(())
    };
    let shared = world.share_watched("folder", &mut watch).expect("shared");
    let unpacked = world.unpack_watched(&shared.opening, "back", &mut watch);
    unpacked.expect("unpacked");
    verify(
        &world.content,
        NAME,
        &shared.opening.manifest.to_manifest(),
        &mut watch,
    )
    .expect("verified");
    let runs = told.chunk_by(|one, next| one.done <= next.done);
    let mut runs = runs.map(|run| *run.last().expect("not empty"));
    let (length, blocks) = (
        shared.opening.length,
        shared.opening.manifest.shape().bytes(),
    );
    for all in [length, length, blocks] {
        assert_eq!(runs.next(), Some(Progress { done: all, all }));
    }
    assert_eq!(runs.next(), None);
    assert!(told.len() > 12 * 2, "with every piece");
}

#[test]
fn a_file_alone_is_found_by_any_path_to_it() {
    let world = World::new();
    world.put("folder/sub/file", b"found");
    for (path, root) in [
        ("folder/sub/..", "folder"),
        ("folder/.", "folder"),
        ("folder/", "folder"),
    ] {
        let shared = world.share(path).expect("shared");
        assert_eq!(shared.root, root);
        world.content.delete(NAME).expect("removed");
    }
    let refused = share(&world.content, NAME, "/".as_ref(), secret(1), &mut on);
    assert!(matches!(refused, Err(ShareFailed::Nameless { .. })));
    let missing = world.share("nowhere").expect_err("not there");
    assert!(missing.to_string().contains("nowhere"), "{missing}");
}

#[test]
fn an_index_can_be_looked_at_without_unpacking() {
    let world = World::new();
    world.put("folder/file", &bytes(1, 5 << 20));
    let shared = world.share("folder").expect("shared");
    // Only the blocks on the way to the index are read: all others may be missing.
    let manifest = &shared.opening.manifest;
    let file = world.content_file();
    for slot in 1..manifest.shape().leaves() {
        let zeros = vec![0; 32_768];
        std::os::unix::fs::FileExt::write_all_at(&file, &zeros, manifest.block_at(slot))
            .expect("writable");
    }
    let index = look(&world.content, NAME, &shared.opening).expect("it is there");
    let files: Vec<u64> = index.entries().map(|entry| entry.what.size()).collect();
    assert_eq!(files, [0, 5 << 20]);
    assert_eq!(index.entry(0).map(|entry| entry.what), Some(What::Folder));
}
