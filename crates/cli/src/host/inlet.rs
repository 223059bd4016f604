//! What reaches the node from outside: the transport's events, and how the disk is.

use std::sync::Arc;
use std::time::Duration;

use driver::{Gone, Handle};
use node::{Input, LinkId};
use transport::{Event, Events, Transport, frame_cost};

use super::disk::Disk;
use super::shared::Shared;

/// How often the node is told how its disk is.
const DISK_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked whether this machine has moved to another network.
const ADDRESSES_EVERY: Duration = Duration::from_secs(10);
/// What an input without content counts for in the node's inbox.
const SMALL: usize = 64;

fn link(link: transport::LinkId) -> LinkId {
    LinkId(link.as_u64())
}

/// Hands the transport's events to the node, no faster than it takes them.
pub(super) async fn events<T: Transport>(
    mut events: Events,
    handle: Handle<Input>,
    shared: Arc<Shared<T>>,
) {
    while let Some(event) = events.next().await {
        let writable = match &event {
            Event::Writable { link, .. } => Some(*link),
            _ => None,
        };
        let Some((input, bytes)) = input(event, &shared) else {
            continue;
        };
        if let Err(Gone) = handle.send(input, bytes).await {
            return;
        }
        let frames = writable.map_or(0, |link| shared.bulk_left(link));
        if let Some(id) = writable.filter(|_| frames > 0) {
            let link = link(id);
            if let Err(Gone) = handle.send(Input::BlocksSent { link, frames }, SMALL).await {
                return;
            }
        }
    }
}

/// What an event is for the node; nothing if it belongs to a link of an earlier life.
fn input<T: Transport>(event: Event, shared: &Shared<T>) -> Option<(Input, usize)> {
    Some(match event {
        Event::Up {
            link: id,
            node,
            dialled,
            exporter,
            remote,
        } => {
            tracing::debug!(link = %id, %node, remote, dialled = dialled.is_some(), "link up");
            shared.up(id);
            let dialled = dialled.map(|token| token.0);
            (
                Input::LinkUp {
                    link: link(id),
                    node,
                    dialled,
                    exporter,
                    remote,
                },
                SMALL,
            )
        }
        Event::Frame { link: id, bytes } => {
            if !shared.is_known(id) {
                return None;
            }
            let (length, cost) = (bytes.len(), frame_cost(bytes.len()));
            (
                Input::Frame {
                    link: link(id),
                    bytes,
                    cost,
                },
                length,
            )
        }
        Event::Writable { link: id, cost } => {
            shared.writable(id, cost);
            if !shared.is_known(id) {
                return None;
            }
            (
                Input::Writable {
                    link: link(id),
                    bytes: cost,
                },
                SMALL,
            )
        }
        Event::Down { link: id, reason } => {
            tracing::debug!(link = %id, %reason, "link down");
            if !shared.gone(id) {
                return None;
            }
            (
                Input::LinkDown {
                    link: link(id),
                    reason: reason.to_string(),
                },
                SMALL,
            )
        }
        Event::DialFailed { token, reason } => {
            tracing::debug!(token = token.0, %reason, "not dialled");
            let (token, reason) = (token.0, reason.to_string());
            (Input::DialFailed { token, reason }, SMALL)
        }
    })
}

/// Tells the node how the disk is, when that has changed.
pub(super) async fn disk(disk: Arc<Disk>, handle: Handle<Input>) {
    let mut told = None;
    let mut renewed = None;
    let mut every = tokio::time::interval(DISK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        let asked = Arc::clone(&disk);
        // It reads from the disk, so not on a thread of the runtime's own.
        let Ok(Some(space)) = tokio::task::spawn_blocking(move || asked.space()).await else {
            continue;
        };
        // A store that was opened on its last bytes merges no files until it is opened with more.
        if space.reopen && renewed != Some(disk.life()) {
            renewed = Some(disk.life());
            handle.renew("there is room on the disk again: the store is opened anew");
            continue;
        }
        // A new life of the node knows nothing.
        let now = (space, disk.life());
        if told == Some(now) {
            continue;
        }
        told = Some(now);
        let full = space.room != store::Room::Plenty;
        let input = Input::Store {
            bytes: space.used,
            free: space.free,
            full,
        };
        if handle.send(input, SMALL).await.is_err() {
            return;
        }
    }
}

/// Tells the node when this machine has moved to another network.
pub(super) async fn addresses<T: Transport>(shared: Arc<Shared<T>>, handle: Handle<Input>) {
    let look = || super::addresses::of(&shared.transport.listening());
    let mut known = look();
    let mut every = tokio::time::interval(ADDRESSES_EVERY);
    loop {
        every.tick().await;
        let now = look();
        if now != known {
            known.clone_from(&now);
            if let Err(Gone) = handle
                .send(Input::Listening { addresses: now }, SMALL)
                .await
            {
                return;
            }
        }
    }
}
