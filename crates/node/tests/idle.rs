//! What a node does when nothing happens, and how much when something does.

use crate::story::{found, invite, join, send, use_core, wait};
use crate::world::World;
use machine::{Base, Event};
use node::Input;
use node::command::{Reply, WaitFor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Turns by node and kind.
type Counts = BTreeMap<(usize, String), u64>;

/// People who reach one another through core nodes alone, and topics of equal size.
struct City {
    world: World,
    cores: usize,
    people: usize,
    /// The members of each topic, the founder first.
    members: Vec<Vec<usize>>,
    counts: Rc<RefCell<Counts>>,
}

fn topic_name(topic: usize) -> String {
    format!("topic {topic}")
}

fn kind_of_frame(frame: &Frame) -> String {
    let name = match frame {
        Frame::Topic { frame, .. } => format!("{frame:?}"),
        other => format!("{other:?}"),
    };
    let name = name
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_lowercase();
    match frame {
        Frame::Topic {
            frame: TopicFrame::Refused { .. },
            ..
        } => "frame: topic refused".to_owned(),
        Frame::Topic { .. } => format!("frame: topic {name}"),
        _ => format!("frame: {name}"),
    }
}

fn kind_of(event: &Event<Input>, due: Option<String>) -> String {
    match event {
        Event::Deadline => format!("deadline: {}", due.unwrap_or_else(|| "none".to_owned())),
        Event::Input(Input::Frame { bytes, .. }) => match Frame::decode(bytes) {
            Ok(frame) => kind_of_frame(&frame),
            Err(_) => "frame: garbage".to_owned(),
        },
        Event::Input(Input::Writable { .. }) => "writable".to_owned(),
        Event::Input(Input::Checked(_)) => "checked".to_owned(),
        Event::Input(Input::Command { .. }) => "command".to_owned(),
        Event::Input(Input::LinkUp { .. } | Input::LinkDown { .. }) => "link".to_owned(),
        Event::Input(_) => "other".to_owned(),
    }
}

impl City {
    /// All of them up, linked and in step.
    fn new(cores: usize, people: usize, topics: usize, members: usize) -> Self {
        let mut world = World::new(77);
        for n in 0..cores {
            world.add(&format!("core {n}"), true);
        }
        for n in 0..people {
            let person = world.add(&format!("person {n}"), false);
            // Behind address translators: a person's node is dialled by nobody.
            for other in cores..person {
                world.cut.push((other, person));
            }
        }
        world.delay = Duration::from_millis(20);
        let mut city = Self {
            world,
            cores,
            people,
            members: Vec::new(),
            counts: Rc::default(),
        };
        for n in 0..people {
            use_core(&mut city.world, cores + n, n % cores);
        }
        for topic in 0..topics {
            city.gather(topic, members);
        }
        city.world.pass(5 * MINUTE);
        let counts = Rc::clone(&city.counts);
        city.world.tally = Some(Box::new(move |node, event, due| {
            let mut counts = counts.borrow_mut();
            *counts.entry((node, kind_of(event, due))).or_default() += 1;
        }));
        city
    }

    /// People of one neighbourhood begin a topic: two core nodes hold it at most.
    fn gather(&mut self, topic: usize, members: usize) {
        let groups = (self.people / members).max(1);
        let first = (topic % groups) * members;
        let who: Vec<usize> = (0..members)
            .map(|n| self.cores + (first + n + topic / groups) % self.people)
            .collect();
        found(&mut self.world, who[0], &topic_name(topic));
        self.world.pass(Duration::from_secs(2));
        let uses = u32::try_from(members).expect("small");
        let link = invite(&mut self.world, who[0], &topic_name(topic), uses);
        self.world.pass(Duration::from_secs(2));
        for person in &who[1..] {
            join(&mut self.world, *person, &link);
        }
        self.members.push(who);
    }

    /// Everybody whose number is no multiple of three goes.
    fn leave_a_third(&mut self) {
        for n in (0..self.people).filter(|n| n % 3 != 0) {
            self.world.down(self.cores + n);
        }
        self.world.pass(MINUTE);
    }

    /// Somebody who is there writes to each topic in turn, a message a minute.
    fn talk(&mut self, rounds: usize) -> u32 {
        let mut messages = 0;
        for round in 0..rounds {
            for topic in 0..self.members.len() {
                let up = self.members[topic].iter().copied();
                let up: Vec<usize> = up.filter(|node| self.world.is_up(*node)).collect();
                let (who, name) = (up[round % up.len()], topic_name(topic));
                send(&mut self.world, who, &name, "hello");
                self.world.pass(MINUTE);
                messages += 1;
            }
        }
        messages
    }

    fn start(&mut self) {
        self.counts.borrow_mut().clear();
        self.world.frames = 0;
        self.world.batches = 0;
    }

    /// Turns of one kind of node, by kind, since [`City::start`].
    fn turns(&self, core: bool) -> BTreeMap<String, u64> {
        let mut kinds = BTreeMap::new();
        for ((node, kind), count) in self.counts.borrow().iter() {
            if (*node < self.cores) == core {
                *kinds.entry(kind.clone()).or_default() += count;
            }
        }
        kinds
    }

    fn online(&self) -> usize {
        (self.cores..self.cores + self.people)
            .filter(|node| self.world.is_up(*node))
            .count()
    }

    /// Prints what is on the disk of one node, by table.
    fn print_disk(&self, node: usize) {
        println!(
            "\ntable {:>8} {:>10} {:>10} on the disk of a node",
            "rows", "keys", "values"
        );
        let mut all = (0, 0, 0);
        for id in 0..=u8::MAX {
            let table = machine::Table::new(id, "any");
            let rows = self
                .world
                .disk(node)
                .scan(table, (&[], &[u8::MAX; 80]), usize::MAX, false);
            let rows = rows.expect("memory can be read");
            if rows.is_empty() {
                continue;
            }
            let keys: usize = rows.iter().map(|(key, _)| key.len()).sum();
            let values: usize = rows.iter().map(|(_, value)| value.len()).sum();
            println!("{id:>5} {:>8} {keys:>10} {values:>10}", rows.len());
            all = (all.0 + rows.len(), all.1 + keys, all.2 + values);
        }
        println!("  all {:>8} {:>10} {:>10}", all.0, all.1, all.2);
    }

    /// Prints turns of people and of core nodes, each divided.
    fn print(&self, title: &str, people: f64, cores: f64) {
        let frames = self.world.frames;
        let commits = self.world.batches;
        println!("\n{title}: {frames} frames and {commits} commits in all");
        println!("  {:<30} {:>10} {:>10}", "turns", "person", "core");
        let (of_people, of_cores) = (self.turns(false), self.turns(true));
        let mut kinds: Vec<&String> = of_people.keys().chain(of_cores.keys()).collect();
        kinds.sort();
        kinds.dedup();
        let mut sums = (0.0, 0.0);
        for kind in kinds {
            let count = |of: &BTreeMap<String, u64>| of.get(kind).map_or(0.0, |n| *n as f64);
            let (person, core) = (count(&of_people) / people, count(&of_cores) / cores);
            sums = (sums.0 + person, sums.1 + core);
            println!("  {kind:<30} {person:>10.2} {core:>10.2}");
        }
        println!("  {:<30} {:>10.2} {:>10.2}", "all", sums.0, sums.1);
    }
}

/// Prints what a small city costs: `cargo test -p node idle_city -- --ignored --nocapture`.
#[test]
#[ignore = "prints a table; run it by name"]
fn idle_city() {
    let mut city = City::new(3, 60, 6, 30);
    let (people, cores) = (60.0, 3.0);
    city.start();
    city.world.pass(HOUR);
    city.print("an hour of silence, per node", people, cores);
    city.leave_a_third();
    let online = city.online() as f64;
    city.start();
    let rounds = city.talk(20);
    let title = format!("{rounds} messages, a third online ({online}), all turns per message");
    city.print(&title, f64::from(rounds), f64::from(rounds));
    city.start();
    let back: Vec<usize> = (0..city.people).filter(|n| n % 3 == 1).collect();
    for n in &back {
        city.world.up(city.cores + n);
        city.world.pass(5 * MINUTE);
        city.world.down(city.cores + n);
    }
    let sessions = back.len() as f64;
    city.print(
        "a session of five minutes, all turns per session",
        sessions,
        sessions,
    );
}

/// A long talk and nothing beside, for a profiler; prints what the turns were.
#[test]
#[ignore = "for a profiler; run it by name"]
fn idle_talk() {
    let mut city = City::new(2, 30, 3, 30);
    city.world.tally = None;
    city.leave_a_third();
    let turns = |city: &City| -> u64 {
        let kernels = city
            .world
            .nodes
            .iter()
            .filter_map(|node| node.kernel.as_ref());
        kernels.map(machine::Kernel::turns).sum()
    };
    let before = turns(&city);
    let messages = city.talk(300);
    println!("{messages} messages, {} turns", turns(&city) - before);
    city.print_disk(city.cores);
    city.print_disk(0);
}

#[test]
fn idle_links_cost_a_few_turns_an_hour() {
    let mut city = City::new(1, 2, 1, 2);
    city.world.pass(2 * HOUR);
    city.start();
    city.world.pass(HOUR);
    city.print("an hour of silence, per node", 2.0, 1.0);
    // Six questions whether the link lives, each with its answer and its deadline, and a look at
    // what is over.
    let (people, core) = (city.turns(false), city.turns(true));
    let sum = |turns: &BTreeMap<String, u64>| turns.values().sum::<u64>();
    assert!(sum(&people) <= 2 * 30, "{people:?}");
    assert!(sum(&core) <= 2 * 30, "{core:?}");
    assert_eq!(city.world.batches, 0, "nothing is written");
}

#[test]
fn a_message_to_thirty_of_whom_ten_are_there_costs_few_frames() {
    let mut city = City::new(2, 30, 1, 30);
    city.leave_a_third();
    city.world.pass(2 * HOUR);
    assert_eq!(city.online(), 10);
    let author = city.members[0][0];
    city.start();
    let id = send(&mut city.world, author, &topic_name(0), "hello");
    let reached = wait(&mut city.world, author, &id, WaitFor::Delivered, Some(9));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    city.world.pass(MINUTE);
    city.print("a message, all turns", 1.0, 1.0);
    // Nine get it and answer; the two core nodes pass it and the answers on. A member may have a
    // link with both core nodes.
    let of_kind = |kind: &str| {
        let turns = [city.turns(false), city.turns(true)];
        turns
            .iter()
            .filter_map(|turns| turns.get(kind))
            .sum::<u64>()
    };
    assert!(of_kind("frame: topic envelopes") <= 20);
    assert!(of_kind("frame: topic receipts") <= 25);
    assert!(city.world.frames <= 50, "{} frames", city.world.frames);
}

#[test]
fn in_a_small_quiet_topic_delivery_is_known_within_a_second() {
    let mut city = City::new(1, 3, 1, 3);
    city.world.pass(HOUR);
    let author = city.members[0][0];
    let id = send(&mut city.world, author, &topic_name(0), "hello");
    let before = city.world.now;
    let reached = wait(&mut city.world, author, &id, WaitFor::Delivered, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    assert!(city.world.now.since(before) <= Duration::from_secs(1));
}
