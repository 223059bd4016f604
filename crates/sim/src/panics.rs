//! A node must never panic, whatever happens to it: a panic in a simulated world is a broken promise
//! with a place and a text, not the end of the program.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Goes on with a panic of another thread, whose words are known.
pub(crate) fn again(said: String) -> ! {
    SAID.set(Some(said));
    std::panic::resume_unwind(Box::new(()))
}

/// Runs `f`; gives what a panic said, and where, if there was one.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let other = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CATCHING.get() {
                SAID.set(Some(panic.to_string()));
            } else {
                other(panic);
            }
        }));
    });
    let before = CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(before);
    result.map_err(|_| {
        SAID.take()
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}
