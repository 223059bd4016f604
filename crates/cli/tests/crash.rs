//! `kill -9` at random moments under load, while messages are on their way.
//!
//! A publisher, a core node that it uses, and a subscriber. In each round one or two of them at
//! once are killed and started again, a few times; then some rounds go on without the publisher,
//! or with the subscriber alone; at the end all are up. What was promised to anybody must be there:
//!
//! - a message with an id (`Sent`) reaches the subscriber once the publisher is up again;
//! - one that `way why` has called held reaches it without the publisher;
//! - one that `way why` has called delivered is there when nobody else is;
//! - nothing that the durable cursor has passed is shown again.
//!
//! `WAY_CRASH_ROUNDS` (10) says how many rounds, `WAY_CRASH_SEED` repeats the choices of a run; the
//! moments are as the machine has them.
//!
//! ```text
//! WAY_CRASH_ROUNDS=200 cargo test -p cli --release --test main crash:: -- --nocapture
//! cargo test -p cli --features planted --test main crash:: -- --nocapture
//! ```
//!
//! The second switches the release rule off and shows that this test would notice.

mod ledger;
mod load;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use machine::Rng;

use crate::member::Member;
use crate::people::World;
use ledger::{Book, Ledger};
use load::TOPIC;

/// How long what was promised may take to arrive on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a run was like.
#[derive(Debug, Default)]
struct Figures {
    rounds: u32,
    kills: u32,
    /// Kills while a message was not yet seen by the subscriber, or not even answered for.
    under_way: u32,
    without_publisher: u32,
    alone: u32,
    /// How long what was promised took to arrive, at most.
    longest: Duration,
}

struct Run {
    /// Publisher, core node, subscriber.
    members: [Member; 3],
    ledger: Arc<Ledger>,
    threads: Vec<JoinHandle<()>>,
    rng: Rng,
    figures: Figures,
    /// Everybody's folders; removed last.
    _world: World,
}

type Checked = Result<(), Vec<String>>;

impl Run {
    fn new(seed: u64, environment: &[(&str, &str)]) -> Self {
        let world = World::new();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let mut members = [
            Member::new(&world, "alice", &[]),
            Member::new(&world, "core", &["--core"]),
            Member::new(&world, "bob", &[]),
        ];
        let [alice, core, bob] = &members;
        alice.person.uses(&core.person);
        alice.person.creates(TOPIC);
        bob.person.joins(&alice.person.invites(TOPIC, "1"));
        if !environment.is_empty() {
            // A planted defect begins when all is set up.
            for member in &mut members {
                member.kill();
                member.person.environment = World::variables(environment);
                member.start();
                member.wait_up();
            }
        }
        let [alice, _, bob] = &members;
        let ledger = Arc::new(Ledger::default());
        let threads = vec![
            load::writer(alice.person.home.clone(), Arc::clone(&ledger), rng.fork()),
            load::asker(alice.person.home.clone(), Arc::clone(&ledger), rng.fork()),
            load::reader(bob.person.home.clone(), Arc::clone(&ledger), rng.fork()),
        ];
        Self {
            members,
            ledger,
            threads,
            rng,
            figures: Figures::default(),
            _world: world,
        }
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.rng.below(bound)).unwrap()
    }

    /// Lets a random time pass: that the moment is random is the point.
    fn while_something_happens(&mut self, most_ms: u64) {
        let moment = Duration::from_millis(self.rng.below(most_ms));
        self.ledger.wait(moment, |_| false);
    }

    fn kill_some(&mut self) {
        self.while_something_happens(400);
        let mut order = [0, 1, 2];
        self.rng.shuffle(&mut order);
        let count = 1 + self.below(2);
        let under_way = self.ledger.book().is_under_way();
        for who in &order[..count] {
            self.members[*who].kill();
            self.figures.kills += 1;
            self.figures.under_way += u32::from(under_way);
        }
        self.while_something_happens(200);
        for who in &order[..count] {
            self.members[*who].start();
        }
    }

    /// What was promised must arrive.
    fn arrives(&mut self, what: &str, promised: impl Fn(&Book) -> Vec<u64>) -> Checked {
        let done = |book: &Book| !book.findings.is_empty() || promised(book).is_empty();
        let began = Instant::now();
        let in_time = self.ledger.wait(PATIENCE, done);
        let took = began.elapsed();
        self.figures.longest = self.figures.longest.max(took);
        if took > Duration::from_secs(5) {
            println!("crash: round {}: {what}: {took:?}", self.figures.rounds + 1);
        }
        let book = self.ledger.book();
        if !book.findings.is_empty() {
            return Err(book.findings.clone());
        }
        if in_time {
            return Ok(());
        }
        let missing = promised(&book);
        Err(vec![format!(
            "{what}: {} messages are missing: {:?}",
            missing.len(),
            &missing[..missing.len().min(10)]
        )])
    }

    fn round(&mut self) -> Checked {
        self.ledger.note(|book| book.writing = true);
        for _ in 0..1 + self.below(3) {
            self.kill_some();
        }
        let ending = self.below(4);
        if ending == 0 {
            self.ledger.note(|book| book.writing = false);
            self.members[0].kill();
            self.figures.without_publisher += 1;
            // Who starts again dials at once; who stays up learns only by silence that the core
            // node of its link is not the one of now. That takes long, so it is not done often.
            if self.below(8) != 0 {
                self.members[2].kill();
                self.members[2].start();
            }
            self.arrives("held, without the publisher", |book| {
                book.missing(book.held.union(&book.delivered))
            })?;
        }
        if ending == 1 {
            self.members[0].kill();
            self.members[1].kill();
            self.figures.alone += 1;
            self.arrives("delivered, alone", |book| {
                book.missing(book.delivered.iter())
            })?;
        }
        self.ledger.note(|book| book.writing = false);
        for member in &mut self.members {
            member.start();
            member.wait_up();
        }
        self.arrives("sent, with all up", |book| book.missing(book.sent.keys()))?;
        // The program itself, behind the same cursor: what it shows is new as well.
        let cursor = self.ledger.cursor();
        let subscriber = &self.members[2].person;
        let lines = subscriber.json("Line", &["read", TOPIC, "--new"]);
        self.ledger.show(&lines);
        if let Some(n) = lines.last().and_then(|line| line["n"].as_u64()) {
            self.ledger.confirmed(n);
        }
        drop(cursor);
        self.figures.rounds += 1;
        self.arrives("the cursor", |_| vec![])
    }

    /// The end of a run: everything once more, from what is stored, and the stores themselves.
    fn settle(&mut self) -> Checked {
        let [publisher, core, subscriber] = &self.members;
        let fresh = Ledger::default();
        fresh.show(&subscriber.person.json("Line", &["read", TOPIC]));
        let stored = fresh.book();
        let mut findings = stored.findings.clone();
        let sent: Vec<u64> = self.ledger.book().sent.keys().copied().collect();
        let missing = stored.missing(sent.iter());
        if !missing.is_empty() {
            findings.push(format!("stored no longer: {missing:?}"));
        }
        for member in [publisher, subscriber] {
            let info = member.person.object("TopicInfo", &["topic", "info", TOPIC]);
            if info
                .get("forked")
                .is_some_and(|f| f != &serde_json::json!([]))
            {
                findings.push(format!("{} sees a fork: {info}", member.person.name));
            }
        }
        for member in [publisher, core, subscriber] {
            if member.person.log().contains("may be a copy") {
                findings.push(format!("{} took its home for a copy", member.person.name));
            }
            member.person.down();
            let checked = member.person.tries(&["check"]);
            if checked.code != 0 {
                findings.push(format!("way check: {checked:?}"));
            }
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(findings)
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.ledger.note(|book| book.over = true);
        // Whoever waits for an answer is let go by the end of the node.
        for member in &mut self.members {
            member.kill();
        }
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number"))
    })
}

