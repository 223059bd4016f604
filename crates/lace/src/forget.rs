//! Removing a topic's rows, a bounded number at a time.

use crate::lace::Lace;
use crate::limits::FORGET_BODIES;
use crate::rows::{self, TABLES};
use machine::Staged;

impl Lace {
    /// Removes at most `limit` rows of a topic; says whether none is left. From the first call on
    /// [`Lace::open`] gives nothing. Nobody may hold the lace any more.
    pub fn forget(store: &mut Staged<'_>, local: u32, limit: usize) -> bool {
        let mark = rows::key(local, &[b"x"]);
        if !store.has(rows::LACE, &mark) {
            if store
                .prefix(rows::LACE, &rows::key(local, &[]), 1)
                .is_empty()
            {
                return true;
            }
            store.put(rows::LACE, mark.clone(), []);
        }
        // Two, so that the mark alone does not use up the limit.
        let mut left = limit.max(2);
        // The table with the mark comes last, and the mark last of all.
        for table in TABLES.into_iter().rev() {
            let most = if table == rows::BODY {
                left.min(FORGET_BODIES)
            } else {
                left
            };
            let page = store.prefix(table, &rows::key(local, &[]), most);
            left -= page.len();
            let full = page.len() == most;
            for (key, _) in page {
                if key != mark {
                    store.delete(table, key);
                }
            }
            if full {
                return false;
            }
        }
        store.delete(rows::LACE, mark);
        true
    }

    /// Whether a topic's rows are being removed and some may be left.
    pub fn is_forgetting(store: &mut Staged<'_>, local: u32) -> bool {
        store.has(rows::LACE, &rows::key(local, &[b"x"]))
    }
}
