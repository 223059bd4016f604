//! Guests never take from a client what is its own: on a core node they use at most half of what a
//! topic may use, and one author at most an eighth.
//!
//! Looked at in the accounts of the core node itself, whenever one of them grows.

use super::Scene;
use machine::{Base, Batch, Table};
use wire::cbor::Reader;

/// The name of the promise.
pub(crate) const PROMISE: &str = "guests";

/// The account of a topic: topic ‖ client → secret, share, left, own, guests, headers, guests'
/// headers.
const SERVES: Table = Table::new(98, "custody_serves");
/// The account of a guest author: topic ‖ client ‖ author → bodies, headers.
const AUTHORS: Table = Table::new(101, "custody_authors");
/// Bytes of topic and client.
const PAIR: usize = 64;
/// Longer rows are not looked at.
const LONGEST: usize = 4096;

/// What an account says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    share: u64,
    guests: u64,
    guest_headers: u64,
}

impl Account {
    fn read(row: &[u8]) -> Option<Self> {
        let mut r = Reader::new(row, LONGEST).ok()?;
        if r.list(64, "account").ok()? < 7 {
            return None;
        }
        r.bytes(32, "secret").ok()?;
        let share = r.u64("share").ok()?;
        r.bool("left").ok()?;
        r.u64("own").ok()?;
        let guests = r.u64("guests").ok()?;
        r.u64("headers").ok()?;
        let guest_headers = r.u64("guests' headers").ok()?;
        Some(Self {
            share,
            guests,
            guest_headers,
        })
    }
}

/// Bodies and headers of an author's account.
fn author(row: &[u8]) -> Option<(u64, u64)> {
    let mut r = Reader::new(row, LONGEST).ok()?;
    if r.list(64, "account").ok()? < 2 {
        return None;
    }
    Some((r.u64("bodies").ok()?, r.u64("headers").ok()?))
}

/// A batch becomes durable.
pub(crate) fn commits(scene: &mut Scene<'_>, batch: &Batch, disk: &dyn Base) {
    for (table, key, value) in &batch.writes {
        let Some(row) = value else { continue };
        let what = if *table == SERVES {
            let now = Account::read(row);
            let before = read(disk, key).and_then(|row| Account::read(&row));
            now.and_then(|now| of_topic(now, before.unwrap_or_default()))
        } else if *table == AUTHORS && key.len() > PAIR {
            let before = disk.get(AUTHORS, key).ok().flatten();
            let before = before.and_then(|row| author(&row)).unwrap_or_default();
            let topics = batch.writes.iter();
            let mut topics = topics.filter(|(t, at, _)| *t == SERVES && *at == key[..PAIR]);
            let topic = match topics.next() {
                Some((_, _, row)) => row.clone(),
                None => read(disk, &key[..PAIR]),
            };
            let share = topic
                .and_then(|row| Account::read(&row))
                .map(|account| account.share);
            author(row).and_then(|now| of_author(now, before, share?))
        } else {
            None
        };
        if let Some(what) = what {
            scene.broken(PROMISE, what);
        }
    }
}

fn read(disk: &dyn Base, key: &[u8]) -> Option<Vec<u8>> {
    disk.get(SERVES, key).ok().flatten()
}

/// What grew beyond what guests may use of a topic. A share that was made smaller is no fault.
fn of_topic(now: Account, before: Account) -> Option<String> {
    let (bodies, headers) = (now.share / 2, now.share / 8);
    if now.guests > before.guests && now.guests > bodies {
        let used = now.guests;
        return Some(format!(
            "guests use {used} bytes of a topic where they may use {bodies}"
        ));
    }
    let used = now.guest_headers;
    (used > before.guest_headers && used > headers).then(|| {
        format!("headers of guests use {used} bytes of a topic where they may use {headers}")
    })
}

/// What grew beyond what one guest author may use.
fn of_author(now: (u64, u64), before: (u64, u64), share: u64) -> Option<String> {
    let (bodies, headers) = (share / 8, share / 32);
    let over = |now: u64, before: u64, most: u64| now > before && now > most;
    (over(now.0, before.0, bodies) || over(now.1, before.1, headers)).then(|| {
        let (used, of_headers) = now;
        format!(
            "one guest author uses {used} bytes, and {of_headers} for headers, where it may use \
             {bodies} and {headers}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::cbor::Writer;

    #[test]
    fn accounts_are_read() {
        let mut w = Writer::new();
        w.array(11).bytes(&[7; 32]).uint(800_u64).bool(false);
        for number in [1_u64, 401, 2, 99, 5, 6] {
            w.uint(number);
        }
        w.bool(true).uint(9_u64);
        let account = Account::read(&w.into_bytes()).expect("an account");
        let expected = Account {
            share: 800,
            guests: 401,
            guest_headers: 99,
        };
        assert_eq!(account, expected);
        let before = Account {
            guests: 300,
            ..account
        };
        assert!(of_topic(account, before).is_some());
        assert_eq!(of_topic(account, account), None, "it did not grow");
        let less = Account {
            guests: 400,
            ..account
        };
        assert_eq!(of_topic(less, before), None);
        let headers = Account {
            guest_headers: 101,
            ..before
        };
        assert!(of_topic(headers, before).is_some());
    }

    #[test]
    fn an_author_has_an_eighth() {
        assert_eq!(of_author((100, 25), (0, 0), 800), None);
        assert!(of_author((101, 25), (0, 0), 800).is_some());
        assert!(of_author((100, 26), (0, 0), 800).is_some());
        assert_eq!(of_author((101, 0), (101, 0), 800), None);
    }
}
