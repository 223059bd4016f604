//! Looks at what nodes have on their disks, and holds their claims against it.

use crate::world::{Machine, World};
use identity::{EnvelopeId, TopicId};
use lace::{Body, Lace};
use machine::{MemoryBase, Staged, WallTime};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Frame, Receipt, ReceiptKind, Signed, TopicFrame};

/// Looks into the topic with this id on a disk.
pub(crate) fn on_disk<R>(
    disk: &MemoryBase,
    topic: &TopicId,
    f: impl FnOnce(&Lace, &mut Staged<'_>) -> R,
) -> Option<R> {
    machine::test::World::over(disk.clone(), 0).turn(|cx| {
        let lace = (1..16)
            .filter_map(|local| Lace::open(&mut cx.store, local))
            .find(|lace| lace.id() == *topic)?;
        Some(f(&lace, &mut cx.store))
    })
}

/// Everything that is admitted on a disk: each envelope with what it names, in the local order.
pub(crate) fn graph(disk: &MemoryBase, topic: &TopicId) -> Vec<(EnvelopeId, Vec<EnvelopeId>)> {
    let found = on_disk(disk, topic, |lace, store| {
        let order = lace.order(store, 0, 100_000);
        let node = |place: lace::Place| {
            let header = lace.header(store, &place.id)?.header;
            let mut named = header.deps;
            named.push(EnvelopeId::from_bytes(header.previous));
            Some((place.id, named))
        };
        order.into_iter().filter_map(node).collect()
    });
    found.unwrap_or_default()
}

/// The past of each envelope of a graph.
pub(crate) fn pasts(
    graph: &[(EnvelopeId, Vec<EnvelopeId>)],
) -> BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> {
    let mut pasts: BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> = BTreeMap::new();
    for (id, named) in graph {
        let mut past = BTreeSet::new();
        for id in named {
            if let Some(before) = pasts.get(id) {
                past.extend(before.iter().copied());
                past.insert(*id);
            }
        }
        pasts.insert(*id, past);
    }
    pasts
}

/// What is wrong with a claim that a node makes about itself, by what is durable there.
fn lie(machine: &Machine, disk: &MemoryBase, wall: WallTime, receipt: &Receipt) -> Option<String> {
    let found = on_disk(disk, &receipt.topic, |lace, store| {
        let own = match receipt.kind {
            ReceiptKind::Held | ReceiptKind::Carried => {
                receipt.holder == machine.config.node_key.public()
            }
            ReceiptKind::Delivered | ReceiptKind::Read => {
                let key = machine
                    .config
                    .device
                    .key_in(receipt.topic, lace.genesis())
                    .public();
                lace.author(&receipt.holder)
                    .is_some_and(|author| *author.device() == key)
            }
        };
        if !own {
            return None;
        }
        for (place, entry) in (0_u16..).zip(&receipt.cut) {
            for number in 1..=entry.number {
                let ids = lace.at(store, &entry.author, number, 8);
                let excepted = receipt.exceptions.contains(&(place, number));
                let kept = ids.iter().any(|id| {
                    let held = lace.envelope(store, id).expect("it was just listed");
                    let over = held.envelope.header.class == wire::Class::Content
                        && held.envelope.header.expires <= wall.as_millis();
                    over || matches!(held.body, Body::Here(_))
                });
                if !excepted && !kept {
                    return Some(format!("{:?} of {:?}/{number}", receipt.kind, entry.author));
                }
            }
        }
        None
    });
    match found {
        Some(lie) => lie,
        None if receipt.holder == machine.config.node_key.public() => {
            Some("a receipt for a topic that is not there".to_owned())
        }
        None => None,
    }
}

/// Holds every receipt that leaves a node against its disk.
pub(crate) fn watch_receipts(world: &mut World) {
    let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
    world.watch = Some(Box::new(move |machine, wall, bytes| {
        let Ok(Frame::Topic {
            frame: TopicFrame::Receipts { receipts },
            ..
        }) = Frame::decode(bytes)
        else {
            return;
        };
        for raw in receipts {
            let key = [machine.config.name.as_bytes(), &raw.encode()].concat();
            let Ok(signed) = Signed::<Receipt>::from_stored(raw) else {
                continue;
            };
            if seen.insert(key)
                && let Some(kernel) = &machine.kernel
                && let Some(lie) = lie(machine, kernel.base(), wall, &signed.value)
            {
                panic!(
                    "{} claims what is not on its disk: {lie}",
                    machine.config.name
                );
            }
        }
    }));
}
