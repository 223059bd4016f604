//! Contents that are not what they should be, and folders to which somebody else writes.

use crate::files::{NAME, World, bytes, drafts, on, tree};
use block::limits::MAX_INDEX;
use driver::files::{Opening, Part, Progress, UnpackFailed, look, unpack, verify};
use machine::ContentName;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use wire::cbor::Writer;

/// Turns a bit of the content over, and what it was again.
fn flip(world: &World, at: u64) {
    let file = world.content_file();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("within it");
    byte[0] ^= 1;
    file.write_all_at(&byte, at).expect("ours");
}

fn damage(world: &World, opening: &Opening) -> Vec<Part> {
    verify(
        &world.content,
        NAME,
        &opening.manifest.to_manifest(),
        &mut on,
    )
    .expect("looked through")
}

#[test]
fn a_damaged_block_is_named_and_nothing_is_written() {
    for len in [10_000, 200_000] {
        let world = World::new();
        world.put("folder/file", &bytes(1, len));
        let opening = world.share("folder").expect("shared").opening;
        let blocks = opening.manifest.shape().blocks();
        let size = opening.manifest.block_at(1);
        assert!(blocks > 5);
        for slot in 0..blocks {
            let at = opening.manifest.block_at(slot) + u64::from(slot) % size;
            flip(&world, at);
            match world.unpack(&opening, "to") {
                Err(UnpackFailed::Damaged(part)) => assert_eq!(part, Part::Block(slot)),
                other => panic!("{other:?}"),
            }
            assert!(!world.path("to").exists());
            assert_eq!(damage(&world, &opening), [Part::Block(slot)]);
            flip(&world, at);
        }
        assert_eq!(damage(&world, &opening), []);
        world.unpack(&opening, "to").expect("mended");
    }
}

/// The content ends where a leaf does, so that the last one is nothing but padding.
#[test]
fn the_last_block_is_verified_though_nothing_is_written_of_it() {
    let world = World::new();
    world.put("file", &bytes(1, 40_000));
    let around = world.share("file").expect("shared").opening.length - 40_000;
    world.content.delete(NAME).expect("removed");
    let len = 65_536 - usize::try_from(around).expect("short");
    world.put("file", &bytes(1, len));
    let opening = world.share("file").expect("shared").opening;
    assert_eq!(
        (opening.length, opening.manifest.shape().leaves()),
        (65_536, 3)
    );
    flip(&world, opening.manifest.block_at(2));
    let refused = world.unpack(&opening, "to");
    let last = matches!(refused, Err(UnpackFailed::Damaged(Part::Block(2))));
    assert!(last, "{refused:?}");
}

#[test]
fn damaged_pages_are_named_and_take_nothing_away() {
    let world = World::new();
    // So many blocks that there are two pages.
    world.put("file", &bytes(1, 33 << 20));
    let opening = world.share("file").expect("shared").opening;
    let manifest = opening.manifest;
    assert_eq!(manifest.pages(), 2);
    flip(&world, manifest.page_at(1));
    assert_eq!(damage(&world, &opening), [Part::Page(1)]);
    flip(&world, manifest.block_at(3));
    flip(&world, manifest.block_at(1_030));
    // Whether the second is good, its page would say.
    assert_eq!(damage(&world, &opening), [Part::Block(3), Part::Page(1)]);
    flip(&world, manifest.page_at(1));
    let blocks = [Part::Block(3), Part::Block(1_030)];
    assert_eq!(damage(&world, &opening), blocks);
    flip(&world, manifest.list_at());
    assert_eq!(damage(&world, &opening), [Part::List]);
    // Whoever reads needs no pages.
    flip(&world, manifest.block_at(3));
    flip(&world, manifest.block_at(1_030));
    world.unpack(&opening, "to").expect("all blocks are good");
}

