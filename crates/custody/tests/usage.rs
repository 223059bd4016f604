//! What clients are told of what they use, and what they make of it.

use custody::limits::{MAX_REPORTS, MAX_USAGE_TOPICS};
use custody::{
    Agreed, Code, MyCores, MyCoresOutput, Nearly, Output, Short, TopicShare, Usage, Wanted,
};
use identity::NodeId;
use machine::test::World;
use machine::{Cx, Outbox};
use proptest::prelude::*;
use std::time::Duration;

use crate::desk::{DAY, Desk, MIB, node, topic};

/// What was told since the last look, in order.
fn told(desk: &mut Desk) -> Vec<(NodeId, Usage)> {
    while desk
        .custody
        .deadline()
        .is_some_and(|at| at <= desk.world.now)
    {
        desk.run(|custody, cx, out| custody.on_deadline(cx, out));
    }
    let outputs = std::mem::take(&mut desk.outputs);
    let usages = outputs.into_iter().filter_map(|output| match output {
        Output::Usage { client, usage } => Some((client, usage)),
        Output::HandOver { .. } | Output::Room | Output::Drained { .. } => None,
    });
    usages.collect()
}

fn link(desk: &mut Desk, n: u8) {
    desk.run(|custody, cx, out| custody.client_up(cx, node(n), out));
}

/// A linked client with one topic, told of it, a minute ago.
fn linked(bytes: u64, share: u64) -> Desk {
    let mut desk = Desk::serving(bytes, share);
    link(&mut desk, 1);
    assert_eq!(told(&mut desk).len(), 1);
    desk.secs(60);
    desk
}

#[test]
fn a_client_is_told_when_it_links_and_when_a_tenth_has_changed() {
    let mut desk = Desk::serving(8 * MIB, 2 * MIB);
    assert_eq!(told(&mut desk), [], "nobody is linked");
    link(&mut desk, 1);
    let share = TopicShare {
        topic: topic(1),
        share: 2 * MIB,
        own: 0,
        guests: 0,
    };
    let first = Usage {
        quota: 8 * MIB,
        used: 0,
        headers: 0,
        header_quota: 2 * MIB,
        topics: vec![share],
    };
    assert_eq!(told(&mut desk), [(node(1), first)]);
    desk.secs(60);
    desk.deposit(1, 1, 1, (10, 100_000)).expect("room");
    desk.deposit(2, 1, 2, (10, 100_000)).expect("room");
    assert_eq!(told(&mut desk), [], "less than a tenth of the share");
    desk.secs(3600);
    assert_eq!(told(&mut desk), [], "however long it waits");
    desk.deposit(2, 1, 3, (10, 100_000)).expect("room");
    let (_, usage) = told(&mut desk).remove(0);
    assert_eq!((usage.used, usage.headers), (300_030, 30));
    assert_eq!(usage.topics[0].own, 100_000);
    assert_eq!(usage.topics[0].guests, 200_000);
    // Half of what may be said is said again when a minute is over.
    for by in 10..20 {
        desk.deposit(1, 1, by, (10, 100_000)).expect("room");
    }
    assert_eq!(told(&mut desk), [], "within a minute");
    desk.secs(59);
    assert_eq!(told(&mut desk), []);
    desk.secs(1);
    assert_eq!(told(&mut desk).len(), 1);
    desk.secs(10 * DAY + 7200);
    let (_, usage) = told(&mut desk).pop().expect("promises have ended");
    assert_eq!(usage.topics[0].used(), 0);
}

#[test]
fn whoever_is_not_linked_or_no_client_is_told_nothing() {
    let mut desk = Desk::serving(8 * MIB, 2 * MIB);
    link(&mut desk, 1);
    told(&mut desk);
    desk.custody.client_down(&node(1));
    desk.secs(60);
    desk.deposit(1, 1, 1, (10, 1_900_000)).expect("room");
    link(&mut desk, 2);
    desk.run(|custody, cx, _| custody.deny(cx, node(3)));
    link(&mut desk, 3);
    assert_eq!(told(&mut desk), []);
    // A client with nothing has nothing to hear.
    desk.client(4, 8 * MIB);
    link(&mut desk, 4);
    assert_eq!(told(&mut desk), []);
    assert_eq!(
        desk.custody.deadline().map(|at| at > desk.world.now),
        Some(true)
    );
    // Who was denied and may still fetch something sees it go.
    desk.run(|custody, cx, _| custody.deny(cx, node(1)));
    link(&mut desk, 1);
    assert_eq!(told(&mut desk).len(), 1);
}

