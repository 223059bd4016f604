//! Receipts as differences, from peers of every kind: nothing is taken that the holder has not
//! signed, and what a difference cannot give is given in full.

use crate::net::{DAY, Net, TOPIC};
use core::time::Duration;
use identity::{EnvelopeId, PublicKey, SecretKey};
use topic::Input;
use wire::{
    CutEntry, Difference, Receipt, ReceiptKind, SignedReceipt, Slot, TopicFrame, sign_receipt,
};

/// Receipts that wait for company, or for all others, have gone.
const ALL_TOLD: Duration = Duration::from_secs(7_200);

/// A receipt about authors whom nobody knows, each with its number; 0 leaves the author out.
fn receipt(net: &Net, key: &SecretKey, counter: u64, numbers: &[u64]) -> SignedReceipt {
    let entry = |(no, number): (u8, &u64)| CutEntry {
        author: PublicKey::from_bytes([no; 32]),
        number: *number,
        id: EnvelopeId::from_bytes([*number as u8; 32]),
    };
    let named = (1..).zip(numbers).filter(|(_, number)| **number > 0);
    let receipt = Receipt {
        topic: net.topic_id(),
        holder: key.public(),
        counter,
        kind: ReceiptKind::Held,
        cut: named.map(entry).collect(),
        exceptions: vec![(0, 1)],
        until: net.wall() + DAY,
        time: net.wall(),
        operator: None,
    };
    sign_receipt(receipt, key).unwrap().into_inner()
}

/// The difference between two of them, entry by entry.
fn difference(from: &SignedReceipt, to: &SignedReceipt) -> Difference {
    let (old, new) = (&from.value, &to.value);
    let gone = old.cut.iter().map(|entry| entry.author);
    let gone = gone.filter(|author| !new.cut.iter().any(|entry| entry.author == *author));
    let same = |author: &PublicKey| {
        let of = |cut: &[CutEntry]| cut.iter().find(|entry| entry.author == *author).copied();
        of(&old.cut) == of(&new.cut) && (old.exceptions == new.exceptions)
    };
    let chosen = |author: &PublicKey| !same(author);
    Difference::of(new, to.signature, old.counter, gone.collect(), chosen)
}

fn full(receipt: &SignedReceipt) -> TopicFrame {
    TopicFrame::Receipts {
        receipts: vec![receipt.to_raw()],
    }
}

fn changed(difference: &Difference) -> TopicFrame {
    TopicFrame::Differences {
        receipts: vec![difference.clone()],
    }
}

/// The statement that a node keeps of a holder.
fn kept(net: &mut Net, node: usize, key: &SecretKey) -> Option<Vec<u8>> {
    let holder = key.public();
    let rows = net.with(node, |_, env| {
        let topic = TOPIC.to_be_bytes();
        env.cx.store.prefix(topic::rows::SLOT, &topic, 10_000)
    });
    let mut own = rows
        .into_iter()
        .filter(|(key, _)| key.ends_with(&[&holder.to_bytes()[..], &[0]].concat()));
    let (_, row) = own.next()?;
    Some(wire::RawStatement::decode(&row[8..]).unwrap().bytes)
}

fn is_kept(net: &mut Net, node: usize, key: &SecretKey, receipt: &SignedReceipt) -> bool {
    kept(net, node, key).as_deref() == Some(&receipt.bytes[..])
}

/// How often a puppet was asked for receipts, given them in full, and as differences.
fn told(frames: &[TopicFrame], key: &SecretKey) -> [usize; 3] {
    let mut told = [0; 3];
    for frame in frames {
        match frame {
            TopicFrame::ReceiptAsk { slots } => {
                told[0] += slots
                    .iter()
                    .filter(|slot| slot.holder == key.public())
                    .count();
            }
            TopicFrame::Receipts { receipts } => {
                let of = |raw: &&wire::RawStatement| {
                    Receipt::decode(&raw.bytes).unwrap().holder == key.public()
                };
                told[1] += receipts.iter().filter(of).count();
            }
            TopicFrame::Differences { receipts } => {
                told[2] += receipts
                    .iter()
                    .filter(|one| one.holder == key.public())
                    .count();
            }
            _ => {}
        }
    }
    told
}

struct Scene {
    net: Net,
    key: SecretKey,
    giver: topic::LinkId,
    taker: topic::LinkId,
}

