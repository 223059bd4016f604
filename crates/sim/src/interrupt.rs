//! Whether somebody pressed Ctrl-C: runs then end early and tell what was learnt until then.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// What a shell expects of a program that ended by an interrupt.
pub(crate) const EXIT_CODE: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first interrupt is noted, and the second ends the program at once. Called when a
/// run is about to begin; before, and where the system does not have it, the first one ends the
/// program.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(listen_once);
}

fn listen_once() {
    let waits = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let Ok(waits) = waits else { return };
    let interrupts = {
        let _within = waits.enter();
        signal(SignalKind::interrupt())
    };
    let Ok(mut interrupts) = interrupts else {
        return;
    };
    std::thread::spawn(move || {
        waits.block_on(async {
            while interrupts.recv().await.is_some() {
                if ASKED.swap(true, Ordering::Relaxed) {
                    std::process::exit(i32::from(EXIT_CODE));
                }
            }
        });
    });
}

/// Whether an interrupt was noted.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