/// Every limit: what is refused was told to be near before, and at once.
#[test]
fn a_limit_is_told_before_it_bites() {
    let nearly = |desk: &mut Desk, from: u8, sizes: (u64, u64), code: Code| {
        let mut last = Vec::new();
        for by in (0..=255).cycle().take(100_000) {
            match desk.deposit(from, 1, by, sizes) {
                Ok(_) => {}
                Err(why) => {
                    assert_eq!(why.code, code, "{why}");
                    return last;
                }
            }
            if let Some((_, usage)) = told(desk).pop() {
                last = usage.nearly();
            }
        }
        panic!("no end to it");
    };
    let mut desk = linked(8 * MIB, 2 * MIB);
    let seen = nearly(&mut desk, 1, (10, 9_000), Code::Quota);
    assert_eq!(seen, [Nearly::Topic(topic(1))]);
    let mut desk = linked(8 * MIB, 8 * MIB);
    let seen = nearly(&mut desk, 1, (10, 9_000), Code::Quota);
    assert!(seen.contains(&Nearly::Bodies), "{seen:?}");
    let mut desk = linked(8 * MIB, 2 * MIB);
    let seen = nearly(&mut desk, 2, (10, 9_000), Code::GuestShare);
    assert_eq!(seen, [Nearly::Guests(topic(1))]);
    let mut desk = linked(8 * MIB, 2 * MIB);
    let seen = nearly(&mut desk, 1, (2_000, 0), Code::HeaderShare);
    assert_eq!(seen, [Nearly::Headers]);
}

/// Up and down around a limit, as fast as it goes: a few reports a minute and no more.
#[test]
fn whoever_goes_to_and_fro_around_a_limit_makes_no_flood() {
    let mut desk = linked(8 * MIB, 2 * MIB);
    let mut reports = 0;
    let mut minutes = 0_u64;
    desk.deposit(1, 1, 1, (0, 1_500_000)).expect("room");
    for _ in 0..40 {
        let soon = desk.world.wall.as_millis() + 1000;
        let deposit = custody::Deposit {
            topic: topic(1),
            author: crate::desk::author(1),
            depositor: node(1),
            header: 0,
            body: 500_000,
            expires_ms: soon,
        };
        if desk
            .run(|custody, cx, _| custody.accept(cx, &deposit))
            .is_ok()
        {
            reports += told(&mut desk).len();
        }
        desk.secs(1800);
        minutes += 30;
        reports += told(&mut desk).len();
    }
    assert!(reports as u64 <= minutes, "{reports} in {minutes} minutes");
    let mut desk = linked(8 * MIB, 2 * MIB);
    for n in 0..2_000_u64 {
        let quota = crate::desk::quota(2 * MIB + n % 2 * 6 * MIB);
        desk.run(|custody, cx, _| custody.allow(cx, node(1), Some(quota)))
            .expect("allowed");
        desk.world.pass(Duration::from_millis(30));
        reports += told(&mut desk).len();
    }
    assert!(reports as u64 <= minutes + 2, "{reports}");
}

#[test]
fn of_many_topics_those_that_matter_are_named() {
    let mut desk = Desk::new();
    let many = custody::Quota {
        bytes: 64 * MIB,
        topics: 100,
        links: 2,
    };
    desk.run(|custody, cx, _| custody.allow(cx, node(1), Some(many)))
        .expect("allowed");
    for t in 1..=60 {
        desk.serve(1, t, MIB).expect("agreed");
        desk.deposit(1, t, 1, (10, u64::from(t) * 1000))
            .expect("room");
    }
    desk.serve(1, 61, MIB / 100).expect("agreed");
    link(&mut desk, 1);
    let (_, usage) = told(&mut desk).remove(0);
    let named: Vec<_> = usage.topics.iter().map(|of| of.topic).collect();
    let largest: Vec<_> = (45..=60).map(topic).collect();
    assert_eq!(named, largest);
    // A small one that is nearly full comes before large ones, at once.
    desk.deposit(1, 61, 1, (10, 10_000)).expect("room");
    let (_, usage) = told(&mut desk).remove(0);
    assert_eq!(usage.topics.len(), MAX_USAGE_TOPICS);
    assert_eq!(usage.nearly(), [Nearly::Topic(topic(61))]);
    assert!(
        usage
            .topics
            .windows(2)
            .all(|two| two[0].topic < two[1].topic)
    );
    desk.secs(60);
    desk.run(|custody, cx, out| custody.unserve(cx, node(1), topic(60), out));
    let (_, usage) = told(&mut desk).remove(0);
    assert!(usage.topics.iter().all(|of| of.topic != topic(60)));
}

