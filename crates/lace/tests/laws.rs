//! Random worlds: several replicas, people who come and go, one who forks, delivery in any order
//! with loss and repetition, and at the end a full sync by cuts.

use crate::oracle::{judge, parents};
use crate::world::{
    DAY, Replica, START, Topic, content, control, follow, id_of, join, plan, pull, rng,
    without_body,
};
use identity::{EnvelopeId, PublicKey, SecretKey};
use lace::Admission;
use machine::Rng;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Certificate, Checked, Class, Item, Verified};

const REPLICAS: usize = 3;

struct Writer {
    key: SecretKey,
    device: SecretKey,
    home: usize,
    hostile: bool,
}

pub(crate) struct Play {
    pub(crate) rng: Rng,
    topic: Topic,
    pub(crate) replicas: Vec<Replica>,
    writers: Vec<Writer>,
    pub(crate) pool: Vec<Checked<Verified>>,
    clock: u64,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    forks: usize,
    first: usize,
    void: usize,
    past_only: usize,
    standing: usize,
}

pub(crate) fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(bound).expect("small"))).expect("small")
}

impl Play {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let topic = Topic::new(&mut rng);
        let replicas = (0..REPLICAS)
            .map(|at| Replica::new(&topic, at as u64))
            .collect();
        let hostile = below(&mut rng, 5);
        let mut writers = Vec::new();
        for at in 0..4 {
            let device = if at == 0 {
                topic.founder.clone()
            } else {
                SecretKey::generate(&mut rng)
            };
            writers.push(Writer {
                key: SecretKey::generate(&mut rng),
                device,
                home: at % REPLICAS,
                hostile: at == hostile || (hostile == 4 && at > 1),
            });
        }
        let mut play = Self {
            rng,
            topic,
            replicas,
            writers,
            pool: Vec::new(),
            clock: START,
            tally: Tally::default(),
        };
        play.begin();
        play
    }

    /// The founder's first two envelopes, which every replica but the last gets.
    fn begin(&mut self) {
        let author = self.writers[0].key.clone();
        let items = self
            .topic
            .first_items(&self.topic.founder, author.public(), 0);
        let first = control(
            self.topic.header(self.topic.founder_grant()),
            &items,
            &author,
        );
        let header = follow(
            self.topic.header(self.topic.founder_grant()),
            Some(&first),
            &[],
        );
        let invited = control(header, &[Item::Invite(self.topic.invite)], &author);
        for replica in &mut self.replicas[..REPLICAS - 1] {
            replica.admitted(&first);
            replica.admitted(&invited);
        }
        self.pool.extend([first, invited]);
    }

    pub(crate) fn step(&mut self) {
        self.clock += self.rng.below(1000);
        match self.rng.below(10) {
            0..3 => self.deliver(),
            3 => {
                let a = below(&mut self.rng, REPLICAS);
                let b = (a + 1 + below(&mut self.rng, REPLICAS - 1)) % REPLICAS;
                let page = 1 + below(&mut self.rng, 4);
                let [a, b] = self
                    .replicas
                    .get_disjoint_mut([a, b])
                    .expect("two replicas");
                pull(a, b, page);
            }
            _ => {
                let at = below(&mut self.rng, self.writers.len());
                if self.writers[at].hostile {
                    self.attack(at);
                } else {
                    self.write(at);
                }
            }
        }
    }

    /// Anything reaches anybody, again and again, sometimes without its body.
    fn deliver(&mut self) {
        for _ in 0..=self.rng.below(4) {
            let mut verified = self.pool[below(&mut self.rng, self.pool.len())].clone();
            let class = verified.get().envelope.header.class;
            if class == Class::Content && self.rng.below(4) == 0 {
                verified = without_body(&verified);
            }
            let to = below(&mut self.rng, REPLICAS);
            self.replicas[to].take(&verified);
        }
    }

    /// An honest writer at home.
    fn write(&mut self, at: usize) {
        let writer = &self.writers[at];
        let (author, home) = (writer.key.public(), writer.home);
        let first = self.replicas[home].lace.author(&author).is_none();
        let class = if first || self.rng.below(5) == 0 {
            Class::Control
        } else {
            Class::Content
        };
        let plan = plan(class, self.clock);
        let grant = if at == 0 {
            self.topic.founder_grant()
        } else {
            self.topic.grant
        };
        let replica = &mut self.replicas[home];
        let Ok(header) = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan))
        else {
            assert!(
                replica.lace.invites().next().is_none(),
                "an honest author may write"
            );
            return;
        };
        let closed: BTreeSet<PublicKey> = replica.lace.forks().map(|(key, _)| *key).collect();
        let known: BTreeMap<EnvelopeId, PublicKey> = self
            .pool
            .iter()
            .map(|verified| (id_of(verified), verified.get().envelope.header.author))
            .collect();
        for dep in header.deps.iter().filter(|_| !first) {
            assert!(
                !closed.contains(&known[dep]),
                "a closed author is never named"
            );
        }
        let verified = match class {
            Class::Content => content(header, &self.rng.array::<20>(), &writer.key),
            _ if first => {
                let items = self.topic.first_items(&writer.device, author, 0);
                control(header, &items, &writer.key)
            }
            _ => control(
                header,
                &[Item::Sealing(self.topic.invite.sealing)],
                &writer.key,
            ),
        };
        self.replicas[home].admitted(&verified);
        self.pool.push(verified);
    }

    /// A hostile writer builds on any old envelope of its own, names anything, shows it to anybody.
    fn attack(&mut self, at: usize) {
        let writer = &self.writers[at];
        let author = writer.key.public();
        let mine: Vec<&Checked<Verified>> = self
            .pool
            .iter()
            .filter(|verified| verified.get().envelope.header.author == author)
            .collect();
        let again = self.rng.below(12) == 0;
        let previous = if mine.is_empty() || (again && at != 0) {
            None
        } else {
            // Mostly near the end, so that branches grow.
            let back = below(&mut self.rng, mine.len().min(4));
            Some(mine[mine.len() - 1 - back])
        };
        let mut deps: Vec<&Checked<Verified>> = Vec::new();
        for _ in 0..self.rng.below(3) {
            deps.push(&self.pool[below(&mut self.rng, self.pool.len())]);
        }
        let verified = if at != 0 && previous.is_none() {
            let index = u32::try_from(self.rng.below(9)).expect("small");
            deps.push(&self.pool[1]);
            join(&self.topic, &writer.device, &writer.key, index, &deps)
        } else {
            let grant = if at == 0 {
                self.topic.founder_grant()
            } else {
                self.topic.grant
            };
            let header = follow(self.topic.header(grant), previous, &deps);
            match self.rng.below(4) {
                0 => {
                    let items = [Item::Leave, Item::Sealing(self.topic.invite.sealing)];
                    control(header, &items[..=below(&mut self.rng, 2)], &writer.key)
                }
                _ => content(header, &self.rng.array::<20>(), &writer.key),
            }
        };
        let to = below(&mut self.rng, REPLICAS);
        self.replicas[to].take(&verified);
        self.pool.push(verified);
    }

    /// Exchanges until a whole round is silent.
    pub(crate) fn settle(&mut self) {
        for _ in 0..30 {
            let mut sent = 0;
            for a in 0..REPLICAS {
                for b in 0..a {
                    let page = 1 + below(&mut self.rng, 4);
                    let [a, b] = self
                        .replicas
                        .get_disjoint_mut([a, b])
                        .expect("two replicas");
                    sent += pull(a, b, page);
                    sent += pull(b, a, page);
                }
            }
            let first = self.replicas[0].hashes();
            if sent == 0
                && self
                    .replicas
                    .iter()
                    .all(|replica| replica.hashes() == first)
            {
                return;
            }
        }
        panic!("replicas do not become alike, or never fall silent");
    }

    fn check(&mut self) {
        let mut admitted = BTreeMap::new();
        for verified in &self.pool {
            let id = id_of(verified);
            if self
                .replicas
                .iter_mut()
                .any(|replica| replica.contains(&id))
            {
                admitted.insert(id, verified.clone());
            }
        }
        let closed: BTreeMap<PublicKey, u64> = self.replicas[0]
            .lace
            .forks()
            .map(|(key, seen)| (*key, seen.number))
            .collect();
        let oracle = judge(&admitted, &closed);
        self.tally(&admitted, &oracle);
        for (at, replica) in self.replicas.iter_mut().enumerate() {
            for verified in &self.pool {
                let id = id_of(verified);
                let header = &verified.get().envelope.header;
                let name = format!("replica {at}: {:?} {} {id:?}", header.author, header.number);
                assert_eq!(replica.kept(&id), oracle.kept.contains(&id), "kept, {name}");
                let stands = replica.effective(&id);
                assert_eq!(stands, oracle.effective.contains(&id), "effective, {name}");
                let hostile = self
                    .writers
                    .iter()
                    .any(|writer| writer.hostile && writer.key.public() == header.author);
                assert!(
                    hostile || stands || !admitted.contains_key(&id),
                    "erased: {name}"
                );
            }
            check_order(replica, &admitted, &oracle.kept);
        }
    }

    /// How often the interesting things happened, so that the laws are not held by nothing.
    fn tally(
        &mut self,
        admitted: &BTreeMap<EnvelopeId, Checked<Verified>>,
        oracle: &crate::oracle::Oracle,
    ) {
        let forks: BTreeMap<PublicKey, u64> = self.replicas[0]
            .lace
            .forks()
            .map(|(key, seen)| (*key, seen.number))
            .collect();
        self.tally.forks += forks.len();
        self.tally.first += forks.values().filter(|number| **number == 1).count();
        self.tally.void += admitted.len() - oracle.kept.len();
        self.tally.past_only += oracle.kept.len() - oracle.effective.len();
        self.tally.standing += oracle
            .effective
            .iter()
            .filter(|id| {
                let header = &admitted[*id].get().envelope.header;
                forks
                    .get(&header.author)
                    .is_some_and(|from| header.number >= *from)
            })
            .count();
    }

    /// What is void can go without a trace, in any steps.
    fn check_swept(&mut self) {
        for replica in &mut self.replicas {
            let before = replica.hashes();
            let kept = replica.run(|lace, store| {
                let order = lace.order(store, 0, 10_000);
                let kept: BTreeSet<EnvelopeId> = order.iter().map(|place| place.id).collect();
                kept.into_iter().filter(|id| lace.kept(store, id)).count()
            });
            let limit = 1 + below(&mut self.rng, 3);
            while !replica
                .run(|lace, store| lace.sweep_void(store, limit))
                .is_empty()
            {}
            assert_eq!(replica.hashes(), before);
            assert_eq!(replica.lace.totals().envelopes, kept as u64);
            for verified in &self.pool {
                let id = id_of(verified);
                assert_eq!(
                    replica.contains(&id),
                    replica.kept(&id),
                    "nothing void is left"
                );
            }
        }
        // It comes again, and all are alike again.
        for verified in self.pool.clone().iter().chain(&self.pool.clone()) {
            self.replicas[0].take(verified);
        }
        self.settle();
        self.check();
    }

    fn check_reopened(&mut self) {
        for replica in self.replicas.drain(..) {
            let before = replica.hashes();
            let authors: Vec<_> = replica.lace.authors().cloned().collect();
            let invites: Vec<_> = replica.lace.invites().copied().collect();
            let (totals, last) = (*replica.lace.totals(), replica.lace.last_place());
            let heads: Vec<_> = replica.lace.heads().collect();
            let replica = replica.reopen();
            assert_eq!(replica.hashes(), before);
            assert_eq!(replica.lace.authors().cloned().collect::<Vec<_>>(), authors);
            assert_eq!(replica.lace.invites().copied().collect::<Vec<_>>(), invites);
            assert_eq!(
                (*replica.lace.totals(), replica.lace.last_place()),
                (totals, last)
            );
            assert_eq!(replica.lace.heads().collect::<Vec<_>>(), heads);
        }
    }
}