/// Runs so many rounds, prints the figures, and says which promise was broken first.
fn rounds(count: u64, environment: &[(&str, &str)]) -> Checked {
    let mut fresh = [0; 8];
    getrandom::fill(&mut fresh).unwrap();
    let seed = number("WAY_CRASH_SEED").unwrap_or(u64::from_be_bytes(fresh));
    println!("crash: WAY_CRASH_SEED={seed} WAY_CRASH_ROUNDS={count}");
    let began = Instant::now();
    let mut run = Run::new(seed, environment);
    let mut outcome = Ok(());
    for _ in 0..count {
        outcome = run.round();
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() {
        outcome = run.settle();
    }
    let (figures, book) = (&run.figures, run.ledger.book());
    println!(
        "crash: {} rounds in {:.1} s; {} kills, {} of them with messages under way; {} endings \
         without the publisher, {} with the subscriber alone; {} messages tried, {} sent, {} seen \
         held, {} seen delivered, {} shown; the longest wait was {:.1} s",
        figures.rounds,
        began.elapsed().as_secs_f64(),
        figures.kills,
        figures.under_way,
        figures.without_publisher,
        figures.alone,
        book.tried,
        book.sent.len(),
        book.held.len(),
        book.delivered.len(),
        book.count_shown(),
        figures.longest.as_secs_f64(),
    );
    drop(book);
    if let Err(findings) = &outcome {
        for member in &run.members {
            let log = member.person.log();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            println!(
                "crash: the last of {}'s log, newest first:",
                member.person.name
            );
            println!("{}", lines.join("\n"));
        }
        println!("crash: {}", findings.join("\ncrash: "));
    }
    outcome
}

#[test]
fn nothing_promised_is_lost_or_shown_twice() {
    let count = number("WAY_CRASH_ROUNDS").unwrap_or(10);
    if let Err(findings) = rounds(count, &[]) {
        panic!("{}", findings.join("\n"));
    }
}

/// The variable exists in programs that are built with the feature alone: held outputs leave at
/// once, and every commit takes so many milliseconds.
#[cfg(feature = "planted")]
#[test]
fn without_the_release_rule_the_loss_is_found() {
    let findings = rounds(10, &[("WAY_PLANT_EARLY_RELEASE", "300")])
        .expect_err("the release rule is off, and nobody has noticed");
    let text = findings.join("\n");
    assert!(
        // What was answered for is not there, or it came in two versions.
        [
            "no message here has the id",
            "missing",
            "again",
            "twice",
            "is now",
            "after message",
        ]
        .iter()
        .any(|word| text.contains(word)),
        "{text}"
    );
}

/// Nothing of the planted defect is in a program that was built without it.
#[cfg(not(feature = "planted"))]
#[test]
fn the_release_rule_cannot_be_switched_off() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_way")).unwrap();
    let word = b"WAY_PLANT";
    assert!(!program.windows(word.len()).any(|part| part == word));
}