/// Whatever happens: what is told is what is so, is less than a tenth away from it a minute later, and a
/// limit that has come near is known.
fn whatever_happens(steps: &[(u8, u8, u8, u32, u16)]) {
    let mut desk = linked(8 * MIB, MIB);
    desk.serve(1, 2, MIB).expect("agreed");
    let mut known = Usage::default();
    if let Some((_, usage)) = told(&mut desk).pop() {
        known = usage;
    }
    let begin = desk.world.now;
    let mut reports = 0;
    for (kind, t, by, size, secs) in steps {
        let (t, by) = (t % 2 + 1, by % 8);
        match kind % 4 {
            0 | 1 => {
                let _ = desk.deposit(1 + by % 2, t, by, (u64::from(size % 900), u64::from(*size)));
            }
            2 => {
                let _ = desk.serve(1, t, u64::from(*size) * 8);
            }
            _ => desk.secs(u64::from(*secs) * 30),
        }
        for (client, usage) in told(&mut desk) {
            assert_eq!(client, node(1));
            let near = usage.nearly();
            let limit = near.iter().any(|near| !known.nearly().contains(near));
            reports += u64::from(!limit);
            known = usage;
        }
        let minutes = desk.world.now.since(begin).as_secs() / 60;
        assert!(reports <= minutes, "{reports} in {minutes} minutes");
        let now = desk.usage(1);
        let near = |used: u64, of: u64| used >= of - of / 8;
        let bodies = now.own + now.guests + now.mail;
        if near(bodies, now.quota.bodies()) {
            assert!(known.nearly().contains(&Nearly::Bodies), "{known:?}");
        }
        if near(now.headers, now.quota.headers()) {
            assert!(known.nearly().contains(&Nearly::Headers), "{known:?}");
        }
    }
    desk.secs(60);
    if let Some((_, usage)) = told(&mut desk).pop() {
        known = usage;
    }
    let now = desk.usage(1);
    assert!(known.used.abs_diff(now.reserved()) <= (now.quota.bytes / 10) * 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_told_is_so(
        steps in prop::collection::vec(
            (any::<u8>(), any::<u8>(), any::<u8>(), 0_u32..400_000, 0_u16..400),
            0..120,
        )
    ) {
        whatever_happens(&steps);
    }
}

/// A client's half that uses one core node, which serves the topics 1 and 2.
struct Home {
    world: World,
    cores: MyCores,
}

const AGREED: Agreed = Agreed {
    quota: 1000,
    used: 10,
    topics: 2,
    max_topics: 5,
    max_hold_ms: 9,
    retires_ms: None,
};

impl Home {
    fn new() -> Self {
        let mut world = World::new(3);
        let mut out = Outbox::new();
        let cores = world.turn(|cx| MyCores::open(cx, &mut out));
        let mut home = Self { world, cores };
        home.run(|cores, cx, out| {
            for t in 1..=2 {
                let wanted = Wanted {
                    topic: topic(t),
                    genesis: vec![t],
                    core_secret: [t; 32],
                    share: 0,
                };
                cores.want(cx, &wanted, out).expect("wanted");
            }
            cores
                .use_core(cx, node(9), vec!["core:1".into()], None, out)
                .expect("used");
            cores.up(cx, node(9), out);
            cores.agreed(cx, node(9), &AGREED, out);
            for t in 1..=2 {
                cores.serving_now(cx, node(9), topic(t), out);
            }
        });
        home
    }

    fn run<R>(
        &mut self,
        f: impl FnOnce(&mut MyCores, &mut Cx<'_>, &mut Outbox<MyCoresOutput>) -> R,
    ) -> R {
        let mut out = Outbox::new();
        self.world.turn(|cx| f(&mut self.cores, cx, &mut out))
    }

    fn told(&mut self, usage: &Usage) {
        self.run(|cores, cx, _| cores.usage_told(cx, node(9), usage));
    }

    fn usage(&mut self) -> Option<Usage> {
        self.run(|cores, cx, _| cores.list(cx).remove(0).usage.map(|(usage, _)| usage))
    }
}

fn share(t: u8, own: u64) -> TopicShare {
    TopicShare {
        topic: topic(t),
        share: 100,
        own,
        guests: 0,
    }
}

fn some() -> Usage {
    Usage {
        quota: 1000,
        used: 90,
        headers: 0,
        header_quota: 250,
        topics: vec![share(1, 88), share(2, 2)],
    }
}

#[test]
fn what_a_core_node_says_is_shown_also_after_a_restart() {
    let mut home = Home::new();
    assert_eq!(home.usage(), None);
    home.told(&some());
    assert_eq!(home.usage(), Some(some()));
    let world = std::mem::replace(&mut home.world, World::new(0));
    home.world = World::over(world.into_base(), 4);
    let mut out = Outbox::new();
    home.cores = home.world.turn(|cx| MyCores::open(cx, &mut out));
    assert_eq!(home.usage(), Some(some()));
    let warn = |home: &mut Home, of: Option<u8>| {
        let of = of.map(topic);
        home.run(|cores, cx, _| cores.warnings(cx, of.as_ref()))
    };
    let nearly = Short::Nearly(Nearly::Topic(topic(1)), 88);
    for of in [None, Some(1)] {
        let warnings = warn(&mut home, of);
        assert_eq!(warnings.len(), 1);
        assert_eq!((warnings[0].core, &warnings[0].why), (node(9), &nearly));
    }
    assert_eq!(warn(&mut home, Some(2)), []);
    home.run(|cores, cx, out| cores.up(cx, node(9), out));
    home.told(&Usage {
        headers: 240,
        used: 300,
        ..some()
    });
    assert_eq!(warn(&mut home, Some(2)).len(), 1, "headers are everybody's");
    // A core node that has lost its home bears nothing.
    let empty = Agreed { used: 0, ..AGREED };
    home.run(|cores, cx, out| cores.agreed(cx, node(9), &empty, out));
    assert_eq!(home.usage(), None);
    home.run(|cores, cx, out| cores.leave(cx, node(9), true, out).expect("used"));
    assert_eq!(home.run(|cores, cx, _| cores.usage(cx, &node(9))), None);
}

#[test]
fn an_agreement_that_is_over_is_a_reason_to_warn() {
    let mut home = Home::new();
    let refusal = custody::Refusal {
        code: Code::Denied,
        text: "ended".into(),
        retry: None,
    };
    home.run(|cores, cx, _| cores.refused(cx, node(9), &refusal));
    let warnings = home.run(|cores, cx, _| cores.warnings(cx, Some(&topic(1))));
    assert_eq!(warnings[0].why, Short::Ended(Code::Denied, "ended".into()));
    let since = |home: &mut Home| home.run(|cores, cx, _| cores.list(cx).remove(0).refused_ms);
    let first = since(&mut home);
    assert_eq!(first, Some(home.world.wall.as_millis()));
    home.world.pass(Duration::from_secs(60));
    home.run(|cores, cx, _| cores.refused(cx, node(9), &refusal));
    assert_eq!(since(&mut home), first, "it has refused since then");
    home.run(|cores, cx, out| cores.agreed(cx, node(9), &AGREED, out));
    assert_eq!(since(&mut home), None);
    let none = home.run(|cores, cx, _| cores.warnings(cx, None));
    assert_eq!(none, []);
}

/// Figures that cannot be, topics of others, strangers and floods: nothing of it is taken that was not
/// asked for, nothing overflows, and what is stored is one row.
#[test]
fn a_lying_core_node_is_shown_and_nothing_more() {
    let mut home = Home::new();
    let mut lie = Usage {
        quota: u64::MAX,
        used: u64::MAX,
        headers: u64::MAX,
        header_quota: u64::MAX,
        topics: (0..100).map(|t| share(t, u64::MAX)).collect(),
    };
    lie.topics[1].guests = u64::MAX;
    lie.topics[1].share = 0;
    home.told(&lie);
    let shown = home.usage().expect("shown");
    assert_eq!(shown.topics.len(), 2, "{shown:?}");
    assert_eq!(
        shown.nearly(),
        [Nearly::Headers, Nearly::Topic(topic(2))],
        "a share of nothing is not nearly full"
    );
    let nothing = Usage::default();
    home.told(&nothing);
    assert_eq!(home.usage(), Some(nothing));
    // What the core node agreed to is not changed by it, nor whom it serves.
    let list = home.run(|cores, cx, _| cores.list(cx));
    assert_eq!((list[0].agreed, list[0].topics.len()), (AGREED, 2));
    // A flood is cut off, and heard again when a minute is over.
    let number = |n: u64| Usage { used: n, ..some() };
    for n in 1..=1000 {
        home.told(&number(n));
    }
    let heard = home.usage().expect("shown").used;
    assert!(heard < u64::from(MAX_REPORTS), "{heard}");
    home.world.pass(Duration::from_secs(60));
    home.told(&number(5000));
    assert_eq!(home.usage(), Some(number(5000)));
    // Others have nothing to say, nor has it without a link.
    home.run(|cores, cx, _| cores.usage_told(cx, node(8), &some()));
    home.run(|cores, cx, _| cores.down(cx, &node(9)));
    home.told(&some());
    assert_eq!(home.usage(), Some(number(5000)));
}
