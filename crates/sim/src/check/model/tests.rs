//! The model itself: against the results of the one that the rules were designed with, and in worlds
//! of five replicas with a hostile administrator, where it must agree with itself.

use super::{Act, Graph, Node, Outcome, Set, Wording};
use machine::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// The wording that the rules were designed with, before 0009.
const DESIGNED: Wording = Wording {
    all_name: false,
    stays_born: false,
    cut_by_number: false,
};
const BY_NUMBER: Wording = Wording {
    cut_by_number: true,
    ..DESIGNED
};

/// Graphs, sets of them, and what the first model says of each. Lines as `node` and `judge` read
/// them.
const RESULTS: &str = include_str!("effective.txt");

fn list<T: std::str::FromStr>(text: &str) -> Vec<T> {
    let parts = text.split(',').filter(|part| *part != "-");
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn pairs(text: &str) -> BTreeMap<u32, u64> {
    let parts = text.split(',').filter_map(|part| part.split_once(':'));
    parts
        .map(|(author, number)| {
            (
                author.parse().expect("a key"),
                number.parse().expect("a number"),
            )
        })
        .collect()
}

/// `author number previous deps act`.
fn node(line: &str) -> Node {
    let words: Vec<&str> = line.split(' ').collect();
    let act = match words[4..] {
        ["c"] => Act::Content,
        ["g", author] => Act::Grant(list(author)),
        ["r", author, number, tips] => Act::Revoke {
            author: author.parse().expect("a key"),
            number: number.parse().expect("a number"),
            tips: list(tips),
        },
        _ => panic!("{line}"),
    };
    Node {
        author: words[0].parse().expect("a key"),
        number: words[1].parse().expect("a number"),
        previous: words[2].parse().ok(),
        deps: list(words[3]),
        act,
    }
}

/// `judge wording set evidence = effective forks live`.
fn judge(graph: &Graph, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let wording = if words[1] == "n" { BY_NUMBER } else { DESIGNED };
    let set: Set = list(words[2]).into_iter().collect();
    let outcome = graph.judge(&set, &pairs(words[3]), wording);
    let effective: Set = list(words[5]).into_iter().collect();
    assert_eq!(outcome.effective, effective, "{line}");
    assert_eq!(outcome.forks, pairs(words[6]), "{line}");
    let live: BTreeSet<u32> = list(words[7]).into_iter().collect();
    assert_eq!(outcome.live, live, "{line}");
}

#[test]
fn it_says_what_the_first_model_says() {
    let mut graph = Graph::default();
    let mut judged = 0;
    for line in RESULTS.lines() {
        if line.starts_with("graph") {
            graph = Graph {
                nodes: Vec::new(),
                roots: BTreeSet::from([0]),
            };
        } else if line.starts_with("judge") {
            judge(&graph, line);
            judged += 1;
        } else {
            graph.nodes.push(node(line));
        }
    }
    assert!(judged > 100, "{judged} sets");
}

/// One replica: what it holds and has evidence of, and what it has found inadmissible.
#[derive(Clone, Default)]
struct Replica {
    set: Set,
    evidence: BTreeMap<u32, u64>,
    bad: Set,
    outcome: Outcome,
    /// Takes nothing beyond a fork that it knows but what somebody else's envelope names already:
    /// another wording, which does not converge.
    hasty: bool,
}

impl Replica {
    /// Takes what follows from its set, until nothing changes.
    fn settle(&mut self, graph: &Graph, wording: Wording) {
        for _ in 0..10 {
            self.outcome = graph.judge(&self.set, &self.evidence, wording);
            for (author, number) in &self.outcome.forks {
                let known = self.evidence.entry(*author).or_insert(*number);
                *known = (*known).min(*number);
            }
            if self.outcome.kept == self.set {
                return;
            }
            self.set.clone_from(&self.outcome.kept);
        }
    }

    fn offer(&mut self, graph: &Graph, place: usize, wording: Wording) {
        let mut all = graph.past([place]);
        all.insert(place);
        for place in all {
            if self.set.contains(&place) || self.bad.contains(&place) {
                continue;
            }
            let named_bad = graph.named(place).any(|named| self.bad.contains(&named));
            if named_bad || !graph.is_admissible(place, wording) {
                self.bad.insert(place);
                continue;
            }
            if self.hasty && self.is_late(graph, place) {
                self.bad.insert(place);
                continue;
            }
            self.set.insert(place);
        }
        self.evidence = graph.forks(&self.set, &self.evidence);
    }

    fn is_late(&self, graph: &Graph, place: usize) -> bool {
        let node = &graph.nodes[place];
        let beyond = self
            .evidence
            .get(&node.author)
            .is_some_and(|fork| node.number >= *fork);
        let others = |by: &&usize| graph.nodes[**by].author != node.author;
        let mut named = self.set.iter().filter(others);
        beyond && !named.any(|by| graph.past([*by]).contains(&place))
    }
}

fn sync(graph: &Graph, one: &mut Replica, two: &mut Replica, wording: Wording) -> usize {
    for (author, number) in one.evidence.clone().into_iter().chain(two.evidence.clone()) {
        for replica in [&mut *one, &mut *two] {
            let known = replica.evidence.entry(author).or_insert(number);
            *known = (*known).min(number);
        }
    }
    one.settle(graph, wording);
    two.settle(graph, wording);
    let mut moved = 0;
    for turn in 0..2 {
        let (from, to) = if turn == 0 {
            (&*one, &mut *two)
        } else {
            (&*two, &mut *one)
        };
        let lacking: Vec<usize> = from.set.difference(&to.set).copied().collect();
        for place in lacking {
            let before = to.set.len();
            to.offer(graph, place, wording);
            moved += to.set.len() - before;
        }
    }
    one.settle(graph, wording);
    two.settle(graph, wording);
    moved
}

/// A world of five replicas: honest people who write, let in and revoke, and a hostile
/// administrator, with everybody whom it lets in, who builds on anything.
struct World {
    graph: Graph,
    rng: Rng,
    wording: Wording,
    replicas: Vec<Replica>,
    /// At which replica an author writes.
    at: BTreeMap<u32, usize>,
    hostile: BTreeSet<u32>,
    /// By whom and by which envelope an author was let in.
    granted: BTreeMap<u32, (u32, usize)>,
}

impl World {
    fn new(seed: u64, wording: Wording) -> Self {
        let mut bytes = [3; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut world = Self {
            graph: Graph {
                nodes: Vec::new(),
                roots: BTreeSet::from([0]),
            },
            rng: Rng::from_seed(bytes),
            wording,
            replicas: vec![Replica::default(); 5],
            at: (0..4).map(|author| (author, author as usize)).collect(),
            hostile: BTreeSet::new(),
            granted: BTreeMap::new(),
        };
        let hostile = if world.below(2) == 0 { 1 } else { 2 };
        world.hostile.insert(hostile);
        let mut before = world.write(0, None, Vec::new(), Act::Content);
        for author in 1..4 {
            before = world.write(0, Some(before), Vec::new(), Act::Grant(vec![author]));
            world.granted.insert(author, (0, before));
        }
        for at in 0..5 {
            world.give(at, before);
        }
        world
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.rng.below(end.max(1) as u64)).expect("small")
    }

    fn write(&mut self, author: u32, previous: Option<usize>, deps: Vec<usize>, act: Act) -> usize {
        let number = previous.map_or(1, |place| self.graph.nodes[place].number + 1);
        self.graph.nodes.push(Node {
            author,
            number,
            previous,
            deps,
            act,
        });
        self.graph.nodes.len() - 1
    }

    fn give(&mut self, at: usize, place: usize) {
        self.replicas[at].offer(&self.graph, place, self.wording);
        self.replicas[at].settle(&self.graph, self.wording);
    }

    fn some(&mut self, of: &[usize], most: usize) -> Vec<usize> {
        let mut some = BTreeSet::new();
        for _ in 0..most.min(of.len()) {
            some.insert(of[self.below(of.len())]);
        }
        some.into_iter().collect()
    }

    fn step(&mut self) {
        if self.below(100) < 45 {
            let (one, two) = (self.below(5), self.below(5));
            self.meet(one, two);
            return;
        }
        let authors: Vec<u32> = self.at.keys().copied().collect();
        let author = authors[self.below(authors.len())];
        if self.hostile.contains(&author) {
            self.hostile(author);
        } else {
            self.honest(author);
        }
    }

    fn meet(&mut self, one: usize, two: usize) -> usize {
        if one == two {
            return 0;
        }
        let (one, two) = (one.min(two), one.max(two));
        let (left, right) = self.replicas.split_at_mut(two);
        sync(&self.graph, &mut left[one], &mut right[0], self.wording)
    }

    fn child(&mut self, of: u32) -> u32 {
        let child = u32::try_from(self.at.len()).expect("few") + 100;
        self.at.insert(child, self.at[&of]);
        child
    }

    fn hostile(&mut self, author: u32) {
        let all: Vec<usize> = (0..self.graph.nodes.len()).collect();
        let own = |place: &usize| self.graph.nodes[*place].author == author;
        let mine: Vec<usize> = all.iter().copied().filter(own).collect();
        let previous = match self.below(mine.len() + 1) {
            at if at < mine.len() => Some(mine[at]),
            _ => None,
        };
        let mut deps = vec![self.granted[&author].1];
        deps.extend(self.some(&all, 2));
        let place = match self.below(10) {
            0..=5 => self.write(author, previous, deps, Act::Content),
            6 | 7 => {
                let child = self.child(author);
                self.hostile.insert(child);
                let place = self.write(author, previous, deps, Act::Grant(vec![child]));
                self.granted.insert(child, (author, place));
                place
            }
            _ => {
                let known: Vec<u32> = self.granted.keys().copied().collect();
                let victim = known[self.below(known.len())];
                let number = self.rng.below(4);
                let act = Act::Revoke {
                    author: victim,
                    number,
                    tips: Vec::new(),
                };
                self.write(author, previous, deps, act)
            }
        };
        let at = self.below(5);
        self.give(at, place);
        for replica in &mut self.replicas {
            replica.settle(&self.graph, self.wording);
        }
    }

    fn honest(&mut self, author: u32) {
        let at = self.at[&author];
        let replica = self.replicas[at].clone();
        let outcome = self
            .graph
            .judge(&replica.set, &replica.evidence, self.wording);
        if author != 0 && !outcome.live.contains(&author) {
            return;
        }
        let mine = |place: &&usize| self.graph.nodes[**place].author == author;
        let tip = replica
            .set
            .iter()
            .filter(mine)
            .max_by_key(|p| self.graph.nodes[**p].number);
        let tip = tip.copied();
        let named = self.graph.past(replica.outcome.effective.iter().copied());
        let heads: Vec<usize> = replica
            .outcome
            .effective
            .difference(&named)
            .copied()
            .collect();
        let mut deps = self.some(&heads, 3);
        if tip.is_none() && author != 0 {
            deps.push(self.granted[&author].1);
        }
        let below = |child: &u32| {
            let mut at = *child;
            while let Some((by, _)) = self.granted.get(&at) {
                if *by == author {
                    return true;
                }
                at = *by;
            }
            false
        };
        let here = |child: &u32| replica.set.contains(&self.granted[child].1);
        let children: Vec<u32> = self
            .granted
            .keys()
            .copied()
            .filter(|child| below(child) && here(child))
            .collect();
        let (chance, child_at) = (self.below(100), self.below(children.len()));
        let act = if chance < 15 && !children.is_empty() {
            self.revocation(children[child_at], tip, &deps)
        } else if chance < 30 && author != 0 {
            Act::Grant(vec![self.child(author)])
        } else {
            Act::Content
        };
        let child = match &act {
            Act::Grant(children) => children.first().copied(),
            _ => None,
        };
        let place = self.write(author, tip, deps, act);
        if let Some(child) = child {
            self.granted.insert(child, (author, place));
        }
        if self.graph.is_admissible(place, self.wording) {
            self.give(at, place);
        }
    }

    /// What of an author is known to the one who revokes it remains.
    fn revocation(&self, author: u32, tip: Option<usize>, deps: &[usize]) -> Act {
        let seen: Set = tip.into_iter().chain(deps.iter().copied()).collect();
        let mut past = self.graph.past(seen.iter().copied());
        past.extend(seen);
        let own = |place: &&usize| self.graph.nodes[**place].author == author;
        let own: Set = past.iter().filter(own).copied().collect();
        let inner = self.graph.past(own.iter().copied());
        let numbers = own.iter().map(|place| self.graph.nodes[*place].number);
        Act::Revoke {
            author,
            number: numbers.max().unwrap_or(0),
            tips: own.difference(&inner).copied().collect(),
        }
    }

    /// Everybody meets everybody until nothing more is told; whether all ended alike.
    fn converges(mut self) -> bool {
        for _ in 0..60 {
            self.step();
        }
        for _ in 0..12 {
            let mut moved = 0;
            for one in 0..5 {
                for two in 0..one {
                    moved += self.meet(one, two);
                }
            }
            let first = &self.replicas[0];
            let same = |replica: &Replica| {
                replica.set == first.set && replica.outcome.effective == first.outcome.effective
            };
            if moved == 0 {
                return self.replicas.iter().all(same);
            }
        }
        false
    }
}

fn failures(wording: Wording, hasty: bool) -> usize {
    let fails = |seed: &u64| {
        let mut world = World::new(*seed, wording);
        world
            .replicas
            .iter_mut()
            .for_each(|replica| replica.hasty = hasty);
        !world.converges()
    };
    (0..150).filter(fails).count()
}

#[test]
fn replicas_converge_by_these_rules() {
    assert_eq!(failures(DESIGNED, false), 0);
    assert_eq!(failures(Wording::TODAY, false), 0);
}

#[test]
fn replicas_part_where_the_order_of_hearing_counts() {
    assert!(failures(DESIGNED, true) > 0);
}
