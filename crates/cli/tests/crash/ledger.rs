//! What was promised and what was seen, and whether the two agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Everything that the people of a run were told. Messages are known by the number that their text
/// begins with.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Messages that were handed to the publisher's node, with or without an answer.
    pub(crate) tried: u64,
    /// What a `Sent` was printed for.
    pub(crate) sent: BTreeMap<u64, String>,
    /// What `way why` has ever called held, or delivered.
    pub(crate) held: BTreeSet<u64>,
    pub(crate) delivered: BTreeSet<u64>,
    /// What the cursor has shown to the subscriber: line numbers and messages.
    lines: BTreeMap<u64, u64>,
    shown: BTreeSet<u64>,
    /// The last line of which the node has said that the cursor is behind it.
    confirmed: u64,
    /// Every promise that was broken.
    pub(crate) findings: Vec<String>,
    /// Whether the publisher is to write.
    pub(crate) writing: bool,
    /// The run is over.
    pub(crate) over: bool,
}

/// A [`Book`] that several threads write in.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    changed: Condvar,
    cursor: Mutex<()>,
}

impl Book {
    fn find(&mut self, what: String) {
        // The first few tell the story.
        if self.findings.len() < 20 && !self.findings.contains(&what) {
            self.findings.push(what);
        }
    }

    /// The cursor has shown this line.
    fn show(&mut self, line: &Value) {
        let n = line["n"].as_u64().unwrap();
        if line["kind"] == "gap" {
            self.find(format!("line {n} is a gap: {}", line["text"]));
        }
        if n <= self.confirmed {
            self.find(format!(
                "line {n} was shown again: the cursor was behind {}",
                self.confirmed
            ));
        }
        if line["kind"] != "text" {
            return;
        }
        let text = line["text"].as_str().unwrap();
        let Some(message) = text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok())
        else {
            return self.find(format!("line {n} was written by nobody: {text}"));
        };
        match self.lines.insert(n, message) {
            // It came again because the node went down before it had moved the cursor.
            Some(before) if before == message => return,
            Some(before) => self.find(format!("line {n} was message {before}, is now {message}")),
            None => {}
        }
        if !self.shown.insert(message) {
            self.find(format!(
                "message {message} was shown twice, now as line {n}"
            ));
        }
        if let Some(last) = self.shown.last()
            && *last > message
        {
            let last = *last;
            self.find(format!("message {message} was shown after message {last}"));
        }
    }

    /// What of these the subscriber has not seen.
    pub(crate) fn missing<'a>(&self, promised: impl Iterator<Item = &'a u64>) -> Vec<u64> {
        promised
            .filter(|message| !self.shown.contains(message))
            .copied()
            .collect()
    }

    pub(crate) fn count_shown(&self) -> usize {
        self.shown.len()
    }

    /// Whether a message is on its way: not seen yet, or not even answered for.
    pub(crate) fn is_under_way(&self) -> bool {
        (self.shown.len() as u64) < self.tried
    }
}

impl Ledger {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by who reads behind the cursor, from the reading to the confirming: two who read at once
    /// are shown the same.
    pub(crate) fn cursor(&self) -> MutexGuard<'_, ()> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something, and tells who waits for it.
    pub(crate) fn note<T>(&self, what: impl FnOnce(&mut Book) -> T) -> T {
        let noted = what(&mut self.book());
        self.changed.notify_all();
        noted
    }

    pub(crate) fn find(&self, what: String) {
        self.note(|book| book.find(what));
    }

    /// The cursor has shown these lines.
    pub(crate) fn show(&self, lines: &[Value]) {
        self.note(|book| lines.iter().for_each(|line| book.show(line)));
    }

    /// The node has said that the cursor is behind this line.
    pub(crate) fn confirmed(&self, n: u64) {
        self.note(|book| book.confirmed = book.confirmed.max(n));
    }

    /// Waits until the book is as wanted; whether it was in time.
    pub(crate) fn wait(&self, patience: Duration, wanted: impl Fn(&Book) -> bool) -> bool {
        let until = Instant::now() + patience;
        let mut book = self.book();
        while !wanted(&book) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            book = self
                .changed
                .wait_timeout(book, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

#[test]
fn the_book_notices_every_kind_of_broken_promise() {
    let line =
        |n: u64, kind: &str, text: &str| serde_json::json!({"n": n, "kind": kind, "text": text});
    let found = |before: &[Value], confirmed: u64, then: Value| {
        let ledger = Ledger::default();
        ledger.show(before);
        ledger.confirmed(confirmed);
        ledger.show(&[then]);
        ledger.book().findings.join("; ")
    };
    let two = [line(1, "text", "0 a"), line(2, "text", "1 b")];
    assert_eq!(found(&two, 2, line(3, "text", "2 c")), "");
    assert_eq!(found(&two, 1, line(2, "text", "1 b")), "", "not confirmed");
    assert!(found(&two, 2, line(2, "text", "1 b")).contains("shown again"));
    assert!(found(&two, 2, line(3, "text", "1 b")).contains("shown twice"));
    assert!(found(&two, 1, line(2, "text", "5 b")).contains("is now 5"));
    assert!(found(&two[1..], 2, line(3, "text", "0 a")).contains("shown after"));
    assert!(found(&two, 2, line(3, "gap", "expired")).contains("gap"));
    assert!(found(&two, 2, line(3, "text", "hello")).contains("by nobody"));
    let ledger = Ledger::default();
    ledger.show(&two);
    assert_eq!(ledger.book().missing([0, 1, 2].iter()), [2]);
}
