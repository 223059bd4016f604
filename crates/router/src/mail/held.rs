//! Mails of ours that core nodes of their recipients promised to hold.

use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox};
use wire::MailReceipt;

use crate::event::Output;
use crate::limits::MAX_HELD;
use crate::router::Router;
use crate::row::{self, HeldRow, QUEUE, QUEUE_ORDER, QueueRow};

use super::queue::order_key;

impl Router {
    /// Whether a node can be the custodian of mail for another: mail is on its way to it, or it is
    /// one of the core nodes that the recipient's advert names. Anybody else was handed nothing.
    pub(super) fn may_hold(&mut self, cx: &mut Cx<'_>, to: &NodeId, holder: &NodeId) -> bool {
        if holder == to || *holder == self.me {
            return false;
        }
        self.mail.lanes.contains_key(&(*to, *holder))
            || self
                .cores_of_recipient(cx, to)
                .iter()
                .any(|(core, _)| core == holder)
    }

    /// A custodian has promised to hold a mail.
    pub(super) fn now_held(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        mut queued: QueueRow,
        receipt: &MailReceipt,
        out: &mut Outbox<Output>,
    ) {
        if queued.held.is_empty() {
            let order = [id.as_bytes().as_slice(), &[1]].concat();
            cx.store.put(QUEUE_ORDER, order_key(&queued), order);
            if let Some(to) = self
                .mail
                .destinations
                .get_mut(&NodeId::from_bytes(queued.to))
            {
                to.unheld = to.unheld.saturating_sub(1);
            }
        }
        let destination = NodeId::from_bytes(queued.to);
        if let Some(to) = self.mail.destinations.get_mut(&destination)
            && to.holders.len() < MAX_HELD
        {
            to.holders.insert(receipt.holder);
        }
        remember(&mut queued.held, receipt, cx.wall.as_millis());
        queued.refusal = None;
        row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
        out.push(Output::MailState { id: *id });
    }

    /// A custodian has not kept its promise.
    pub(super) fn no_longer_held(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        queued: &mut QueueRow,
        core: &NodeId,
    ) {
        queued.held.retain(|held| held.core != *core.as_bytes());
        if queued.held.is_empty() {
            self.mark_unheld(cx, id, queued);
        }
    }

    /// Nobody holds what is to be delivered.
    pub(super) fn held_by_nobody(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        queued: &mut QueueRow,
    ) {
        if !queued.held.is_empty() {
            queued.held.clear();
            self.mark_unheld(cx, id, queued);
        }
    }

    fn mark_unheld(&mut self, cx: &mut Cx<'_>, id: &EnvelopeId, queued: &QueueRow) {
        let order = [id.as_bytes().as_slice(), &[0]].concat();
        cx.store.put(QUEUE_ORDER, order_key(queued), order);
        let to = NodeId::from_bytes(queued.to);
        if let Some(to) = self.mail.destinations.get_mut(&to) {
            to.unheld = to.unheld.saturating_add(1);
        }
    }
}

/// Adds a custodian to those of a mail, once, and keeps the newest [`MAX_HELD`].
fn remember(held: &mut Vec<HeldRow>, receipt: &MailReceipt, at_ms: u64) {
    let core = *receipt.holder.as_bytes();
    held.retain(|known| known.core != core);
    held.push(HeldRow {
        core,
        until_ms: receipt.until,
        at_ms,
        operator: receipt.operator.map(|operator| *operator.as_bytes()),
    });
    let over = held.len().saturating_sub(MAX_HELD);
    held.drain(..over);
}

#[cfg(test)]
mod tests {
    use machine::test::World;
    use wire::ReceiptKind;

    use super::super::queue::{WAITING, queue_row};
    use super::*;

    fn by(n: u16) -> MailReceipt {
        let mut holder = [7; 32];
        holder[..2].copy_from_slice(&n.to_be_bytes());
        MailReceipt {
            holder: NodeId::from_bytes(holder),
            kind: ReceiptKind::Held,
            ids: Vec::new(),
            until: u64::from(n),
            time: 1,
            operator: None,
        }
    }

    #[test]
    fn the_newest_custodians_are_remembered_once_each() {
        let mut held = Vec::new();
        for n in 0..20 {
            remember(&mut held, &by(n), 5);
            remember(&mut held, &by(n), 6);
        }
        assert_eq!(held.len(), MAX_HELD);
        let until: Vec<u64> = held.iter().map(|held| held.until_ms).collect();
        assert_eq!(until, (12..20).collect::<Vec<u64>>());
    }

    #[test]
    fn a_custodian_of_before_there_were_operators_is_read_as_one_of_its_own() {
        #[derive(minicbor::Encode)]
        #[cbor(array)]
        struct Before {
            #[cbor(n(0), with = "minicbor::bytes")]
            core: [u8; 32],
            #[n(1)]
            until_ms: u64,
            #[n(2)]
            at_ms: u64,
        }
        let core = [7; 32];
        let before = minicbor::to_vec(Before {
            core,
            until_ms: 5,
            at_ms: 6,
        });
        let read: HeldRow = row::decode(&before.unwrap()).expect("it decodes");
        assert_eq!((read.core, read.until_ms, read.at_ms), (core, 5, 6));
        assert_eq!(read.operator, None);
        let tagged = HeldRow {
            operator: Some([9; 16]),
            ..read
        };
        let again: HeldRow = row::decode(&minicbor::to_vec(&tagged).unwrap()).expect("it decodes");
        assert_eq!(again.operator, tagged.operator);
    }

    /// What an earlier version wrote is read within the limit, so that writing it again cannot
    /// exceed what a record may have.
    #[test]
    fn a_row_with_thousands_of_custodians_is_read_and_written_again() {
        let mut world = World::new(1);
        let id = EnvelopeId::from_bytes([3; 32]);
        let mut held = Vec::new();
        for n in 0..1_700_u16 {
            held.push(HeldRow {
                core: *by(n).holder.as_bytes(),
                until_ms: u64::MAX,
                at_ms: 1,
                operator: None,
            });
        }
        let queued = QueueRow {
            to: [2; 32],
            number: 1,
            sequence: 0,
            engine: "inbox".to_owned(),
            queued_ms: 1,
            lifespan_ms: 1,
            seals: 1,
            envelope: None,
            held,
            end: WAITING,
            end_ms: 0,
            receipt: Vec::new(),
            refusal: None,
            earlier: Vec::new(),
        };
        world.turn(|cx| row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued));
        let len = world.turn(|cx| cx.store.get(QUEUE, id.as_bytes()).map(|row| row.len()));
        assert!(len.is_some_and(|len| len > 70_000), "{len:?}");
        let mut read = world.turn(|cx| queue_row(cx, &id)).expect("it decodes");
        remember(&mut read.held, &by(9_999), 2);
        read.receipt = vec![0; 4_000];
        world.turn(|cx| row::put(&mut cx.store, QUEUE, id.as_bytes(), &read));
        let len = world.turn(|cx| cx.store.get(QUEUE, id.as_bytes()).map(|row| row.len()));
        assert!(len.is_some_and(|len| len < 6_000), "{len:?}");
    }
}
