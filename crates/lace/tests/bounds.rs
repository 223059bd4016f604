//! Bounds of authors: random worlds in which anybody bounds anybody, tighter and looser again,
//! against the same written down over sets; and the attacks that bounds are for.

use crate::laws::below;
use crate::oracle::parents;
use crate::ruler::{Judged, KEEPS_ALL, Ruler, VOIDS, judge, revoke, undo};
use crate::world::{
    DAY, LOCAL, Pair, Replica, START, Topic, content, control, follow, id_of, join, pull, rng,
    without_body,
};
use identity::{EnvelopeId, GrantId, PublicKey, SecretKey};
use lace::limits::{CLOSE_CHUNK, MAX_DEPS};
use lace::{Admission, Changed, Lace};
use machine::Rng;
use machine::test::World;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Checked, Class, Close, Item, Right, Verified};

type Pool = Vec<Checked<Verified>>;

impl Replica {
    fn ruled(topic: &Topic, seed: u64, ruler: &'static Ruler) -> Self {
        let mut world = World::new(seed);
        let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, &topic.genesis));
        let lace = lace.ruled_by(ruler);
        Self { world, lace }
    }

    fn again(self, ruler: &'static Ruler) -> Self {
        let Self { world, lace } = self.reopen();
        Self {
            world,
            lace: lace.ruled_by(ruler),
        }
    }
}

/// What a reader has been told: what is effective, by reports alone.
#[derive(Default)]
struct Told {
    effective: BTreeSet<EnvelopeId>,
    rises: usize,
    falls: usize,
}

impl Told {
    fn hear(&mut self, replica: &mut Replica, report: &[(EnvelopeId, Admission)]) {
        let changes = replica.lace.take_changes();
        for (id, admission) in report {
            if matches!(admission, Admission::Admitted { .. }) && replica.effective(id) {
                self.effective.insert(*id);
            }
        }
        for Changed { id, effective } in changes {
            if effective {
                self.rises += usize::from(self.effective.insert(id));
            } else {
                self.falls += usize::from(self.effective.remove(&id));
            }
        }
    }
}

