//! Files that change while they are shared, and what is no file.

use crate::files::{World, bytes, millis, set_time};
use driver::files::{Progress, ShareFailed, Shared};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::SystemTime;

/// Shares the folder and does something when the walk is over: before the first file is opened, or when some of
/// the large file has been read.
fn share_and(world: &World, from: u64, act: impl FnOnce()) -> Result<Shared, ShareFailed> {
    let mut act = Some(act);
    let mut watch = |progress: Progress| {
        if progress.all > 0
            && progress.done >= from
            && let Some(act) = act.take()
        {
            act();
        }
        ControlFlow::Continue(())
    };
    let shared = world.share_watched("folder", &mut watch);
    assert!(act.is_none(), "it was never tried");
    shared
}

/// A small file, a large one, and one after it.
fn three_files() -> World {
    let world = World::new();
    world.put("folder/a", b"first");
    world.put("folder/large", &bytes(1, 2 << 20));
    world.put("folder/z/last", b"last");
    world
}

#[track_caller]
fn refused(shared: Result<Shared, ShareFailed>, path: &Path) {
    match shared {
        Err(ShareFailed::Changed { path: at }) => assert_eq!(at, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_ends_the_share_and_is_named() {
    const HALF: u64 = 1 << 20;
    type Act = fn(&Path);
    let acts: [(&str, Act); 8] = [
        ("grows", |path| {
            let file = File::options().append(true).open(path);
            file.and_then(|mut file| file.write_all(b"more"))
                .expect("ours");
        }),
        ("shrinks", |path| {
            let file = File::options().write(true).open(path);
            file.and_then(|file| file.set_len(HALF / 2)).expect("ours");
        }),
        ("is emptied", |path| fs::write(path, b"").expect("ours")),
        ("is written over, its length as before", |path| {
            fs::write(path, bytes(2, 2 << 20)).expect("ours");
        }),
        ("is written over, and its time set back", |path| {
            let before = fs::metadata(path).expect("there");
            let changed = |meta: &fs::Metadata| (meta.ctime(), meta.ctime_nsec());
            // The clock of the files may not have ticked since it was made.
            while fs::metadata(path).is_ok_and(|now| changed(&now) == changed(&before)) {
                fs::write(path, bytes(2, 2 << 20)).expect("ours");
                set_time(path, before.modified().expect("known"));
            }
        }),
        ("has another time", |path| set_time(path, millis(1))),
        ("is taken away", |path| fs::remove_file(path).expect("ours")),
        ("is taken away and comes again", |path| {
            let aside = path.with_file_name("aside");
            fs::rename(path, &aside).expect("ours");
            fs::write(path, bytes(1, 2 << 20)).expect("ours");
        }),
    ];
    for (how, act) in acts {
        println!("a file that {how}");
        let world = three_files();
        let large = world.path("folder/large");
        // Times have the steps of a clock that ticks slowly.
        set_time(&large, millis(1_700_000_000_000));
        refused(share_and(&world, 0, || act(&large)), &large);
        let world = three_files();
        let large = world.path("folder/large");
        set_time(&large, millis(1_700_000_000_000));
        let shared = share_and(&world, HALF, || act(&large));
        // What is open is read to its end, whatever has its name by now: it is what was walked.
        match shared {
            Ok(_) if how.starts_with("is taken away") => {}
            other => refused(other, &large),
        }
    }
}

#[test]
fn what_comes_into_the_place_of_a_file_is_not_read() {
    let outside = |world: &World| world.put("outside/secret", &bytes(1, 2 << 20));
    // A link to a file of the same length.
    let world = three_files();
    let (large, secret) = (world.path("folder/large"), outside(&world));
    let swapped = share_and(&world, 0, || {
        fs::remove_file(&large).expect("ours");
        symlink(&secret, &large).expect("ours");
    });
    refused(swapped, &large);
    // A pipe that nobody writes to: this test would not end.
    let world = three_files();
    let large = world.path("folder/large");
    let swapped = share_and(&world, 0, || {
        fs::remove_file(&large).expect("ours");
        mknodat(CWD, &large, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    });
    refused(swapped, &large);
    // A link in place of the folder around it.
    let world = three_files();
    let folder = world.path("folder/z");
    world.put("outside/last", b"LAST");
    let swapped = share_and(&world, 0, || {
        fs::rename(&folder, world.path("aside")).expect("ours");
        symlink(world.path("outside"), &folder).expect("ours");
    });
    refused(swapped, &folder);
    // Another folder in its place, with a file of that name and length.
    let world = three_files();
    let folder = world.path("folder/z");
    let swapped = share_and(&world, 0, || {
        fs::rename(&folder, world.path("aside")).expect("ours");
        world.put("folder/z/last", b"LAST");
    });
    refused(swapped, &folder.join("last"));
    // A link in place of the root, on the way through it.
    let world = three_files();
    let root = world.path("folder");
    let swapped = share_and(&world, 0, || {
        fs::rename(&root, world.path("aside")).expect("ours");
        symlink(world.path("aside"), &root).expect("ours");
    });
    refused(swapped, &root);
}

#[track_caller]
fn neither(world: &World, name: &str, at: &Path, what: &str) {
    match world.share(name) {
        Err(ShareFailed::Neither { path, what: said }) => {
            assert_eq!((&*path, said), (at, what));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_neither_file_nor_folder_is_refused_and_named() {
    let world = three_files();
    let at = world.path("folder/z/other");
    let secret = world.put("outside/secret", b"secret");
    for target in [secret.as_path(), &world.path("outside"), "nowhere".as_ref()] {
        symlink(target, &at).expect("ours");
        neither(&world, "folder", &at, "a symbolic link");
        fs::remove_file(&at).expect("ours");
    }
    symlink(world.path("folder"), &at).expect("ours");
    neither(&world, "folder", &at, "a symbolic link");
    neither(&world, "folder/z/other", &at, "a symbolic link");
    fs::remove_file(&at).expect("ours");

    mknodat(CWD, &at, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    neither(&world, "folder", &at, "a pipe");
    neither(&world, "folder/z/other", &at, "a pipe");
    fs::remove_file(&at).expect("ours");

    let listener = UnixListener::bind(&at).expect("a socket");
    neither(&world, "folder", &at, "a socket");
    drop(listener);
    fs::remove_file(&at).expect("ours");
    assert!(world.share("folder").is_ok());
}

/// Only root may make one; there is one on every machine.
#[test]
fn a_device_is_refused() {
    let world = World::new();
    fs::create_dir(world.path("folder")).expect("writable");
    neither(&world, "/dev/null", "/dev/null".as_ref(), "a device");
    neither(&world, "/dev/zero", "/dev/zero".as_ref(), "a device");
}

/// Attack by mistake: somebody shares all that it has, and its keys with it.
#[test]
fn the_home_of_the_node_is_not_shared() {
    let world = World::new();
    let home = world.path("../home");
    fs::write(home.join("keys"), b"secret").expect("writable");
    fs::create_dir_all(home.join("db/rows")).expect("writable");
    let refused = |name: &str| {
        let refused = world.share(name).expect_err("it is the home");
        let home = matches!(refused, ShareFailed::Home { .. });
        assert!(home, "{name}: {refused}");
    };
    for name in [
        "../home",
        "../home/keys",
        "../home/content",
        "../home/db/rows",
        "..",
    ] {
        refused(name);
    }
    symlink(home.join("db"), world.path("link")).expect("writable");
    refused("link/rows");
}

/// Files that the system makes up as they are read say that they have no bytes.
#[test]
fn a_file_that_is_longer_than_it_says_is_refused() {
    let world = World::new();
    let path = Path::new("/proc/self/status");
    match world.share("/proc/self/status") {
        Err(ShareFailed::Changed { path: at }) => assert_eq!(at, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_that_may_not_be_are_refused_before_a_byte_is_read() {
    for bad in [
        "con",
        "a:b",
        "back\\slash",
        "end.",
        "turn\u{202e}ed",
        "bell\u{7}",
    ] {
        let world = three_files();
        let path = world.put(&format!("folder/{bad}"), b"");
        let refused = world.share("folder").expect_err("a bad name");
        assert!(matches!(refused, ShareFailed::Bundle(_)), "{refused}");
        let shown = refused.to_string();
        assert!(!shown.contains(['\u{202e}', '\u{7}']), "{shown:?}");
        fs::remove_file(path).expect("ours");
        assert!(world.share("folder").is_ok());
    }
    let world = three_files();
    let path = world.path("folder").join(OsStr::from_bytes(b"\xff\x1b[2J"));
    fs::write(&path, b"").expect("writable");
    let refused = world.share("folder").expect_err("not UTF-8");
    assert!(matches!(&refused, ShareFailed::NotText { path: at } if *at == path));
    let shown = refused.to_string();
    assert!(
        !shown.contains('\x1b'),
        "nothing that drives a terminal: {shown:?}"
    );
    fs::remove_file(&path).expect("ours");
    world.put("folder/LARGE", b"");
    let refused = world.share("folder").expect_err("alike");
    assert!(matches!(refused, ShareFailed::Bundle(_)), "{refused}");
}

#[test]
fn more_than_a_content_holds_is_refused_before_a_byte_is_read() {
    let world = World::new();
    for number in 0..3 {
        let path = world.put(&format!("folder/{number}"), b"");
        let file = File::options().write(true).open(path).expect("ours");
        file.set_len(15 << 30).expect("a hole takes no room");
    }
    let begun = SystemTime::now();
    let refused = world.share("folder").expect_err("too large");
    assert!(matches!(refused, ShareFailed::Bundle(_)), "{refused}");
    assert!(begun.elapsed().expect("the clock goes on").as_secs() < 60);
}

#[test]
fn a_share_that_is_stopped_anywhere_leaves_nothing() {
    let world = three_files();
    let mut calls = 0;
    let mut count = |_| {
        calls += 1;
        ControlFlow::Continue(())
    };
    world.share_watched("folder", &mut count).expect("shared");
    world.content.delete(super::NAME).expect("removed");
    assert!(calls > 15, "{calls}");
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
        let stopped = world.share_watched("folder", &mut watch);
        assert!(matches!(stopped, Err(ShareFailed::Stopped)), "{stop}");
    }
    assert!(world.share("folder").is_ok());
}
