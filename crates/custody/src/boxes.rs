//! Invite boxes: sealed, all of one size, under a name that only a holder of the invite can derive.
//!
//! A question for a box that is not here is answered by as many random bytes, so that guessing
//! tells nothing.

use std::collections::BTreeMap;

use core::time::Duration;
use identity::NodeId;
use machine::{Cx, Time};

use crate::clients::{active, bodies, client, quota, save};
use crate::limits::{
    ASK_WINDOW, ASKS, BOX_LEN, MAX_ASKERS, MAX_BOXES, MAX_HOLD, RELEASES_PER_TURN, RETRY_FULL,
};
use crate::outcome::{Code, Refusal};
use crate::row::{self, BOX_ENDS, BOXES, BoxRow, CLIENT_BOXES};
use crate::state::{Custody, millis};

/// Bytes that a box costs its depositor.
const BOX_COST: u64 = BOX_LEN as u64;

/// The answer to a question for a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoxAnswer {
    /// [`BOX_LEN`] bytes: the box, or random ones.
    Sealed(Vec<u8>),
    /// Asked too often; says nothing about the box.
    Wait(Duration),
}

/// Who asked how often in the present window.
#[derive(Debug, Default)]
pub(crate) struct Askers(BTreeMap<NodeId, (Time, u32)>);

impl Askers {
    fn ask(&mut self, now: Time, peer: NodeId) -> Result<(), Duration> {
        if !self.0.contains_key(&peer) && self.0.len() >= MAX_ASKERS {
            self.forget(now);
            if self.0.len() >= MAX_ASKERS {
                return Err(ASK_WINDOW);
            }
        }
        let (since, asked) = self.0.entry(peer).or_insert((now, 0));
        if now.since(*since) >= ASK_WINDOW {
            (*since, *asked) = (now, 0);
        }
        if *asked >= ASKS {
            return Err(ASK_WINDOW.saturating_sub(now.since(*since)));
        }
        *asked = asked.saturating_add(1);
        Ok(())
    }

    pub(crate) fn forget(&mut self, now: Time) {
        self.0
            .retain(|_, (since, _)| now.since(*since) < ASK_WINDOW);
    }
}