#[test]
fn a_content_that_is_cut_short_or_not_here_is_told() {
    let world = World::new();
    world.put("file", &bytes(1, 100_000));
    let opening = world.share("file").expect("shared").opening;
    let (manifest, blocks) = (opening.manifest, opening.manifest.shape().blocks());
    let cut = |len: u64| world.content_file().set_len(len).expect("ours");
    cut(manifest.content_len() - 1);
    assert_eq!(damage(&world, &opening), [Part::List]);
    cut(manifest.block_at(blocks) - 1);
    match world.unpack(&opening, "to") {
        Err(UnpackFailed::Damaged(part)) => assert_eq!(part, Part::Block(blocks - 1)),
        other => panic!("{other:?}"),
    }
    // As if the last blocks had not come yet.
    cut(manifest.block_at(2));
    cut(manifest.content_len());
    assert_eq!(damage(&world, &opening), [Part::List]);
    cut(0);
    let empty = world.unpack(&opening, "to");
    assert!(matches!(empty, Err(UnpackFailed::Damaged(Part::Block(_)))));
    world.content.delete(NAME).expect("removed");
    let missing = world.unpack(&opening, "to");
    assert!(matches!(missing, Err(UnpackFailed::Missing)));
    assert!(look(&world.content, ContentName([8; 32]), &opening).is_err());
}

#[test]
fn what_opens_another_content_opens_nothing() {
    let world = World::new();
    world.put("file", &bytes(1, 100_000));
    let opening = world.share("file").expect("shared").opening;
    for length in [0, opening.length + 40_000, u64::MAX] {
        let other = Opening {
            length,
            ..opening.clone()
        };
        let refused = world.unpack(&other, "to");
        assert!(matches!(refused, Err(UnpackFailed::Author(_))), "{length}");
    }
    for length in [opening.length - 1, opening.length + 1] {
        let other = Opening {
            length,
            ..opening.clone()
        };
        let refused = world.unpack(&other, "to");
        assert!(matches!(refused, Err(UnpackFailed::Author(_))), "{length}");
    }
    let mut other = opening;
    other.capability.key = identity::Secret::from_bytes([9; 32]);
    let refused = world.unpack(&other, "to");
    assert!(
        matches!(refused, Err(UnpackFailed::Author(_))),
        "{refused:?}"
    );
    assert!(!world.path("to").exists());
}

/// A block that its manifest lists and its tree does not: to fetch it again would bring the same.
#[test]
fn an_author_whose_manifest_lists_other_blocks_is_named_as_the_one_at_fault() {
    use block::eris::Reference;
    use block::manifest::References;
    let world = World::new();
    world.put("file", &bytes(1, 100_000));
    let mut opening = world.share("file").expect("shared").opening;
    let honest = opening.manifest;
    let file = world.content_file();
    let other = vec![5; 32_768];
    file.write_all_at(&other, honest.block_at(1)).expect("ours");
    let mut references = References::new(honest.shape()).expect("its size");
    for slot in 0..honest.shape().blocks() {
        let mut block = vec![0; 32_768];
        file.read_exact_at(&mut block, honest.block_at(slot))
            .expect("here");
        references.set(slot, Reference::of(&block)).expect("a slot");
    }
    let listing = references.finish().expect("all");
    opening.manifest = *listing.list.manifest();
    let (page, list) = (listing.pages[0].encode(), listing.list.encode());
    file.write_all_at(&page, opening.manifest.page_at(0))
        .expect("ours");
    file.write_all_at(&list, opening.manifest.list_at())
        .expect("ours");
    assert_eq!(damage(&world, &opening), []);
    let refused = world.unpack(&opening, "to");
    assert!(
        matches!(refused, Err(UnpackFailed::Author(_))),
        "{refused:?}"
    );
}

/// How many folders it is in, its name, and the bytes of a file.
type Entry = (u64, &'static str, Option<&'static [u8]>);

/// The bytes of a bundle with these entries, which keep to no rule.
fn bundle(entries: &[Entry]) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(2).key(0).uint(0_u8).key(1).array(entries.len());
    for (depth, name, bytes) in entries {
        match bytes {
            None => w.array(2).uint(*depth).text(name),
            Some(bytes) => {
                let w = w.array(5).uint(*depth).text(name).uint(bytes.len() as u64);
                w.uint(1_700_000_000_000_u64).bool(false)
            }
        };
    }
    let index = w.into_bytes();
    let mut all = u32::try_from(index.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    all.extend(index);
    all.extend(entries.iter().filter_map(|entry| entry.2).flatten());
    all
}

