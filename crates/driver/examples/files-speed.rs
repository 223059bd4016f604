//! How fast a folder becomes a content and is unpacked again, beside a plain read of it, and how much memory
//! that takes: `cargo run --release -p driver --example files-speed [MiB [FILES]]`, so many bytes in one file or in more. All
//! lies in a folder under `FIGURES_FOLDER`, or where temporary files go, and takes three times the size.
//!
//! Two times are printed: that of the clock, with the disk, and that of the one thread that does the work, which others
//! who use the machine change less.

use driver::files::{Progress, share, unpack, verify};
use identity::Secret;
use machine::{ContentName, Rng};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use store::Content;

const MIB: usize = 1 << 20;

const NAME: ContentName = ContentName([1; 32]);

fn main() {
    let argument = |at: usize| std::env::args().nth(at).and_then(|text| text.parse().ok());
    let (mib, files): (usize, usize) = (argument(1).unwrap_or(1_024), argument(2).unwrap_or(1));
    let folder = std::env::var_os("FIGURES_FOLDER").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(folder).expect("a folder that can be written");
    let (folder, target) = (dir.path().join("folder"), dir.path().join("target"));
    make(&folder, mib * MIB / files, files);
    let content = Content::open(&dir.path().join("home")).expect("a home can be made");
    let bytes = mib * MIB / files * files;
    let mut on = |_: Progress| ControlFlow::Continue(());

    read(&folder);
    let (plain, ()) = measure("plain read", bytes, None, || read(&folder));
    let (_, shared) = measure("share", bytes, Some(plain), || {
        share(
            &content,
            NAME,
            &folder,
            Secret::from_bytes([7; 32]),
            &mut on,
        )
    });
    let shared = shared.expect("shared");
    measure("verify", bytes, Some(plain), || {
        verify(
            &content,
            NAME,
            &shared.opening.manifest.to_manifest(),
            &mut on,
        )
        .expect("read")
    });
    let (_, unpacked) = measure("unpack", bytes, Some(plain), || {
        unpack(&content, NAME, &shared.opening, &target, &mut on)
    });
    unpacked.expect("unpacked");
}

/// Prints what something took.
fn measure<T>(
    what: &str,
    bytes: usize,
    beside: Option<Duration>,
    run: impl FnOnce() -> T,
) -> (Duration, T) {
    let (begun, worked) = (Instant::now(), cpu());
    let done = run();
    let (clock, thread) = (begun.elapsed(), cpu().saturating_sub(worked));
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let ratio = beside.map_or_else(String::new, |plain| {
        let ratio = thread.as_secs_f64() / plain.as_secs_f64();
        format!(", {ratio:.1} times a plain read")
    });
    println!(
        "{what}: {:.0} MB/s by the clock, {:.0} MB/s of the thread{ratio}; peak so far {} MiB",
        rate(clock),
        rate(thread),
        peak() / 1_024
    );
    (thread, done)
}

/// Files of which no two blocks are equal, with names that are as long as an index has room for if it is full.
fn make(folder: &Path, bytes: usize, files: usize) {
    let mut piece = vec![0; MIB];
    Rng::from_seed([1; 32]).fill(&mut piece);
    fs::create_dir(folder).expect("writable");
    for number in 0..files {
        let path = folder.join(format!("{number:048}"));
        let mut file = File::create(path).expect("writable");
        for at in (0..bytes).step_by(MIB) {
            piece[..8].copy_from_slice(&(at as u64).to_be_bytes());
            piece.rotate_left(1);
            let len = MIB.min(bytes - at);
            file.write_all(&piece[..len]).expect("there is room");
        }
    }
}

fn read(folder: &Path) {
    let mut piece = vec![0; driver::limits::FILE_PIECE];
    for entry in fs::read_dir(folder).expect("there") {
        let mut file = File::open(entry.expect("readable").path()).expect("there");
        while file.read(&mut piece).expect("readable") > 0 {
            std::hint::black_box(&piece);
        }
    }
}

/// Time that this thread has had a processor (proc(5)).
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Most memory so far, in KiB.
fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.unwrap_or(0)
}
