//! All nodes at once, when they have had the time to converge: the order in which they are looked
//! at, from what is cheap and says most.

use super::replicas::Overview;
use super::{
    Broken, Everybody, agreement, ended, files, joining, liveness, members, messages, model,
    readers, secrets, several,
};

/// Everything that is wrong. Of many broken promises the first are enough.
pub(crate) fn check(everybody: &Everybody<'_>) -> Vec<Broken> {
    let overview = Overview::new(everybody);
    let mut broken = asleep(everybody);
    broken.extend(members::last_words(&overview));
    broken.extend(messages::mails(&overview));
    if everybody.nodes.len() <= FEW {
        let all = 0..everybody.nodes.len();
        broken.extend(all.filter_map(|at| agreement::recounted(&overview, at)));
    }
    for topic in overview.topics() {
        broken.extend(joining::check(&overview, topic));
        broken.extend(readers::check(&overview, topic));
        broken.extend(several::check(&overview, topic));
        broken.extend(liveness::check(&overview, topic));
        broken.extend(messages::check(&overview, topic));
        broken.extend(files::check(&overview, topic));
        broken.extend(agreement::compare(&overview, topic));
        broken.extend(members::check(&overview, topic));
        broken.extend(ended::check(&overview, topic));
        broken.extend(secrets::check(&overview, topic));
        broken.extend(model::check(&overview, topic));
        if broken.len() >= ENOUGH {
            break;
        }
    }
    broken
}

/// Nodes of a world whose disks are counted anew at the end, to see that the batches told the same.
const FEW: usize = 64;

/// Nodes that have not come up again though nothing keeps them down.
fn asleep(everybody: &Everybody<'_>) -> Vec<Broken> {
    let down = everybody.nodes.iter().filter(|node| !node.up);
    let note = |node: &super::Glance<'_>| Broken {
        promise: liveness::PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(node.no),
        what: format!("{} is not up, though faults have stopped", node.plan.name),
    };
    down.map(note).take(ENOUGH).collect()
}

/// Broken promises after which no further topic is looked at.
const ENOUGH: usize = 20;

/// What must be true of all nodes at any time, however far they have got: for checkpoints of small
/// worlds.
pub(crate) fn meanwhile(everybody: &Everybody<'_>) -> Vec<Broken> {
    let overview = Overview::new(everybody);
    let mut broken = Vec::new();
    for topic in overview.topics() {
        broken.extend(agreement::compare(&overview, topic));
        broken.extend(ended::check(&overview, topic));
        broken.extend(model::check(&overview, topic));
    }
    for at in 0..everybody.nodes.len() {
        broken.extend(agreement::recounted(&overview, at));
    }
    broken
}

/// What must be true once faults have stopped for half the time that everybody has.
pub(crate) fn half_way(everybody: &Everybody<'_>) -> Vec<Broken> {
    let overview = Overview::new(everybody);
    let topics = overview.topics();
    topics
        .flat_map(|topic| liveness::linked(&overview, topic))
        .collect()
}
