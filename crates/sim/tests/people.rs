//! What people do that the swarm's checkers ask for only where it came about: it does come about.

use sim::scenario::Scenario;
use sim::{Options, run};
use std::io::Write;
use std::sync::{Arc, Mutex};

/// Lines of a run.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one writes").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const WORLD: &str = r#"
length = "40m"
converge = "10m"
[[site]]
name = "home"
uplink = { latency = "15ms" }
[[site]]
name = "internet"
uplink = { latency = "5ms" }
open = true
[[core]]
name = "core"
site = "internet"
[[people]]
name = "ana"
site = "home"
cores = "core"
[[people]]
name = "ben"
site = "internet"
[[people]]
name = "cleo"
site = "internet"
cores = "core"
[[topic]]
name = "tea"
founder = "ana"
members = ["ana", "ben"]
[[topic]]
name = "news"
founder = "ben"
members = "ben"
public = true
readers = ["ana", "cleo"]
[[messages]]
who = ["ana", "ben"]
per-day = 720
"#;

/// Runs the world with this added; gives the lines of what came of it.
fn ran(added: &str) -> String {
    let text = format!("{WORLD}{added}");
    let plan = Scenario::read(&text, "people").expect("it can be read");
    let plan = plan.plan(1).expect("it can be planned");
    let lines = Lines::default();
    let options = Options {
        trace: Some(Box::new(lines.clone())),
        ..Options::default()
    };
    let outcome = run(&plan, options);
    assert_eq!(outcome.broken, []);
    assert_eq!(outcome.unfinished, None);
    let totals = outcome.metrics.totals();
    assert!(totals.written > 10);
    assert_eq!(totals.shown, totals.expected, "everything comes, once");
    let bytes = lines.0.lock().expect("one writes").clone();
    String::from_utf8(bytes).expect("text")
}

/// How often somebody looks at what has come in its topics.
fn reads(lines: &str, who: &str) -> usize {
    let of = lines.lines().filter(|line| line.contains(who));
    of.filter(|line| line.contains("is asked Read")).count()
}

#[test]
fn readers_find_what_is_public_and_are_shown_it() {
    let lines = ran("");
    let by = |what: &str| lines.lines().any(|line| line.contains(what));
    assert!(by("Join { link: \"way:topic/") && by("Join { link: \"topic1"));
    assert!(reads(&lines, " cleo ") > 5);
}

#[test]
fn a_second_device_is_given_what_the_first_has_until_it_is_removed() {
    let device = "[[device]]\nwho = \"ana\"\nat = \"10m\"\n";
    let stays = reads(&ran(device), " ana device ");
    assert!(stays > 5, "{stays}");
    let lines = ran(&format!("{device}removed = \"20m\"\n"));
    let removed = reads(&lines, " ana device ");
    assert!(removed > 1 && removed < stays, "{removed} of {stays}");
    assert!(!lines.contains("cannot: Unpair"));
}
