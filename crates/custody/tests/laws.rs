//! The laws of quotas, whatever clients, guests and time do.

use custody::Output;
use custody::limits::PROMISE_STEP;
use proptest::prelude::*;
use std::collections::BTreeMap;

use crate::desk::{DAY, Desk, MIB, node, topic};

#[derive(Clone, Debug)]
enum Step {
    Own {
        client: u8,
        topic: u8,
        header: u64,
        body: u64,
    },
    Guest {
        topic: u8,
        author: u8,
        header: u64,
        body: u64,
    },
    Mail {
        client: u8,
        id: u8,
        source: u8,
        len: usize,
    },
    Box {
        client: u8,
        loc: u8,
        days: u64,
    },
    Leave {
        client: u8,
        topic: u8,
    },
    Serve {
        client: u8,
        topic: u8,
        share: u64,
    },
    Deny(u8),
    Allow(u8),
    Disk(bool),
    Days(u64),
    Restart,
    Receipt(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, t, author) = (1_u8..3, 1_u8..4, 10_u8..20);
    prop_oneof![
        6 => (client.clone(), t.clone(), 0_u64..20_000, 0_u64..66_000).prop_map(
            |(client, topic, header, body)| Step::Own { client, topic, header, body }
        ),
        8 => (t.clone(), author, 0_u64..5000, 0_u64..66_000).prop_map(
            |(topic, author, header, body)| Step::Guest { topic, author, header, body }
        ),
        4 => (client.clone(), any::<u8>(), 30_u8..34, 1_usize..30_000).prop_map(
            |(client, id, source, len)| Step::Mail { client, id, source, len }
        ),
        2 => (client.clone(), 0_u8..9, 0_u64..9).prop_map(
            |(client, loc, days)| Step::Box { client, loc, days }
        ),
        1 => (client.clone(), t.clone()).prop_map(|(client, topic)| Step::Leave { client, topic }),
        2 => (client.clone(), t, 0_u64..2_000_000).prop_map(
            |(client, topic, share)| Step::Serve { client, topic, share }
        ),
        1 => client.clone().prop_map(Step::Deny),
        1 => client.prop_map(Step::Allow),
        1 => any::<bool>().prop_map(Step::Disk),
        2 => (0_u64..8).prop_map(Step::Days),
        1 => Just(Step::Restart),
        3 => (1_u8..4).prop_map(Step::Receipt),
    ]
}

/// What was promised, as whoever got the promises remembers it.
#[derive(Default)]
struct Memory {
    /// (sponsor, topic, author or 0 for the client's own, bytes, until).
    bodies: Vec<(u8, u8, u8, u64, u64)>,
    /// What is stored: (topic, bytes of headers, bytes of the body, when the body expires).
    stored: Vec<(u8, u64, u64, u64)>,
    /// What receipts promised: (topic, until).
    receipts: Vec<(u8, u64)>,
    /// The greatest share that the topic had on this account.
    shares: BTreeMap<(u8, u8), u64>,
}

impl Memory {
    fn live(&self, wall: u64) -> impl Iterator<Item = &(u8, u8, u8, u64, u64)> {
        self.bodies.iter().filter(move |(.., until)| *until > wall)
    }
}

const QUOTA: u64 = 2 * MIB;
const LIFE: u64 = 10 * DAY * 1000;

fn run(desk: &mut Desk, memory: &mut Memory, step: Step) {
    match step {
        Step::Own {
            client,
            topic,
            header,
            body,
        } => {
            if let Ok(promise) = desk.deposit(client, topic, client, (header, body)) {
                // A client that does not serve the topic is a guest of one that does.
                let by = if promise.sponsor == node(client) {
                    0
                } else {
                    client
                };
                let sponsor = promise.sponsor.as_bytes()[0];
                memory
                    .bodies
                    .push((sponsor, topic, by, body, promise.until_ms));
                let expires = desk.world.wall.as_millis() + LIFE;
                memory.stored.push((topic, header, body, expires));
            }
        }
        Step::Guest {
            topic,
            author,
            header,
            body,
        } => {
            if let Ok(promise) = desk.deposit(99, topic, author, (header, body)) {
                let sponsor = promise.sponsor.as_bytes()[0];
                memory
                    .bodies
                    .push((sponsor, topic, author, body, promise.until_ms));
                let expires = desk.world.wall.as_millis() + LIFE;
                memory.stored.push((topic, header, body, expires));
            }
        }
        Step::Mail {
            client,
            id,
            source,
            len,
        } => {
            let mail = desk.mail(client, id, source, len);
            let _ = desk.run(|custody, cx, _| custody.mail(cx, &mail));
        }
        Step::Box { client, loc, days } => {
            let until = if days == 0 {
                0
            } else {
                desk.world.wall.as_millis() + days * DAY * 1000
            };
            let sealed = vec![1; custody::limits::BOX_LEN];
            let _ = desk.run(|custody, cx, _| {
                custody.put_box(cx, node(client), &[loc; 32], &sealed, until)
            });
        }
        Step::Leave { client, topic: t } => {
            desk.run(|custody, cx, out| custody.unserve(cx, node(client), topic(t), out));
        }
        Step::Serve {
            client,
            topic,
            share,
        } => {
            if desk.serve(client, topic, share).is_ok() {
                let share = if share == 0 { QUOTA / 4 } else { share };
                let most = memory.shares.entry((client, topic)).or_default();
                *most = share.max(*most);
            }
        }
        Step::Deny(client) => {
            desk.run(|custody, cx, _| custody.deny(cx, node(client)));
        }
        Step::Allow(client) => desk.client(client, QUOTA),
        Step::Disk(full) => desk.custody.set_disk(if full { 0 } else { u64::MAX }),
        Step::Days(days) => desk.secs(days * DAY),
        Step::Restart => desk.restart(),
        Step::Receipt(t) => {
            if let Some(until) = desk.run(|custody, cx, _| custody.held_until(cx, &topic(t))) {
                memory.receipts.push((t, until));
            }
        }
    }
}

