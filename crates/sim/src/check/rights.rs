//! Nobody without the right publishes or reads.
//!
//! - An author that is admitted anywhere was certified by a device of a node that was let into the
//!   topic, or by one that such a node made up and let in by a right of its own; and the founder's
//!   grant is the founder's alone.
//! - No line of a topic is shown at a node that is no member, and no reader of a public one.
//! - What people write is never readable on the disk of a core node, or in any frame.

use super::carriage::{home, is_invited, person};
use super::devices::Owner;
use super::holdings::{Holdings, genesis, number};
use super::readers::reads;
use super::{Facts, Scene};
use crate::plan::{NodeNo, Plan, Role, TopicNo};
use identity::{GrantId, PublicKey};
use lace::rows;
use machine::{Base, Batch};
use node::command::Reply;

/// The name of the promise.
pub(crate) const PROMISE: &str = "rights";

/// Letters of padding by which a text is recognised. Shorter texts are not looked for.
const PADDING: usize = 8;

/// An author's first row.
struct Certified {
    author: PublicKey,
    device: PublicKey,
    grant: GrantId,
}

impl Certified {
    fn read(row: &[u8]) -> Option<Self> {
        let part = |at: usize| row.get(at..at + 32)?.first_chunk::<32>().copied();
        Some(Self {
            author: PublicKey::from_bytes(part(0)?),
            device: PublicKey::from_bytes(part(32)?),
            grant: GrantId::from_bytes(part(64)?),
        })
    }
}

/// A batch becomes durable.
pub(crate) fn commits(
    scene: &mut Scene<'_>,
    holdings: &mut Holdings,
    batch: &Batch,
    disk: &dyn Base,
) {
    let core = scene.node().role == Role::Core;
    for (table, key, value) in &batch.writes {
        let Some(value) = value else { continue };
        if *table == rows::LACE && key.get(4) == Some(&b'a') {
            let (Some(local), Some(row)) = (number(key), Certified::read(value)) else {
                continue;
            };
            author(scene, holdings, (local, &row), (batch, disk));
        } else if (core || *table == rows::BODY)
            && let Some(text) = readable(value)
        {
            let what = format!("{text:?} is readable in a row of {}", table.name());
            scene.broken(PROMISE, what);
        }
    }
}

/// An author was admitted.
fn author(
    scene: &mut Scene<'_>,
    holdings: &mut Holdings,
    (local, row): (u32, &Certified),
    (batch, disk): (&Batch, &dyn Base),
) {
    let Some(held) = holdings.local(local) else {
        return;
    };
    let id = held.id;
    // Of a topic that is being founded the world hears when its founder does.
    let Some(topic) = held.number(scene.facts) else {
        return;
    };
    let devices = &scene.facts.devices;
    let owner = match devices.known(topic, &row.device) {
        Some(no) => Owner::Node(no),
        None => match genesis(disk, Some(batch), local) {
            Some(genesis) => {
                let readers = &scene.plan.topics[topic as usize].readers;
                let among = let_in(scene.plan, scene.facts, topic);
                let among = among.into_iter().chain(readers.iter().copied());
                let among = with_devices(scene.plan, among.collect());
                devices.owner((topic, &genesis), &row.device, among)
            }
            None => Owner::Other,
        },
    };
    let name = &scene.plan.topics[topic as usize].name;
    let what = match owner {
        Owner::Untold => return,
        Owner::Other if devices.is_made_up(&row.device) => return,
        Owner::Node(no) if is_invited(scene.plan, scene.facts, no, topic) => {
            devices.certified(row.author, no);
            let founder = person(scene.plan, no) == scene.plan.topics[topic as usize].founder;
            let founders = row.grant.as_bytes() == id.as_bytes();
            if founder == founders {
                return;
            }
            let who = &scene.plan.nodes[no as usize].name;
            format!("{who} writes in {name} under a grant that is not its own")
        }
        Owner::Node(no) if reads(scene.plan, no, topic) => {
            let who = &scene.plan.nodes[no as usize].name;
            format!("an author of {who} was admitted to {name}, who only reads it")
        }
        Owner::Node(_) | Owner::Other => {
            let device = row.device;
            format!("an author of {device:?} was admitted to {name}, which let nobody like it in")
        }
    };
    scene.broken(PROMISE, what);
}

/// These, and the other devices of these people.
fn with_devices(plan: &Plan, mut people: Vec<NodeNo>) -> Vec<NodeNo> {
    let others = (0..).zip(&plan.nodes);
    let others = others.filter(|(_, node)| node.device_of.is_some_and(|of| people.contains(&of)));
    let others: Vec<NodeNo> = others.map(|(no, _)| no).collect();
    people.extend(others);
    people
}

/// Everybody who was let into a topic.
pub(crate) fn let_in(plan: &Plan, facts: &Facts, topic: TopicNo) -> Vec<NodeNo> {
    let founder = plan.topics[topic as usize].founder;
    facts.topic(topic, |topic| {
        let all = topic.invited.iter().chain(topic.members.keys());
        std::iter::once(founder).chain(all.copied()).collect()
    })
}

/// A frame leaves a node.
pub(crate) fn leaves(scene: &mut Scene<'_>, frame: &[u8]) {
    if let Some(text) = readable(frame) {
        let kind = frame.get(1).copied().unwrap_or_default();
        let what = format!("{text:?} is readable in a frame of kind {kind}");
        scene.broken(PROMISE, what);
    }
}

/// An application was answered.
pub(crate) fn answered(scene: &mut Scene<'_>, reply: &Reply) {
    let Reply::Lines { topic, lines, .. } = reply else {
        return;
    };
    let Some(no) = scene.facts.topic_no(topic).filter(|_| !lines.is_empty()) else {
        return;
    };
    if !(is_invited(scene.plan, scene.facts, scene.no, no) || reads(scene.plan, scene.no, no))
        || scene.plan.nodes[home(scene.plan, scene.no) as usize].role == Role::Core
    {
        let (count, name) = (lines.len(), &scene.plan.topics[no as usize].name);
        let what = format!("{count} lines of {name} were shown to somebody who is no member");
        scene.broken(PROMISE, what);
    }
}

/// The beginning of a text that somebody in the world wrote, if one stands in these bytes as it was
/// written. A text that is padded by fewer than fifteen letters may be overlooked.
pub(crate) fn readable(bytes: &[u8]) -> Option<String> {
    // Every run of letters that is long enough has one at a multiple of the step.
    let mut at = PADDING - 1;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'x' {
            let before = bytes[..at].iter().rev().take_while(|b| **b == b'x').count();
            let after = bytes[at..].iter().take_while(|b| **b == b'x').count();
            if before + after >= PADDING
                && let Some(text) = mark(&bytes[..at - before])
            {
                return Some(text);
            }
            at += after.next_multiple_of(PADDING).max(PADDING);
        } else {
            at += PADDING;
        }
    }
    None
}

/// The mark of a text at the end of these bytes: `m12.3 `.
fn mark(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(b" ")?;
    let digits = |bytes: &[u8]| {
        let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit());
        Some(digits.count()).filter(|count| (1..=10).contains(count))
    };
    let index = digits(bytes)?;
    let rest = bytes[..bytes.len() - index].strip_suffix(b".")?;
    let step = digits(rest)?;
    let from = rest.len().checked_sub(step + 1)?;
    (rest[from] == b'm').then(|| String::from_utf8_lossy(&bytes[from..]).into_owned())
}
