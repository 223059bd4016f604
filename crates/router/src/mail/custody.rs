//! Mail for clients of this core node: what passes between a link and the mailbox.

use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox};
use wire::frame::Subject;
use wire::{
    Code, Frame, MailReceipt, Raw, RawStatement, ReceiptKind, check_mail_receipt, sign_mail_receipt,
};

use crate::event::{LinkId, Output};
use crate::router::Router;

/// Why the mailbox does not take a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRefusal {
    /// Which.
    pub id: EnvelopeId,
    /// For programs.
    pub code: Code,
    /// For people; cut to 128 bytes.
    pub text: String,
    /// When it may be offered again, in milliseconds since 1970; 0 = not before somebody changes
    /// something.
    pub retry_ms: u64,
}

impl Router {
    /// The mailbox holds a mail that [`Output::Mailbox`] brought: tells the depositor so, in a
    /// receipt of this node. To be called in the turn that stored it.
    pub fn mail_held(
        &self,
        cx: &Cx<'_>,
        depositor: &NodeId,
        id: EnvelopeId,
        until_ms: u64,
        out: &mut Outbox<Output>,
    ) {
        let receipt = MailReceipt {
            holder: self.me,
            kind: ReceiptKind::Held,
            ids: vec![id],
            until: until_ms.min(wire::limits::MAX_TIME_MS),
            time: self.clock.guess(cx).min(wire::limits::MAX_TIME_MS),
            operator: self.config.operator,
        };
        if let Ok(signed) = sign_mail_receipt(receipt, &self.config.secret) {
            let raw = signed.get().to_raw();
            self.send_to(depositor, Frame::MailReceipt(raw), out);
        }
    }

    /// The mailbox had a mail that [`Output::Mailbox`] brought, and handed it over: tells the
    /// depositor the client's own receipt, as the mailbox kept it. Also for the sources of mails
    /// that are handed over, as far as they are linked.
    pub fn forward_receipt(&self, to: &NodeId, receipt: &[u8], out: &mut Outbox<Output>) {
        if let Ok(raw) = RawStatement::decode(receipt) {
            self.send_to(to, Frame::MailReceipt(raw), out);
        }
    }

    /// The mailbox does not take a mail that [`Output::Mailbox`] brought.
    pub fn mail_refused(&self, depositor: &NodeId, why: MailRefusal, out: &mut Outbox<Output>) {
        let MailRefusal {
            id,
            code,
            text,
            retry_ms,
        } = why;
        self.send_to(depositor, refusal(id, code, &text, retry_ms), out);
    }

    /// Hands over a mail from the mailbox, as it was given to it ([`Raw::encode`]). Says whether
    /// the client is linked and the bytes are an envelope.
    pub fn hand_over(&self, client: &NodeId, mail: &[u8], out: &mut Outbox<Output>) -> bool {
        match Raw::decode(mail) {
            Ok(raw) => self.send_to(client, Frame::Mail(raw), out),
            Err(_) => false,
        }
    }

    /// A receipt came: for mails of ours, or from a client for what was handed over.
    pub(crate) fn receipt_came(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        raw: RawStatement,
        out: &mut Outbox<Output>,
    ) {
        let Some((node, known)) = self.links.get(&link).map(|l| (l.node, l.is_known())) else {
            return;
        };
        if !known {
            return;
        }
        match check_mail_receipt(raw) {
            Err(why) => self.close(cx, link, Code::MISBEHAVED, &why.to_string(), out),
            Ok(receipt) => {
                let others = self.acknowledged(cx, node, receipt.get(), out);
                let delivered = receipt.get().value.kind == ReceiptKind::Delivered;
                if !others.is_empty() && delivered && receipt.get().value.holder == node {
                    out.push(Output::Receipt { node, receipt });
                }
            }
        }
    }
}

/// The frame that refuses a mail.
pub(super) fn refusal(id: EnvelopeId, code: Code, text: &str, retry_ms: u64) -> Frame {
    Frame::Refused {
        subject: Subject::Mail(id),
        code,
        text: crate::hello::cut(text, wire::limits::MAX_TEXT),
        retry: retry_ms.min(wire::limits::MAX_TIME_MS),
    }
}