struct Scene {
    rng: Rng,
    topic: Topic,
    ruler: &'static Ruler,
    keys: Vec<(SecretKey, SecretKey)>,
    pool: Pool,
    bounds: Vec<Item>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let topic = Topic::new(&mut rng);
        let mut keys = Vec::new();
        for at in 0..4 {
            let device = if at == 0 {
                topic.founder.clone()
            } else {
                SecretKey::generate(&mut rng)
            };
            keys.push((SecretKey::generate(&mut rng), device));
        }
        let ruler = if seed.is_multiple_of(2) {
            &KEEPS_ALL
        } else {
            &VOIDS
        };
        let (author, device) = keys[0].clone();
        let items = topic.first_items(&device, author.public(), 0);
        let own = topic.founder_grant();
        let first = control(topic.header(own), &items, &author);
        let header = follow(topic.header(own), Some(&first), &[]);
        let invited = control(header, &[Item::Invite(topic.invite)], &author);
        let mut scene = Self {
            rng,
            topic,
            ruler,
            keys,
            pool: vec![first, invited],
            bounds: Vec::new(),
        };
        for at in 1..4 {
            scene.begin(at, &[]);
        }
        scene
    }

    fn begin(&mut self, at: usize, deps: &[Checked<Verified>]) {
        let (author, device) = self.keys[at].clone();
        let index = u32::try_from(below(&mut self.rng, 5)).expect("small");
        let mut named: Vec<&Checked<Verified>> = deps.iter().collect();
        named.push(&self.pool[1]);
        let first = join(&self.topic, &device, &author, index, &named);
        self.pool.push(first);
    }

    fn step(&mut self) {
        let at = below(&mut self.rng, self.keys.len());
        let author = self.keys[at].0.clone();
        let mut deps: Pool = Vec::new();
        for _ in 0..self.rng.below(4) {
            let back = below(&mut self.rng, self.pool.len().min(12));
            deps.push(self.pool[self.pool.len() - 1 - back].clone());
        }
        if at > 0 && self.rng.below(25) == 0 {
            return self.begin(at, &deps);
        }
        let mine: Vec<&Checked<Verified>> = self
            .pool
            .iter()
            .filter(|it| it.get().envelope.header.author == author.public())
            .collect();
        // Mostly the end of the chain that was written last; now and then a fork.
        let back = if self.rng.below(12) == 0 {
            below(&mut self.rng, mine.len())
        } else {
            0
        };
        let previous = mine[mine.len() - 1 - back].clone();
        let grant = previous.get().envelope.header.grant;
        let named: Vec<&Checked<Verified>> = deps.iter().collect();
        let header = follow(self.topic.header(grant), Some(&previous), &named);
        let next = match self.rng.below(10) {
            0..5 => content(header, &self.rng.array::<20>(), &author),
            5 => control(header, &[Item::Leave], &author),
            _ => {
                let item = self.ruling(&deps);
                self.bounds.push(item.clone());
                control(header, &[item], &author)
            }
        };
        self.pool.push(next);
    }

    /// Bounds somebody, or undoes what bounds somebody.
    fn ruling(&mut self, deps: &Pool) -> Item {
        let mut cut: Vec<EnvelopeId> = deps.iter().map(id_of).collect();
        cut.sort_unstable();
        cut.dedup();
        let whom = self.keys[below(&mut self.rng, self.keys.len())].0.public();
        match self.rng.below(8) {
            0..3 if !self.bounds.is_empty() => {
                let of = below(&mut self.rng, self.bounds.len());
                undo(&self.bounds[of], cut.first().copied())
            }
            3 => Item::Close(Close {
                grant: GrantId::from_bytes(*whom.as_bytes()),
                cut,
            }),
            _ => {
                let mut item = revoke(&whom, &[]);
                item.cut = cut;
                item.cascade = self.rng.below(2) == 0;
                match self.rng.below(4) {
                    0 => drop(item.only.insert(Right::Publish)),
                    1 => drop(item.only.insert(Right::Admit)),
                    _ => {}
                }
                if self.rng.below(5) == 0 {
                    let firsts: Vec<EnvelopeId> = self
                        .pool
                        .iter()
                        .filter(|it| it.get().envelope.header.number == 1)
                        .map(id_of)
                        .collect();
                    let first = firsts[below(&mut self.rng, firsts.len())];
                    item.grant = GrantId::from_bytes(*first.as_bytes());
                }
                Item::Revocation(item)
            }
        }
    }

    fn all(&self) -> BTreeMap<EnvelopeId, Checked<Verified>> {
        self.pool
            .iter()
            .map(|verified| (id_of(verified), verified.clone()))
            .collect()
    }

    /// A replica hears everything in an order of its own, and does its work when it pleases.
    fn hear_all(&mut self, seed: u64, order: &Pool) -> (Replica, Told) {
        let mut replica = Replica::ruled(&self.topic, seed, self.ruler);
        let mut told = Told::default();
        let limit = 1 + self.rng.below(6);
        for round in 0.. {
            assert!(round < 30, "not everything is taken");
            for verified in order {
                let class = verified.get().envelope.header.class;
                let bare = class == Class::Content && self.rng.below(6) == 0;
                let verified = if bare {
                    without_body(verified)
                } else {
                    verified.clone()
                };
                let report = replica.take(&verified);
                told.hear(&mut replica, &report);
                for _ in 0..self.rng.below(4) {
                    work(&mut replica, &mut told, limit);
                }
                if self.rng.below(15) == 0 {
                    replica = replica.again(self.ruler);
                }
            }
            settle(&mut replica, &mut told, limit);
            if order.iter().all(|it| replica.contains(&id_of(it))) {
                break;
            }
        }
        (replica, told)
    }
}

fn work(replica: &mut Replica, told: &mut Told, limit: u64) {
    let (before, report) =
        replica.run(|lace, store| (lace.take_changes(), lace.work_within(store, limit)));
    assert!(before.is_empty(), "all has been told");
    let falls = told.falls;
    told.hear(replica, &report);
    assert!(told.falls - falls <= usize::try_from(limit).expect("small"));
}

fn settle(replica: &mut Replica, told: &mut Told, limit: u64) {
    let mut calls = 0;
    while replica.lace.has_work() {
        work(replica, told, limit);
        calls += 1;
        assert!(calls < 10_000, "no end of work");
    }
}