#[test]
fn an_index_that_climbs_out_of_its_folder_is_refused_as_a_whole() {
    let x: Option<&[u8]> = Some(b"x");
    let hostile: [&[Entry]; 14] = [
        &[(0, "..", None), (1, "planted", x)],
        &[(0, "../planted", x)],
        &[(0, "/tmp/planted", x)],
        &[(0, "folder", None), (1, "..", None), (2, "planted", x)],
        &[(0, "folder", None), (1, "../planted", x)],
        &[(0, "folder", None), (1, "/tmp/planted", x)],
        &[(0, "folder", None), (1, "a/../../planted", x)],
        &[(0, "folder", None), (1, "a\0b", x)],
        &[(0, "folder", None), (1, "", x)],
        &[(0, "folder", None), (1, ".", None), (2, "planted", x)],
        &[
            (0, "folder", None),
            (1, ".\u{200d}.", None),
            (2, "planted", x),
        ],
        &[(0, "folder", None), (1, "file", x), (2, "planted", x)],
        &[(0, "folder", None), (1, "same", x), (1, "same", x)],
        &[(0, "folder", None), (0, "second", x)],
    ];
    for entries in hostile {
        let world = World::new();
        let opening = world.forge(&bundle(entries));
        let before = tree(&world.path(""));
        let refused = world.unpack(&opening, "to");
        assert!(
            matches!(refused, Err(UnpackFailed::Author(_))),
            "{entries:?}"
        );
        assert_eq!(tree(&world.path("")), before, "{entries:?}");
    }
    // The forger forges well: what keeps the rules is unpacked.
    let world = World::new();
    let good = bundle(&[(0, "folder", None), (1, "a", None), (2, "b", x)]);
    world
        .unpack(&world.forge(&good), "to")
        .expect("nothing is wrong with it");
    assert_eq!(fs::read(world.path("to/a/b")).expect("written"), b"x");
}

#[test]
fn contents_that_are_no_bundles_are_refused() {
    let huge = u32::try_from(MAX_INDEX + 1).expect("fits").to_be_bytes();
    let mut longer = bundle(&[(0, "file", Some(b"x"))]);
    longer.push(0);
    let shorter = bundle(&[(0, "file", Some(b"xy"))]);
    let shorter = &shorter[..shorter.len() - 1];
    let random = bytes(1, 40_000);
    for content in [
        &[][..],
        b"abc",
        &[0xff; 4],
        &huge,
        &longer,
        shorter,
        &random,
    ] {
        let world = World::new();
        let opening = world.forge(content);
        let refused = world.unpack(&opening, "to");
        assert!(
            matches!(refused, Err(UnpackFailed::Author(_))),
            "{refused:?}"
        );
        assert!(!world.path("to").exists());
    }
}

#[test]
fn what_stands_at_the_target_is_left_as_it_is() {
    type Make = fn(&Path);
    let makes: [Make; 5] = [
        |path| fs::write(path, b"there").expect("writable"),
        |path| fs::create_dir(path).expect("writable"),
        |path| symlink("nowhere", path).expect("writable"),
        |path| symlink("/tmp", path).expect("writable"),
        |path| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RWXU,
                0,
            )
            .expect("writable");
        },
    ];
    for shared in ["folder", "folder/file"] {
        for make in makes {
            let world = World::new();
            world.put("folder/file", &bytes(1, 300_000));
            let opening = world.share(shared).expect("shared").opening;
            let to = world.path("to");
            let stands = || fs::symlink_metadata(&to).map(|meta| (meta.ino(), meta.mode()));
            // There from the beginning.
            make(&to);
            let before = stands().expect("there");
            let refused = world.unpack(&opening, "to");
            assert!(
                matches!(refused, Err(UnpackFailed::Exists { .. })),
                "{refused:?}"
            );
            assert_eq!(stands().expect("there"), before);
            if fs::remove_file(&to).is_err() {
                fs::remove_dir(&to).expect("ours");
            }
            // It comes while the draft is written.
            let mut watch = |progress: Progress| {
                if progress.done > 200_000 && stands().is_err() {
                    make(&to);
                }
                ControlFlow::Continue(())
            };
            let refused = world.unpack_watched(&opening, "to", &mut watch);
            assert!(
                matches!(refused, Err(UnpackFailed::Exists { .. })),
                "{refused:?}"
            );
            assert_eq!(stands().expect("there").1, before.1);
        }
    }
}