fn check(desk: &mut Desk, memory: &mut Memory) -> Result<(), TestCaseError> {
    let wall = desk.world.wall.as_millis();
    for output in std::mem::take(&mut desk.outputs) {
        let Output::Drained { topic: gone } = output else {
            continue;
        };
        memory.stored.retain(|(t, ..)| topic(*t) != gone);
        let promised = |(t, until): &(u8, u64)| topic(*t) == gone && *until > wall;
        prop_assert!(
            !memory.receipts.iter().any(promised),
            "a topic went before the time in its receipts"
        );
    }
    let stored: u64 = memory
        .stored
        .iter()
        .map(|(_, header, body, expires)| header + if *expires > wall { *body } else { 0 })
        .sum();
    let usage = |desk: &mut Desk, n| {
        let usage = desk.usage(n);
        usage.own + usage.guests + usage.headers
    };
    let reserved = usage(desk, 1) + usage(desk, 2);
    prop_assert!(reserved >= stored, "{stored} stored, {reserved} reserved");
    for client in 1..3 {
        let usage = desk.usage(client);
        let quota = usage.quota;
        prop_assert!(usage.reserved() <= quota.bytes, "never more than the quota");
        prop_assert!(usage.headers <= quota.headers());
        prop_assert!(usage.guests <= quota.guests(), "a quarter is the client's");
        prop_assert!(usage.mail <= quota.mailbox());
        let sum = |own: bool| -> u64 {
            let live = memory.live(wall).filter(|(sponsor, ..)| *sponsor == client);
            live.filter(|(_, _, by, ..)| (*by == 0) == own)
                .map(|(.., bytes, _)| bytes)
                .sum()
        };
        prop_assert!(
            usage.own >= sum(true),
            "a promise was forgotten: {} own",
            usage.own
        );
        prop_assert!(
            usage.guests >= sum(false),
            "a promise was forgotten: {} guests",
            usage.guests
        );
    }
    let mut guests: BTreeMap<(u8, u8), u64> = BTreeMap::new();
    let mut authors: BTreeMap<(u8, u8, u8), u64> = BTreeMap::new();
    for (sponsor, topic, by, bytes, _) in memory.live(wall).filter(|(_, _, by, ..)| *by != 0) {
        *guests.entry((*sponsor, *topic)).or_default() += bytes;
        *authors.entry((*sponsor, *topic, *by)).or_default() += bytes;
    }
    for ((sponsor, topic), bytes) in guests {
        prop_assert!(
            bytes <= memory.shares[&(sponsor, topic)] / 2,
            "guests have half of a share"
        );
    }
    for ((sponsor, topic, _), bytes) in authors {
        prop_assert!(
            bytes <= memory.shares[&(sponsor, topic)] / 8,
            "an author has an eighth"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn quotas_hold_and_promises_are_never_broken(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut desk = Desk::new();
        let mut memory = Memory::default();
        for client in 1..3 {
            desk.client(client, QUOTA);
            run(&mut desk, &mut memory, Step::Serve { client, topic: client, share: QUOTA });
            run(&mut desk, &mut memory, Step::Serve { client, topic: 3, share: 0 });
        }
        for step in steps {
            run(&mut desk, &mut memory, step);
            check(&mut desk, &mut memory)?;
        }
        // In the end everything that was promised ends, and nothing else remains than headers.
        desk.custody.set_disk(u64::MAX);
        desk.secs(400 * DAY + PROMISE_STEP.as_secs());
        for client in 1..3 {
            let usage = desk.usage(client);
            prop_assert_eq!((usage.own, usage.guests, usage.mail), (0, 0, 0));
        }
    }
}