/// Every kept envelope has one place, after its past.
fn check_order(
    replica: &mut Replica,
    admitted: &BTreeMap<EnvelopeId, Checked<Verified>>,
    kept: &BTreeSet<EnvelopeId>,
) {
    let order = replica.run(|lace, store| lace.order(store, 0, 10_000));
    let places: BTreeMap<EnvelopeId, u64> = order.iter().map(|place| (place.id, place.n)).collect();
    assert_eq!(places.len(), order.len(), "one place each");
    for id in kept {
        let n = places[id];
        for parent in parents(&admitted[id]) {
            assert!(places[&parent] < n, "a place after the past");
        }
        assert_eq!(
            replica
                .run(|lace, store| lace.by_place(store, n))
                .expect("there")
                .id,
            *id
        );
    }
}

#[test]
fn replicas_become_alike_whatever_came_in_whatever_order() {
    replicas_become_alike(0..1500);
}

#[test]
#[ignore = "takes minutes"]
fn replicas_become_alike_in_many_more_worlds() {
    replicas_become_alike(100_000..130_000);
}

fn replicas_become_alike(seeds: core::ops::Range<u64>) {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut play = Play::new(seed);
        play.tally = tally;
        for _ in 0..30 {
            play.step();
        }
        play.settle();
        play.check();
        if seed % 3 == 0 {
            play.check_swept();
        }
        play.check_reopened();
        tally = play.tally;
    }
    let Tally {
        forks,
        first,
        void,
        past_only,
        standing,
    } = tally;
    let rare = [forks, first, void, past_only, standing].into_iter().min();
    assert!(rare > Some(100), "the worlds are too tame: {tally:?}");
    println!("{tally:?}");
}

