//! Disks that have no room, and disks that run full meanwhile.

use crate::files::{NAME, World, bytes, drafts, on, secret};
use driver::files::{Progress, ShareFailed, UnpackFailed, share, unpack};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use store::{Content, FLOOR, free_space};

const MIB: u64 = 1 << 20;

/// A small file system in memory, unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing, with a message, where this user may not mount.
    fn of(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            _ => {
                println!("skipped: mounting a small file system needs root");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a failed test does not keep it busy.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Takes all room that is left.
fn fill_up(disk: &Path) {
    let filler = File::create(disk.join("filler")).expect("writable");
    let free = free_space(disk).expect("known");
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, free).expect("room");
}

/// Goes on, and fills the disk up when half of it is done.
fn fill_up_in_the_middle(disk: &Path) -> impl FnMut(Progress) -> ControlFlow<()> {
    let mut filled = false;
    move |progress| {
        if !filled && progress.all > 0 && progress.done > progress.all / 2 {
            filled = true;
            fill_up(disk);
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn a_share_for_which_the_home_has_no_room_is_refused_or_ends_and_leaves_nothing() {
    let Some(disk) = SmallDisk::of(FLOOR + 8 * MIB) else {
        return;
    };
    let world = World::new();
    let content = Content::open(&disk.path("home")).expect("it opens");
    let large = world.put("large", &bytes(1, 9 << 20));
    let refused = share(&content, NAME, &large, secret(1), &mut on);
    match refused {
        Err(ShareFailed::NoRoom { needed, free }) => {
            assert!(needed > 9 * MIB && free <= 8 * MIB, "{needed} {free}");
        }
        other => panic!("{other:?}"),
    }
    let fits = world.put("fits", &bytes(1, 7 << 20));
    let free = free_space(disk.0.path()).expect("known");
    let mut watch = fill_up_in_the_middle(disk.0.path());
    let ended = share(&content, NAME, &fits, secret(1), &mut watch);
    assert!(matches!(ended, Err(ShareFailed::Full(_))), "{ended:?}");
    assert_eq!(content.list(None, 10).expect("listed"), []);
    fs::remove_file(disk.path("filler")).expect("ours");
    let after = free_space(disk.0.path()).expect("known");
    assert!(after + MIB / 8 > free, "its room is given back");
    share(&content, NAME, &fits, secret(1), &mut on).expect("now it fits");
}

#[test]
fn what_has_no_room_is_not_unpacked_and_leaves_nothing() {
    let Some(disk) = SmallDisk::of(8 * MIB) else {
        return;
    };
    let world = World::new();
    world.put("folder/one", &bytes(1, 4 << 20));
    world.put("folder/two", &bytes(2, 3 << 20));
    let shared = world.share("folder").expect("shared");
    let to = disk.path("to");
    let opening = &shared.opening;
    let mut watch = fill_up_in_the_middle(disk.0.path());
    let ended = unpack(&world.content, NAME, opening, &to, &mut watch);
    assert!(matches!(ended, Err(UnpackFailed::Full(_))), "{ended:?}");
    assert!(!to.exists());
    assert_eq!(drafts(disk.0.path()), [] as [PathBuf; 0]);
    // The disk is as full as before.
    let refused = unpack(&world.content, NAME, opening, &to, &mut on);
    match refused {
        Err(UnpackFailed::NoRoom { needed, free }) => {
            assert!(needed > 7 * MIB && free < 7 * MIB, "{needed} {free}");
        }
        other => panic!("{other:?}"),
    }
    fs::remove_file(disk.path("filler")).expect("ours");
    unpack(&world.content, NAME, opening, &to, &mut on).expect("now it fits");
}

/// On its own disk a home keeps the room that it needs for itself.
#[test]
fn unpacking_beside_the_home_leaves_it_its_room() {
    let Some(disk) = SmallDisk::of(FLOOR + 8 * MIB) else {
        return;
    };
    let content = Content::open(&disk.path("home")).expect("it opens");
    let world = World::new();
    let file = world.put("file", &bytes(1, 5 << 20));
    let shared = share(&content, NAME, &file, secret(1), &mut on).expect("it fits once");
    let to = disk.path("to");
    let refused = unpack(&content, NAME, &shared.opening, &to, &mut on);
    assert!(
        matches!(refused, Err(UnpackFailed::NoRoom { .. })),
        "{refused:?}"
    );
    unpack(&content, NAME, &shared.opening, &world.path("to"), &mut on).expect("elsewhere");
}