fn forks(replica: &Replica) -> BTreeMap<PublicKey, u64> {
    let forks = replica.lace.forks();
    forks.map(|(key, seen)| (*key, seen.number)).collect()
}

fn check(replica: &mut Replica, told: &Told, pool: &Pool, judged: &Judged, name: &str) {
    for verified in pool {
        let id = id_of(verified);
        let header = &verified.get().envelope.header;
        let what = format!("{name}: {:?} {} {id:?}", header.author, header.number);
        let held = replica.contains(&id);
        assert!(held || !judged.kept.contains(&id), "lost, {what}");
        assert_eq!(replica.kept(&id), judged.kept.contains(&id), "kept, {what}");
        let effective = judged.effective.contains(&id);
        assert_eq!(replica.effective(&id), effective, "effective, {what}");
        assert_eq!(told.effective.contains(&id), effective, "told, {what}");
    }
    let order = replica.run(|lace, store| lace.order(store, 0, 10_000));
    let places: BTreeMap<EnvelopeId, u64> = order.iter().map(|place| (place.id, place.n)).collect();
    assert_eq!(places.len(), order.len(), "one place each");
    for verified in pool.iter().filter(|it| judged.kept.contains(&id_of(it))) {
        let n = places[&id_of(verified)];
        for parent in parents(verified) {
            assert!(places[&parent] < n, "a place after the past, {name}");
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    rises: usize,
    falls: usize,
    void: usize,
    void_but_kept: usize,
    beyond_forks: usize,
    held_up: usize,
    pinned: usize,
}

impl Tally {
    fn add(&mut self, scene: &Scene, judged: &Judged, forks: &BTreeMap<PublicKey, u64>) {
        self.void += judged.void.len();
        self.void_but_kept += judged.void.intersection(&judged.kept).count();
        self.held_up += judged.effective.difference(&judged.firm).count();
        self.pinned += judged.kept.difference(&judged.effective).count();
        let all = scene.all();
        let beyond = judged.firm.iter().filter(|id| {
            let header = &all[*id].get().envelope.header;
            forks
                .get(&header.author)
                .is_some_and(|from| header.number >= *from)
        });
        self.beyond_forks += beyond.count();
    }

    fn least(&self) -> usize {
        let all = [
            self.rises,
            self.falls,
            self.void,
            self.void_but_kept,
            self.beyond_forks,
            self.held_up,
            self.pinned,
        ];
        all.into_iter().min().expect("not empty")
    }
}

fn whoever_holds_the_same_shows_the_same(seeds: core::ops::Range<u64>) {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut scene = Scene::new(seed);
        for _ in 0..30 {
            scene.step();
        }
        let all = scene.all();
        let mut first = None;
        for at in 0..3 {
            let mut order = scene.pool.clone();
            if at > 0 {
                scene.rng.shuffle(&mut order);
            }
            let (mut replica, told) = scene.hear_all(at, &order);
            let judged = judge(&all, &forks(&replica), scene.ruler);
            if at == 0 {
                tally.add(&scene, &judged, &forks(&replica));
            }
            tally.rises += told.rises;
            tally.falls += told.falls;
            let name = format!("seed {seed}, replica {at}");
            check(&mut replica, &told, &scene.pool, &judged, &name);
            let hashes = replica.hashes();
            assert_eq!(*first.get_or_insert(hashes), hashes, "{name}");
            let mut opened = replica.again(scene.ruler);
            assert!(!opened.lace.has_work(), "{name}");
            check(&mut opened, &told, &scene.pool, &judged, &name);
            assert_eq!(opened.hashes(), hashes, "{name}");
        }
    }
    println!("{tally:?}");
    assert!(tally.least() > 100, "the worlds are too tame: {tally:?}");
}

#[test]
fn whoever_holds_the_same_shows_the_same_whatever_was_bounded_when() {
    whoever_holds_the_same_shows_the_same(0..400);
}

#[test]
#[ignore = "takes minutes"]
fn whoever_holds_the_same_shows_the_same_in_many_more_worlds() {
    whoever_holds_the_same_shows_the_same(10_000..30_000);
}

#[test]
fn replicas_become_alike_though_each_swept_what_was_void_to_it() {
    for seed in (0..400).step_by(2) {
        let mut scene = Scene::new(50_000 + seed);
        for _ in 0..30 {
            scene.step();
        }
        let mut replicas: Vec<Replica> = (0..2)
            .map(|at| Replica::ruled(&scene.topic, at, scene.ruler))
            .collect();
        for verified in scene.pool.clone() {
            let at = below(&mut scene.rng, 2);
            replicas[at].take(&verified);
            if scene.rng.below(4) == 0 {
                replicas[at].run(|lace, store| lace.work_within(store, 2));
            }
            if scene.rng.below(4) == 0 {
                replicas[at].run(|lace, store| lace.sweep_void(store, 2));
            }
            if scene.rng.below(6) == 0 {
                let [a, b] = replicas.get_disjoint_mut([at, 1 - at]).expect("two");
                pull(a, b, 3);
            }
        }
        let mut rounds = 0;
        let [a, b] = replicas.get_disjoint_mut([0, 1]).expect("two");
        while pull(a, b, 3) + pull(b, a, 3) > 0 || a.hashes() != b.hashes() {
            rounds += 1;
            assert!(rounds < 30, "seed {seed}: no end of syncing");
        }
        let mut admitted = scene.all();
        admitted.retain(|id, _| a.contains(id) || b.contains(id));
        let judged = judge(&admitted, &forks(a), scene.ruler);
        for replica in [a, b] {
            replica.lace.take_changes();
            let mut told = Told::default();
            told.effective.clone_from(&judged.effective);
            check(
                replica,
                &told,
                &scene.pool,
                &judged,
                &format!("seed {seed}"),
            );
        }
    }
}

/// A guest with a chain, and the founder who bounds it.
struct Reign {
    pair: Pair,
    replica: Replica,
    last: Checked<Verified>,
}

impl Reign {
    fn new(seed: u64) -> Self {
        let pair = Pair::new(seed);
        let mut replica = Replica::ruled(&pair.topic, 1, &KEEPS_ALL);
        for verified in [&pair.first, &pair.invited, &pair.joined] {
            replica.admitted(verified);
        }
        replica.settle();
        let last = pair.invited.clone();
        Self {
            pair,
            replica,
            last,
        }
    }

    fn rule(&mut self, item: Item, deps: &[&Checked<Verified>]) {
        let own = self.pair.topic.founder_grant();
        let header = follow(self.pair.topic.header(own), Some(&self.last), deps);
        let ruling = control(header, &[item], &self.pair.author);
        self.replica.admitted(&ruling);
        self.last = ruling;
    }

    fn chain(&mut self, length: u64) -> Pool {
        let mut chain = vec![self.pair.joined.clone()];
        for at in 0..length {
            let next = self
                .pair
                .says(&chain[chain.len() - 1], &[], &format!("{at}"));
            self.replica.admitted(&next);
            chain.push(next);
        }
        self.replica.settle();
        self.replica.lace.take_changes();
        chain
    }
}

#[test]
fn what_is_minted_late_on_old_numbers_stands_nowhere() {
    let mut reign = Reign::new(600);
    let chain = reign.chain(6);
    let guest = reign.pair.guest.public();
    let item = Item::Revocation(revoke(&guest, &[&chain[3]]));
    reign.rule(item.clone(), &[&chain[3]]);
    reign.replica.settle();
    for (at, verified) in chain.iter().enumerate() {
        assert_eq!(reign.replica.effective(&id_of(verified)), at <= 3);
    }
    // On an old envelope, with a number that the cut leaves; after the end of the cut; and after
    // what was cut off. The revoker's own friend names them all.
    let old = reign.pair.says(&chain[1], &[], "as if it were old");
    let after = reign
        .pair
        .says(&chain[3], &[], "as if nothing had happened");
    let end = reign.pair.says(&chain[6], &[], "on and on");
    for late in [&after, &end, &old] {
        assert_eq!(reign.replica.verdict(late), Admission::Void);
    }
    let said = reign
        .pair
        .founder_says(&reign.last, &[&old, &after, &end], "look at these");
    reign.replica.admitted(&said);
    reign.replica.settle();
    assert!(
        reign.replica.effective(&id_of(&said)),
        "void does not spread along deps"
    );
    for late in [&after, &end, &old, &chain[4]] {
        assert!(reign.replica.kept(&id_of(late)), "it is named");
        assert!(
            !reign.replica.effective(&id_of(late)),
            "and void all the same"
        );
    }
    let by = reign
        .replica
        .run(|lace, store| lace.fallen_by(store, &id_of(&old)));
    assert_eq!(by.expect("a fact says so").carrier, id_of(&reign.last));
    // The fork alone is the reason as far as it stands below the cut.
    assert!(
        reign
            .replica
            .run(|lace, store| lace.fallen_by(store, &id_of(&said)))
            .is_none()
    );
    // Whoever hears all of it in another order says the same.
    let mut other = Replica::ruled(&reign.pair.topic, 2, &KEEPS_ALL);
    crate::world::sync(&mut other, &mut reign.replica, 4);
    for late in [&after, &end, &old, &chain[4], &chain[5]] {
        assert!(!other.effective(&id_of(late)));
    }
}

/// The founder takes something back and then writes what soon expires. What somebody writes next is written with
/// that in its past, though it cannot name the founder's last envelope: however many others there are to name,
/// and once.
#[test]
fn what_was_taken_back_before_a_head_without_its_body_is_named() {
    let mut reign = Reign::new(607);
    let topic = &reign.pair.topic;
    let mut source = rng(6070);
    let mut keys = || {
        (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        )
    };
    let (device, second) = keys();
    let invited = reign.pair.invited.clone();
    let came = join(topic, &device, &second, 0, &[&invited]);
    reign.replica.admitted(&came);
    let crowd = |count: usize, keys: &mut dyn FnMut() -> (SecretKey, SecretKey)| {
        let of = (0..count).map(|_| keys());
        of.map(|(device, key)| join(topic, &device, &key, 0, &[&invited]))
            .collect::<Vec<_>>()
    };
    let crowd = crowd(MAX_DEPS + 4, &mut keys);
    let guest = reign.pair.guest.public();
    let joined = reign.pair.joined.clone();
    reign.rule(Item::Revocation(revoke(&guest, &[&joined])), &[&joined]);
    let taken = reign.last.clone();
    let mut last = taken.clone();
    for text in ["one", "two", "three"] {
        last = reign.pair.founder_says(&last, &[], text);
        reign.replica.admitted(&last);
    }
    reign.replica.settle();
    let late = START + 90 * DAY;
    let next = |reign: &mut Reign| {
        let plan = crate::world::plan(Class::Content, late);
        let (author, grant) = (second.public(), reign.pair.topic.grant);
        let header = reign
            .replica
            .run(|lace, store| lace.next_header(store, &author, &grant, &plan));
        header.expect("may write")
    };
    assert_eq!(next(&mut reign).deps, [id_of(&last)]);
    let freed = reign
        .replica
        .run(|lace, store| lace.expire(store, late, 10));
    assert_eq!(freed.len(), 3);
    assert_eq!(next(&mut reign).deps, [id_of(&taken)]);
    for one in &crowd {
        reign.replica.admitted(one);
    }
    let header = next(&mut reign);
    assert!(header.deps.contains(&id_of(&taken)));
    assert_eq!(header.deps.len(), MAX_DEPS);
    let said = content(header, b"four", &second);
    reign.replica.admitted(&said);
    assert!(
        !next(&mut reign).deps.contains(&id_of(&taken)),
        "once is enough"
    );
}

#[test]
fn rights_end_one_by_one_and_the_rest_goes_on() {
    let mut reign = Reign::new(601);
    let chain = reign.chain(4);
    let guest = reign.pair.guest.public();
    let mut item = revoke(&guest, &[&chain[2]]);
    item.only.insert(Right::Publish);
    let item = Item::Revocation(item);
    reign.rule(item.clone(), &[&chain[2]]);
    reign.replica.settle();
    assert!(!reign.replica.effective(&id_of(&chain[3])));
    let header = follow(
        reign.pair.topic.header(reign.pair.topic.grant),
        Some(&chain[4]),
        &[],
    );
    let left = control(header, &[Item::Leave], &reign.pair.guest);
    let header = &left.get().envelope.header;
    let verdict = reign
        .replica
        .run(|lace, store| lace.judge(store, &id_of(&left), header));
    assert_eq!(verdict, lace::Verdict::New, "control goes on");
    // The writer goes on from the end of its chain, whatever of that stands, for control alone.
    let (topic, key) = (&reign.pair.topic, guest);
    let plan = |class| crate::world::plan(class, START + 1);
    let next = reign
        .replica
        .run(|lace, store| lace.next_header(store, &key, &topic.grant, &plan(Class::Control)));
    let next = next.expect("control goes on");
    assert_eq!(
        (next.number, next.previous),
        (6, *id_of(&chain[4]).as_bytes())
    );
    let none = reign
        .replica
        .run(|lace, store| lace.next_header(store, &key, &topic.grant, &plan(Class::Content)));
    assert_eq!(none, Err(lace::NotWritable::Limited));
    reign.replica.admitted(&left);
    assert!(reign.replica.effective(&id_of(&left)));
    assert!(reign.replica.kept(&id_of(&chain[4])) && !reign.replica.effective(&id_of(&chain[4])));
    let more = reign.pair.says(&left, &[], "more");
    let header = &more.get().envelope.header;
    let verdict = reign
        .replica
        .run(|lace, store| lace.judge(store, &id_of(&more), header));
    assert_eq!(verdict, lace::Verdict::Closed, "taken if asked for");
    assert_eq!(reign.replica.verdict(&more), Admission::Void);
    // Undone, all of it stands, and the chain is whole again.
    reign.rule(undo(&item, None), &[]);
    reign.replica.settle();
    let all: Vec<_> = chain.iter().chain([&left, &more]).collect();
    assert!(all.iter().all(|it| reign.replica.effective(&id_of(it))));
    let author = reign.replica.lace.author(&guest).expect("known");
    assert_eq!(
        (author.closed(), author.tip().map(|tip| tip.number)),
        (None, Some(7))
    );
    assert!(reign.replica.lace.heads().any(|head| head == id_of(&more)));
}

#[test]
fn a_long_chain_falls_and_rises_in_steps_whatever_restarts_come_between() {
    let mut reign = Reign::new(602);
    let chain = reign.chain(3 * CLOSE_CHUNK);
    let guest = reign.pair.guest.public();
    let item = Item::Revocation(revoke(&guest, &[&chain[10]]));
    reign.rule(item.clone(), &[&chain[10]]);
    let chunk = usize::try_from(CLOSE_CHUNK).expect("small");
    let steps = |reign: &mut Reign, falls: bool| {
        let (mut calls, mut changes) = (0, 0);
        while reign.replica.lace.has_work() {
            let report = reign.replica.run(|lace, store| lace.work(store));
            let changed = reign.replica.lace.take_changes();
            assert!(changed.len() <= chunk && report.len() <= chunk);
            assert!(changed.iter().all(|it| it.effective != falls));
            calls += 1;
            changes += changed.len();
            let world = World::over(
                std::mem::replace(&mut reign.replica.world, World::new(0)).into_base(),
                9,
            );
            reign.replica.world = world;
            let lace = reign
                .replica
                .world
                .turn(|cx| Lace::open(&mut cx.store, LOCAL))
                .expect("the graph is there");
            reign.replica.lace = lace.ruled_by(&KEEPS_ALL);
        }
        assert_eq!(changes, chain.len() - 11);
        calls
    };
    assert!(steps(&mut reign, true) <= 4);
    assert!(!reign.replica.kept(&id_of(&chain[11])));
    assert_eq!(
        reign
            .replica
            .lace
            .author(&guest)
            .and_then(|author| author.tip().map(|tip| tip.number)),
        Some(11)
    );
    reign.rule(undo(&item, None), &[]);
    assert!(steps(&mut reign, false) <= 8);
    let author = reign.replica.lace.author(&guest).expect("known");
    assert_eq!(author.tip().map(|tip| tip.id), chain.last().map(id_of));
    assert_eq!(author.closed(), None);
    assert!(
        reign
            .replica
            .run(|lace, store| lace.order(store, 0, 100_000).len())
            >= chain.len()
    );
}