#[test]
fn the_verdict_does_not_depend_on_the_order() {
    for seed in 0..300 {
        let mut play = Play::new(10_000 + seed);
        for _ in 0..40 {
            play.step();
        }
        let mut answers = Vec::new();
        for at in 0..2 {
            let mut replica = Replica::new(&play.topic, at);
            let mut pool = play.pool.clone();
            play.rng.shuffle(&mut pool);
            let mut refused = BTreeSet::new();
            for verified in pool.iter().chain(&pool) {
                for (id, outcome) in replica.take(verified) {
                    if let Admission::Refused(rule) = outcome {
                        refused.insert((id, rule));
                    }
                }
            }
            replica.settle();
            let contained: Vec<bool> = play
                .pool
                .iter()
                .map(|verified| replica.contains(&id_of(verified)))
                .collect();
            let stands: Vec<bool> = play
                .pool
                .iter()
                .map(|verified| replica.effective(&id_of(verified)))
                .collect();
            answers.push((contained, stands, refused, replica.hashes()));
        }
        assert_eq!(answers[0], answers[1], "seed {seed}");
    }
}

#[test]
fn another_incarnation_of_a_forked_device_goes_on() {
    let mut play = Play::new(77);
    play.writers[0].hostile = false;
    let device = play.topic.founder.clone();
    let author = play.writers[0].key.clone();
    let replica = &mut play.replicas[0];
    let grant = play.topic.founder_grant();
    let header = follow(play.topic.header(grant), Some(&play.pool[1]), &[]);
    let one = content(header.clone(), b"before the copy was put back", &author);
    let two = content(header, b"after", &author);
    replica.admitted(&one);
    assert_eq!(replica.verdict(&two), Admission::Void);
    assert!(!replica.effective(&id_of(&one)));
    let plan = plan(Class::Control, START + DAY);
    let closed =
        replica.run(|lace, store| lace.next_header(store, &author.public(), &grant, &plan));
    assert_eq!(closed, Err(lace::NotWritable::Closed));
    let fresh = SecretKey::generate(&mut play.rng);
    let header = replica
        .run(|lace, store| lace.next_header(store, &fresh.public(), &grant, &plan))
        .expect("the device goes on");
    assert!(header.deps.is_empty(), "a closed author is never named");
    let certificate = Certificate::sign(play.topic.id, &device, fresh.public(), 1);
    let again = control(header, &[Item::Certificate(certificate)], &fresh);
    replica.admitted(&again);
    // The founder's rights are the device's, not the closed key's.
    let header = follow(play.topic.header(grant), Some(&again), &[]);
    let title = control(header, &[Item::Title(vec![1; 60])], &fresh);
    replica.admitted(&title);
}