/// A node between two puppets, who are members.
fn scene(seed: u64) -> Scene {
    let mut net = Net::joined(seed, 3);
    let (giver, taker) = (net.peer_of(1), net.peer_of(2));
    let (giver, taker) = (net.puppet(0, giver), net.puppet(0, taker));
    let key = SecretKey::generate(&mut net.rng);
    net.pass(ALL_TOLD);
    net.heard(giver, 0);
    net.heard(taker, 0);
    Scene {
        net,
        key,
        giver,
        taker,
    }
}

#[test]
fn a_difference_is_taken_and_passed_on_as_one() {
    let Scene {
        mut net,
        key,
        giver,
        taker,
    } = scene(1);
    let mut before = receipt(&net, &key, 5, &[3; 20]);
    net.frame(0, giver, full(&before));
    net.pass(ALL_TOLD);
    assert_eq!(
        told(&net.heard(taker, 0), &key),
        [0, 1, 0],
        "it has none yet"
    );
    for (counter, change) in [(6, 4), (9, 0), (10, 7), (11, 0), (12, 1)] {
        let mut numbers = [3; 20];
        numbers[counter as usize] = change;
        let after = receipt(&net, &key, counter, &numbers);
        net.frame(0, giver, changed(&difference(&before, &after)));
        assert!(is_kept(&mut net, 0, &key, &after), "{counter}");
        net.pass(ALL_TOLD);
        let heard = net.heard(taker, 0);
        assert_eq!(told(&heard, &key), [0, 0, 1]);
        let told = heard.iter().find_map(|frame| match frame {
            TopicFrame::Differences { receipts } => Some(receipts[0].clone()),
            _ => None,
        });
        let told = told.unwrap();
        let rebuilt = told.rebuild(&before.value).unwrap();
        assert_eq!(rebuilt.bytes[..], after.bytes[..]);
        assert!(told.encode().len() < 500, "{}", told.encode().len());
        before = after;
    }
    assert_eq!(
        told(&net.heard(giver, 0), &key),
        [0; 3],
        "who gave them has them"
    );
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn whoever_got_less_on_the_way_is_told_all_that_has_changed_since() {
    let Scene {
        mut net,
        key,
        giver,
        taker,
    } = scene(2);
    let receipts: Vec<SignedReceipt> = (0..6_u64)
        .map(|at| {
            let mut numbers = [3; 20];
            numbers[..at as usize].fill(at);
            receipt(&net, &key, 5 + at, &numbers)
        })
        .collect();
    net.frame(0, giver, full(&receipts[0]));
    net.pass(ALL_TOLD);
    net.heard(taker, 0);
    for pair in receipts.windows(2) {
        net.frame(0, giver, changed(&difference(&pair[0], &pair[1])));
    }
    // It says that it has one of those between.
    let slots = vec![Slot {
        holder: key.public(),
        kind: ReceiptKind::Held,
        counter: 7,
    }];
    net.frame(
        0,
        taker,
        TopicFrame::Slots {
            slots,
            first: true,
            last: true,
        },
    );
    let heard = net.heard(taker, 0);
    assert_eq!(told(&heard, &key), [0, 0, 1]);
    let Some(TopicFrame::Differences { receipts: told }) = heard
        .iter()
        .find(|frame| matches!(frame, TopicFrame::Differences { .. }))
    else {
        panic!("it was told");
    };
    assert_eq!(told[0].base, 7);
    for held in [2, 3, 4] {
        let rebuilt = told[0].rebuild(&receipts[held].value).unwrap();
        assert_eq!(rebuilt.bytes[..], receipts[5].bytes[..]);
    }
}

#[test]
fn without_the_base_the_receipt_is_asked_for_once() {
    let Scene {
        mut net,
        key,
        giver,
        ..
    } = scene(3);
    let five = receipt(&net, &key, 5, &[3; 20]);
    let six = receipt(&net, &key, 6, &[4; 20]);
    let seven = receipt(&net, &key, 7, &[5; 20]);
    let frame = changed(&difference(&six, &seven));
    for _ in 0..10 {
        net.frame(0, giver, frame.clone());
    }
    assert_eq!(
        told(&net.heard(giver, 0), &key),
        [1, 0, 0],
        "nothing is here"
    );
    net.frame(0, giver, full(&five));
    net.frame(0, giver, frame.clone());
    assert!(is_kept(&mut net, 0, &key, &five));
    assert_eq!(
        told(&net.heard(giver, 0), &key),
        [0; 3],
        "it was asked for already"
    );
    net.frame(0, giver, full(&seven));
    assert!(is_kept(&mut net, 0, &key, &seven));
    net.frame(0, giver, frame);
    assert_eq!(told(&net.heard(giver, 0), &key), [0; 3], "it is here");
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn what_the_holder_has_not_signed_is_not_taken_however_it_is_put() {
    let Scene {
        mut net,
        key,
        giver,
        ..
    } = scene(4);
    let five = receipt(&net, &key, 5, &[3; 20]);
    let six = receipt(&net, &key, 6, &[3, 4]);
    net.frame(0, giver, full(&five));
    let good = difference(&five, &six);
    let stranger = SecretKey::generate(&mut net.rng);
    let mut lies = vec![
        // Fewer who are gone, more of them, other numbers and exceptions, other times, another
        // counter.
        Difference {
            gone: Vec::new(),
            ..good.clone()
        },
        Difference {
            gone: good.gone[1..].to_vec(),
            ..good.clone()
        },
        Difference {
            gone: vec![stranger.public()],
            ..good.clone()
        },
        Difference {
            cut: Vec::new(),
            exceptions: Vec::new(),
            ..good.clone()
        },
        Difference {
            exceptions: vec![(0, 2)],
            ..good.clone()
        },
        Difference {
            until: good.until + 1,
            ..good.clone()
        },
        Difference {
            time: 0,
            ..good.clone()
        },
        Difference {
            counter: 7,
            ..good.clone()
        },
        Difference {
            counter: u64::MAX,
            ..good.clone()
        },
        Difference {
            base: 0,
            counter: 7,
            ..good.clone()
        },
    ];
    let mut more = good.clone();
    more.cut[0].number += 1;
    lies.push(more);
    for lie in &lies {
        net.frame(0, giver, changed(lie));
        assert!(is_kept(&mut net, 0, &key, &five), "{lie:?}");
    }
    // An honest peer may pass on what a holder has signed twice: it is nobody's misbehaviour.
    assert!(net.nodes[0].problems.is_empty());
    let [asks, ..] = told(&net.heard(giver, 0), &key);
    assert!(asks <= 3, "one for each counter, not {asks}");
    net.frame(0, giver, changed(&good));
    assert!(is_kept(&mut net, 0, &key, &six), "the truth is still taken");
}

#[test]
fn who_lies_without_end_is_rebuilt_no_more_and_asked_no_more_than_it_says() {
    let Scene {
        mut net,
        key,
        giver,
        taker,
    } = scene(5);
    let five = receipt(&net, &key, 5, &[3; 20]);
    net.frame(0, giver, full(&five));
    let lie = |counter| {
        let next = receipt(&net, &key, counter, &[4; 20]);
        Difference {
            time: 0,
            ..difference(&five, &next)
        }
    };
    let lies: Vec<Difference> = (6..206).map(lie).collect();
    let many = net.sent();
    for lie in &lies {
        net.frame(0, giver, changed(lie));
    }
    assert!(net.sent() - many <= 200);
    assert!(is_kept(&mut net, 0, &key, &five));
    let next = receipt(&net, &key, 500, &[4; 20]);
    let truth = changed(&difference(&five, &next));
    net.heard(giver, 0);
    net.frame(0, giver, truth.clone());
    assert!(
        is_kept(&mut net, 0, &key, &five),
        "nothing of this link is rebuilt"
    );
    assert_eq!(told(&net.heard(giver, 0), &key), [1, 0, 0]);
    net.frame(0, taker, truth);
    assert!(
        is_kept(&mut net, 0, &key, &next),
        "other links are not to blame"
    );
    // Strangers' slots are asked for while they would be kept.
    for _ in 0..300 {
        let key = SecretKey::generate(&mut net.rng);
        let (from, to) = (receipt(&net, &key, 1, &[1]), receipt(&net, &key, 2, &[2]));
        net.frame(0, giver, changed(&difference(&from, &to)));
    }
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn who_claims_what_it_has_not_gets_it_in_full_once_for_its_asking() {
    let Scene {
        mut net,
        key,
        giver,
        taker,
    } = scene(6);
    let five = receipt(&net, &key, 5, &[3; 20]);
    let six = receipt(&net, &key, 6, &[3; 19]);
    net.frame(0, giver, full(&five));
    net.pass(ALL_TOLD);
    net.heard(taker, 0);
    net.frame(0, giver, full(&six));
    let slot = |counter| {
        vec![Slot {
            holder: key.public(),
            kind: ReceiptKind::Held,
            counter,
        }]
    };
    let list = |counter| TopicFrame::Slots {
        slots: slot(counter),
        first: true,
        last: true,
    };
    net.frame(0, taker, list(5));
    assert_eq!(told(&net.heard(taker, 0), &key), [0, 0, 1]);
    for _ in 0..100 {
        net.frame(0, taker, TopicFrame::ReceiptAsk { slots: slot(6) });
    }
    assert_eq!(told(&net.heard(taker, 0), &key), [0, 1, 0]);
    // From before anything is known of the slot, or after all: in full.
    for counter in [0, 3, u64::MAX] {
        net.pass(Duration::from_secs(5));
        net.frame(0, taker, list(counter));
        let [_, whole, differences] = told(&net.heard(taker, 0), &key);
        assert_eq!(
            (whole, differences),
            (usize::from(counter < 6), 0),
            "{counter}"
        );
    }
    // What there is not is not given.
    let nobody = SecretKey::generate(&mut net.rng).public();
    let slots = vec![Slot {
        holder: nobody,
        kind: ReceiptKind::Read,
        counter: 1,
    }];
    net.frame(0, taker, TopicFrame::ReceiptAsk { slots });
    assert_eq!(net.heard(taker, 0).len(), 0);
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn nodes_agree_on_what_a_holder_signs_twice() {
    let mut net = Net::joined(7, 4);
    let (two, three) = (net.peer_of(2), net.peer_of(3));
    net.link(0, 1);
    net.settle();
    let (left, right) = (net.puppet(0, two), net.puppet(1, three));
    let key = SecretKey::generate(&mut net.rng);
    let first = receipt(&net, &key, 4, &[3; 20]);
    net.frame(0, left, full(&first));
    net.pass(ALL_TOLD);
    assert!(is_kept(&mut net, 1, &key, &first));
    // One counter, two receipts: each is kept where it came first.
    let mut other = [3; 20];
    other[7] = 9;
    net.frame(0, left, full(&receipt(&net, &key, 5, &[3; 20])));
    net.frame(1, right, full(&receipt(&net, &key, 5, &other)));
    net.pass(ALL_TOLD);
    assert_ne!(kept(&mut net, 0, &key), kept(&mut net, 1, &key));
    for counter in 6..12 {
        let mut numbers = [3; 20];
        numbers[0] = counter;
        let next = receipt(&net, &key, counter, &numbers);
        net.frame(0, left, full(&next));
        net.pass(ALL_TOLD);
        assert!(is_kept(&mut net, 0, &key, &next) && is_kept(&mut net, 1, &key, &next));
    }
    let before = net.sent();
    net.pass(ALL_TOLD);
    assert_eq!(net.sent(), before, "silence");
    assert!(net.nodes.iter().all(|node| node.problems.is_empty()));
}

#[test]
fn a_difference_waits_for_the_receipts_before_it() {
    let Scene {
        mut net,
        key,
        giver,
        ..
    } = scene(8);
    let five = receipt(&net, &key, 5, &[3; 20]);
    let six = receipt(&net, &key, 6, &[4; 20]);
    let seven = receipt(&net, &key, 7, &[5; 20]);
    let frames = [
        full(&five),
        changed(&difference(&five, &six)),
        changed(&difference(&six, &seven)),
    ];
    let topic = TOPIC;
    for frame in frames {
        // Nothing is checked in between.
        net.input(
            0,
            Input::Frame {
                link: giver,
                topic,
                frame,
            },
        );
    }
    net.run();
    assert!(is_kept(&mut net, 0, &key, &seven));
    assert_eq!(told(&net.heard(giver, 0), &key)[0], 0, "nothing was asked");
    // A link that ends in the middle leaves nothing behind.
    let eight = receipt(&net, &key, 8, &[6; 20]);
    let nine = receipt(&net, &key, 9, &[7; 20]);
    for (from, to) in [(&seven, &eight), (&eight, &nine)] {
        let frame = changed(&difference(from, to));
        net.input(
            0,
            Input::Frame {
                link: giver,
                topic,
                frame,
            },
        );
    }
    net.cut(giver);
    net.run();
    assert!(net.nodes[0].problems.is_empty());
}