impl Custody {
    /// A client deposits a box, replaces its own, or removes it by an `until_ms` of 0 or one
    /// that has passed.
    ///
    /// # Errors
    /// No client; not [`BOX_LEN`] bytes; another client's box has that name; too many boxes; no
    /// room.
    pub fn put_box(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        loc: &[u8; 32],
        sealed: &[u8],
        until_ms: u64,
    ) -> Result<(), Refusal> {
        let mut account = active(cx, &node)?;
        let known: Option<BoxRow> = row::get(&mut cx.store, BOXES, loc);
        if known
            .as_ref()
            .is_some_and(|known| known.client != *node.as_bytes())
        {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "only its depositor replaces a box",
            ));
        }
        if until_ms == 0 || self.is_over(cx, until_ms) {
            if let Some(known) = known {
                remove(cx, &node, loc, known.until_ms);
                self.look_at_usage(cx, &node, None);
            }
            return Ok(());
        }
        if sealed.len() != BOX_LEN {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                format!("a box has {BOX_LEN} bytes, not {}", sealed.len()),
            ));
        }
        if let Some(known) = known {
            forget_end(cx, known.until_ms, loc);
        } else {
            self.check_disk()?;
            // A usize holds any u32 on the platforms that this program is built for.
            if account.boxes as usize >= MAX_BOXES {
                return Err(Refusal::lasting(
                    Code::TooMany,
                    format!("{MAX_BOXES} boxes of this client are held, which is the limit"),
                ));
            }
            if bodies(&account).saturating_add(BOX_COST) > quota(&account).bodies() {
                return Err(Refusal::for_now(
                    Code::Quota,
                    "the client's quota is used up",
                    RETRY_FULL,
                ));
            }
            account.boxes = account.boxes.saturating_add(1);
            account.own = account.own.saturating_add(BOX_COST);
            save(cx, &node, &account);
            self.reports.changed(cx.now, &node, &account, None);
            cx.store
                .put(CLIENT_BOXES, row::pair(node.as_bytes(), loc), []);
        }
        // On a clock that nobody confirmed it is cut to the longest hold only when that is known.
        let end = if self.confirmed {
            longest(cx, until_ms)
        } else {
            0
        };
        let until_ms = if end == 0 { until_ms } else { end };
        let held = BoxRow {
            client: *node.as_bytes(),
            until_ms,
            sealed: sealed.to_vec(),
        };
        row::put(&mut cx.store, BOXES, loc, &held);
        cx.store.put(BOX_ENDS, end_key(end, loc), []);
        Ok(())
    }

    /// Whether a peer may ask, or claim, once more now: it shares [`ASKS`] a minute among boxes and
    /// claims.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn may_ask(&mut self, cx: &Cx<'_>, peer: NodeId) -> Result<(), Duration> {
        self.askers.ask(cx.now, peer)
    }

    /// Answers a question for a box. `elsewhere` looks where this node keeps boxes of its own
    /// topics. At most [`ASKS`] questions a minute and peer.
    pub fn get_box(
        &mut self,
        cx: &mut Cx<'_>,
        peer: NodeId,
        loc: &[u8; 32],
        elsewhere: impl FnOnce(&mut Cx<'_>) -> Option<Vec<u8>>,
    ) -> BoxAnswer {
        if let Err(wait) = self.askers.ask(cx.now, peer) {
            return BoxAnswer::Wait(wait);
        }
        // Everything is looked up and drawn whatever is found, so that the time tells nothing.
        let random = random_box(cx);
        let other = elsewhere(cx).filter(|sealed| sealed.len() == BOX_LEN);
        let held = row::get::<BoxRow>(&mut cx.store, BOXES, loc)
            .filter(|held| !self.is_over(cx, held.until_ms))
            .map(|held| held.sealed);
        BoxAnswer::Sealed(held.or(other).unwrap_or(random))
    }

    /// Removes boxes that are over; says whether more wait.
    pub(crate) fn end_boxes(&mut self, cx: &mut Cx<'_>) -> bool {
        let to = cx.wall.as_millis().saturating_add(1).to_be_bytes();
        let due = cx.store.scan(BOX_ENDS, &[], &to, RELEASES_PER_TURN);
        for (key, _) in &due {
            cx.store.delete(BOX_ENDS, key.clone());
            let (Some(until_ms), Some(loc)) = (row::number_at(key, 0), row::part(key, 8)) else {
                continue;
            };
            let Some(mut held) = row::get::<BoxRow>(&mut cx.store, BOXES, &loc) else {
                continue;
            };
            if until_ms == 0 {
                // Deposited on a clock that nobody had confirmed.
                held.until_ms = longest(cx, held.until_ms);
                cx.store.put(BOX_ENDS, end_key(held.until_ms, &loc), []);
                row::put(&mut cx.store, BOXES, &loc, &held);
            } else if held.until_ms == until_ms {
                let client = NodeId::from_bytes(held.client);
                remove(cx, &client, &loc, until_ms);
                self.look_at_usage(cx, &client, None);
            }
        }
        due.len() == RELEASES_PER_TURN
    }
}

fn remove(cx: &mut Cx<'_>, node: &NodeId, loc: &[u8; 32], until_ms: u64) {
    cx.store.delete(BOXES, *loc);
    forget_end(cx, until_ms, loc);
    cx.store
        .delete(CLIENT_BOXES, row::pair(node.as_bytes(), loc));
    if let Some(mut account) = client(cx, node) {
        account.boxes = account.boxes.saturating_sub(1);
        account.own = account.own.saturating_sub(BOX_COST);
        save(cx, node, &account);
    }
}

/// The time given, cut to the longest hold from now.
fn longest(cx: &Cx<'_>, until_ms: u64) -> u64 {
    until_ms.min(cx.wall.as_millis().saturating_add(millis(MAX_HOLD)))
}

fn forget_end(cx: &mut Cx<'_>, until_ms: u64, loc: &[u8; 32]) {
    cx.store.delete(BOX_ENDS, end_key(until_ms, loc));
    cx.store.delete(BOX_ENDS, end_key(0, loc));
}

fn random_box(cx: &mut Cx<'_>) -> Vec<u8> {
    let mut sealed = vec![0; BOX_LEN];
    cx.rng.fill(&mut sealed);
    sealed
}

fn end_key(until_ms: u64, loc: &[u8; 32]) -> Vec<u8> {
    [until_ms.to_be_bytes().as_slice(), loc].concat()
}