/// Attack: whoever may write in the folder puts links where something is about to be written.
#[test]
fn links_that_are_planted_meanwhile_lead_nothing_out() {
    // (what is planted, in place of a folder that is there already)
    for (at, there) in [
        ("a", false),
        ("a", true),
        ("a/b", true),
        ("a/b/f", false),
        ("z", false),
    ] {
        for into in ["outside", "outside/none"] {
            let world = World::new();
            world.put("folder/a/b/f", b"inner");
            world.put("folder/a/b/g", &bytes(1, 600_000));
            world.put("folder/z", b"last");
            world.put("outside/kept", b"kept");
            let opening = world.share("folder").expect("shared").opening;
            let outside = world.path("outside");
            let before = tree(&outside);
            let mut planted = false;
            let mut watch = |_| {
                let draft = drafts(&world.path("")).pop();
                let place = draft.map(|draft| draft.join(at));
                if let Some(place) = place
                    && !planted
                    && place.parent().is_some_and(Path::exists)
                    && place.exists() == there
                {
                    if there {
                        fs::rename(&place, world.path("aside")).expect("ours");
                    }
                    symlink(world.path(into), &place).expect("ours");
                    planted = true;
                }
                ControlFlow::Continue(())
            };
            let done = world.unpack_watched(&opening, "to", &mut watch);
            assert_eq!(tree(&outside), before, "{at} {into}");
            if there {
                // What was written went where the folder is now.
                done.expect("nothing stood in the way");
                assert!(world.path("to").join(at).is_symlink());
            } else {
                let replaced = matches!(done, Err(UnpackFailed::Replaced { .. }));
                assert!(replaced, "{at}: {done:?}");
                assert!(!world.path("to").exists());
            }
            assert!(planted);
        }
    }
}

/// Attack: a second name of somebody's file, or a file of one's own, where one is about to be written.
#[test]
fn files_that_are_planted_meanwhile_are_not_written_to() {
    let world = World::new();
    world.put("folder/a/first", b"first");
    world.put("folder/a/second", &bytes(1, 100_000));
    let kept = world.put("outside/kept", b"kept");
    let opening = world.share("folder").expect("shared").opening;
    let mut planted = false;
    let mut watch = |_| {
        let draft = drafts(&world.path("")).pop();
        let folder = draft.map(|draft| draft.join("a"));
        if let Some(folder) = folder.filter(|folder| folder.exists())
            && !planted
        {
            fs::hard_link(&kept, folder.join("second")).expect("ours");
            planted = true;
        }
        ControlFlow::Continue(())
    };
    let refused = world.unpack_watched(&opening, "to", &mut watch);
    assert!(
        matches!(refused, Err(UnpackFailed::Replaced { .. })),
        "{refused:?}"
    );
    assert!(planted);
    assert_eq!(fs::read(&kept).expect("there"), b"kept");
}

#[test]
fn a_stop_anywhere_leaves_nothing() {
    for shared in ["folder", "folder/large"] {
        let world = World::new();
        world.put("folder/a/file", b"small");
        world.put("folder/large", &bytes(1, 300_000));
        let opening = world.share(shared).expect("shared").opening;
        let mut calls = 0;
        let mut count = |_| {
            calls += 1;
            ControlFlow::Continue(())
        };
        world
            .unpack_watched(&opening, "all", &mut count)
            .expect("unpacked");
        for stop in 1..=calls {
            let mut left = stop;
            let mut watch = |_| {
                left -= 1;
                if left > 0 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            };
            let stopped = world.unpack_watched(&opening, "to", &mut watch);
            assert!(matches!(stopped, Err(UnpackFailed::Stopped)), "{stop}");
            assert!(!world.path("to").exists());
        }
        let mut never = |_| ControlFlow::Break(());
        let stopped = verify(
            &world.content,
            NAME,
            &opening.manifest.to_manifest(),
            &mut never,
        );
        assert!(stopped.is_err());
    }
}

#[test]
fn a_target_without_a_name_or_a_folder_is_refused() {
    let world = World::new();
    world.put("file", b"file");
    let opening = world.share("file").expect("shared").opening;
    let to = |path: &Path| unpack(&world.content, NAME, &opening, path, &mut on);
    assert!(matches!(
        to("/".as_ref()),
        Err(UnpackFailed::Nameless { .. })
    ));
    assert!(matches!(
        to(&world.path("..")),
        Err(UnpackFailed::Exists { .. })
    ));
    assert!(matches!(
        to(&world.path("none/to")),
        Err(UnpackFailed::Io { .. })
    ));
    assert!(matches!(
        to(&world.path("file/to")),
        Err(UnpackFailed::Io { .. })
    ));
}
