//! What the owner wants of core nodes.

use identity::{NodeId, TopicId};
use machine::{Cx, Outbox};

use crate::limits::{
    BOX_LEN, MAX_ADDRESS, MAX_CORE_PEERS, MAX_GENESIS, MAX_MY_BOXES, MAX_MY_CORES, MAX_MY_TOPICS,
    RETRY_FIRST,
};
use crate::outcome::{Code, Refusal};
use crate::row::{self, MY_BOXES, MY_CORES, MY_PEERS, MY_SERVES, MY_TOPICS, MyBoxRow, WantedRow};
use crate::serving::{CorePeer, peers_row};

use super::{AGREED, ASKING, LEAVING, MyCores, MyCoresOutput, SERVING, Wanted};
use super::{Retry, ask, claim, core_row, serves};

impl MyCores {
    /// Uses a core node from now on: with an operator's invite, or by one's id when the operator
    /// allowed it. Using it again adds the invite and the addresses.
    ///
    /// # Errors
    /// Too many core nodes, or an address that is too long.
    pub fn use_core(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        addresses: Vec<String>,
        invite: Option<([u8; 16], [u8; 32])>,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        if addresses.iter().any(|address| address.len() > MAX_ADDRESS) {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "an address is too long",
            ));
        }
        let known = core_row(cx, &core);
        if known.is_none() && cx.store.prefix(MY_CORES, &[], MAX_MY_CORES).len() >= MAX_MY_CORES {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_MY_CORES} core nodes are in use; leave one first"),
            ));
        }
        let mut row = known.unwrap_or_default();
        // Who uses it again believes it again.
        row.broken = None;
        row.unwanted = None;
        if !addresses.is_empty() {
            row.addresses = addresses;
        }
        if let Some((token, key)) = invite {
            row.token = Some(token);
            row.key = Some(key);
        }
        if row.standing != AGREED {
            row.standing = ASKING;
        }
        for (key, _) in cx.store.prefix(MY_TOPICS, &[], MAX_MY_TOPICS) {
            if let Some(topic) = row::part(&key, 0) {
                ask(cx, &core, &topic);
            }
        }
        out.push(MyCoresOutput::Keep {
            core,
            addresses: row.addresses.clone(),
        });
        if let Some(retry) = self.linked.get_mut(&core) {
            *retry = Retry {
                at: None,
                wait: RETRY_FIRST,
            };
            out.push(claim(core, &row));
        }
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        Ok(())
    }

    /// Begins to leave a core node. While a topic is served by it alone, it goes on serving:
    /// [`MyCores::to_hand_over`] lists what others must hold first, [`MyCores::handed_over`] says
    /// that they do. With `at_once` nothing is waited for: a core node that is not linked now is not
    /// told, and keeps to what was agreed until its operator looks.
    ///
    /// # Errors
    /// It is not in use.
    pub fn leave(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        at_once: bool,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        let Some(mut row) = core_row(cx, &core) else {
            return Err(Refusal::lasting(
                Code::NotClient,
                "this core node is not in use",
            ));
        };
        row.standing = LEAVING;
        row.unwanted = Some(true);
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        self.stop_what_is_not_served(cx, core, out);
        if at_once {
            for (topic, _) in serves(cx, &core) {
                self.stop(cx, core, topic, out);
                cx.store
                    .delete(MY_SERVES, row::pair(core.as_bytes(), topic.as_bytes()));
            }
        }
        self.finish_leaving(cx, core, out);
        Ok(())
    }

    /// What a core node that is being left still serves: each of these topics must be verified, by
    /// cut, to be held elsewhere.
    #[must_use]
    pub fn to_hand_over(&self, cx: &mut Cx<'_>) -> Vec<(NodeId, TopicId)> {
        let mut pending = Vec::new();
        for core in self.cores_in(cx, LEAVING) {
            let serving = serves(cx, &core);
            let serving = serving
                .into_iter()
                .filter(|(_, serve)| serve.standing == SERVING);
            pending.extend(serving.map(|(topic, _)| (core, topic)));
        }
        pending
    }

    /// A topic of a core node that is being left is held elsewhere.
    pub fn handed_over(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        if core_row(cx, &core).is_some_and(|row| row.standing == LEAVING) {
            self.stop(cx, core, topic, out);
            self.finish_leaving(cx, core, out);
        }
    }

    /// Asks every core node in use to serve a topic, now and whenever one is added.
    ///
    /// # Errors
    /// Too many topics, or a genesis that is too long.
    pub fn want(
        &mut self,
        cx: &mut Cx<'_>,
        wanted: &Wanted,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        let before: Option<WantedRow> = row::get(&mut cx.store, MY_TOPICS, wanted.topic.as_bytes());
        let known = before.is_some();
        if wanted.genesis.len() > MAX_GENESIS {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "the genesis is too long",
            ));
        }
        if !known && cx.store.prefix(MY_TOPICS, &[], MAX_MY_TOPICS).len() >= MAX_MY_TOPICS {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_MY_TOPICS} topics are served already"),
            ));
        }
        let row = WantedRow {
            genesis: wanted.genesis.clone(),
            secret: wanted.core_secret,
            share: wanted.share,
        };
        row::put(&mut cx.store, MY_TOPICS, wanted.topic.as_bytes(), &row);
        if before.is_some_and(|before| before.secret != row.secret) {
            // Whoever is away, or goes before it hears of it, is told everything anew.
            self.told.clear();
        }
        for core in self.cores(cx) {
            if core_row(cx, &core).is_some_and(|row| row.standing == LEAVING) {
                continue;
            }
            ask(cx, &core, wanted.topic.as_bytes());
            self.tell_topic(cx, core, wanted.topic, out);
        }
        Ok(())
    }

    /// Whether core nodes are to serve a topic.
    #[must_use]
    pub fn wants(&self, cx: &mut Cx<'_>, topic: &TopicId) -> bool {
        cx.store.has(MY_TOPICS, topic.as_bytes())
    }

    /// Tells every core node that a topic need not be served any more.
    pub fn unwant(&mut self, cx: &mut Cx<'_>, topic: TopicId, out: &mut Outbox<MyCoresOutput>) {
        cx.store.delete(MY_TOPICS, *topic.as_bytes());
        cx.store.delete(MY_PEERS, *topic.as_bytes());
        for core in self.cores(cx) {
            self.stop(cx, core, topic, out);
        }
    }

    /// Says which core nodes hold a topic, with a ticket for each; replaces what was said before.
    /// Tickets end: to be called again before they do.
    pub fn set_peers(
        &mut self,
        cx: &mut Cx<'_>,
        topic: TopicId,
        peers: &[CorePeer],
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let peers = peers.get(..MAX_CORE_PEERS).unwrap_or(peers);
        row::put(&mut cx.store, MY_PEERS, topic.as_bytes(), &peers_row(peers));
        for core in self.serving(cx, &topic) {
            self.tell_peers(cx, core, topic, out);
        }
    }

    /// Deposits a box with every core node in use, until its time or until it is withdrawn.
    ///
    /// # Errors
    /// Too many boxes, or not the length of a box.
    pub fn deposit_box(
        &mut self,
        cx: &mut Cx<'_>,
        loc: [u8; 32],
        sealed: &[u8],
        until_ms: u64,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        if sealed.len() != BOX_LEN {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                format!("a box has {BOX_LEN} bytes, not {}", sealed.len()),
            ));
        }
        let known = cx.store.has(MY_BOXES, &loc);
        if !known && !self.has_room_for_box(cx) {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!(
                    "{MAX_MY_BOXES} invites are open; revoke one first or wait until one is over"
                ),
            ));
        }
        let row = MyBoxRow {
            until_ms,
            sealed: sealed.to_vec(),
        };
        row::put(&mut cx.store, MY_BOXES, &loc, &row);
        for core in self.linked_in(cx, AGREED) {
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed: sealed.to_vec(),
                until_ms,
            });
        }
        Ok(())
    }

    /// Whether one more box can be deposited: to be asked before the invite in it is published. Those
    /// that are over, by a confirmed clock, are forgotten and do not count.
    #[must_use]
    pub fn has_room_for_box(&self, cx: &mut Cx<'_>) -> bool {
        self.forget_boxes(cx);
        cx.store.prefix(MY_BOXES, &[], MAX_MY_BOXES).len() < MAX_MY_BOXES
    }

    /// Forgets boxes that are over; their core nodes drop them by themselves.
    pub(super) fn forget_boxes(&self, cx: &mut Cx<'_>) {
        if !self.confirmed {
            return;
        }
        for (loc, value) in cx.store.prefix(MY_BOXES, &[], MAX_MY_BOXES) {
            let row: Option<MyBoxRow> = row::decode(&value);
            if row.is_none_or(|row| row.until_ms <= cx.wall.as_millis()) {
                cx.store.delete(MY_BOXES, loc);
            }
        }
    }

    /// Withdraws a box. Core nodes that are not linked now keep it until its time.
    pub fn withdraw_box(
        &mut self,
        cx: &mut Cx<'_>,
        loc: [u8; 32],
        out: &mut Outbox<MyCoresOutput>,
    ) {
        cx.store.delete(MY_BOXES, loc);
        for core in self.linked_in(cx, AGREED) {
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed: vec![0; BOX_LEN],
                until_ms: 0,
            });
        }
    }
}
