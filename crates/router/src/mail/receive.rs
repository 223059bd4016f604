//! What comes: checked, opened, delivered once, acknowledged when it is durable.

use identity::seal::hpke;
use identity::{EnvelopeId, NodeId};
use machine::planted::{Bug, is};
use machine::{Cx, Outbox};
use wire::frame::Subject;
use wire::{
    Checked, Class, Code, Envelope, Frame, Header, MailReceipt, Raw, ReceiptKind, Refused,
    Verified, decode_header, sign_mail_receipt,
};

use super::body::{Body, Kind};
use super::custody::refusal;
use super::{ECHO, SEAL_NAME, associated, name, parts};
use crate::acl::{self, Way};
use crate::adverts::{KeyId, secret_of};
use crate::event::{LinkId, Output, Why};
use crate::limits::{MAX_AHEAD, MAX_WINDOWS, SWEEP_EVERY, SWEEP_ROWS};
use crate::router::{Router, Timer};
use crate::row::{self, COUNTS, InboxRow, WINDOW_ENDS, WINDOWS, WindowRow, millis};
use crate::window::{Added, Window};

/// The ends of windows are rounded up to an hour, so that a busy source moves one row an hour.
const WINDOW_STEP_MS: u64 = 3_600_000;

/// Why a mail is not taken.
struct No(Code, &'static str, Retry);

/// When it may come again.
enum Retry {
    /// When somebody has changed something.
    Never,
    /// Soon.
    Later,
}

impl Router {
    /// A mail came. The decoded header is judged; what may be taken is to be checked.
    pub(crate) fn mail_came(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        raw: Raw,
        out: &mut Outbox<Output>,
    ) {
        let Some((node, known)) = self.links.get(&link).map(|l| (l.node, l.is_known())) else {
            return;
        };
        let header = match decode_header(&raw.header_bytes) {
            Ok(header) => header,
            Err(why) => return self.close(cx, link, Code::MALFORMED, &why.to_string(), out),
        };
        let id = Header::id_of(&raw.header_bytes);
        if !known {
            return self.sorry(cx, link, Subject::Mail(id));
        }
        match self.judge(cx, &node, &header, raw.body.is_some()) {
            Ok(()) => {
                let len = raw.encoded_len() as u64;
                match self.may_take(cx, &node, &header, len) {
                    Ok(()) => out.push(Output::Check { link, id, raw }),
                    Err(no) => self.say_rate(cx, link, id, no, out),
                }
            }
            Err(no) => self.say_no(cx, link, id, &no, out),
        }
    }

    /// Asks the rate rules, before the signature is checked: the peer's, then its source's. Who the
    /// source is says the link, or one's own core node.
    fn may_take(
        &mut self,
        cx: &Cx<'_>,
        peer: &NodeId,
        header: &Header,
        len: u64,
    ) -> Result<(), acl::No> {
        let source = header.author.node_id();
        self.acl.room(cx.now, Way::In, peer.as_bytes())?;
        self.acl.room(cx.now, Way::Author, source.as_bytes())?;
        self.acl.spend(cx.now, Way::In, peer.as_bytes(), (1, len));
        self.acl
            .spend(cx.now, Way::Author, source.as_bytes(), (1, len));
        Ok(())
    }

    fn say_rate(
        &self,
        cx: &Cx<'_>,
        link: LinkId,
        id: EnvelopeId,
        no: acl::No,
        out: &mut Outbox<Output>,
    ) {
        let wait = no.wait(cx.now);
        let retry_ms = wait.map_or(0, |wait| cx.wall.after(wait).as_millis());
        let frame = refusal(id, no.code(), &no.to_string(), retry_ms);
        out.push(Output::Send { link, frame });
    }

    fn judge(&self, cx: &mut Cx<'_>, peer: &NodeId, header: &Header, body: bool) -> Result<(), No> {
        let source = header.author.node_id();
        let Some(to) = NodeId::from_id(&header.destination) else {
            return Err(No(Code::NO_RECIPIENT, "no node is named", Retry::Never));
        };
        if header.critical().next().is_some() {
            let text = "it needs a version that this node does not have";
            return Err(No(Code::NEEDS_VERSION, text, Retry::Never));
        }
        if to != self.me {
            let own = source == *peer && header.class == Class::Content;
            let text = "a core node takes mail for clients from its source alone";
            return if own {
                Ok(())
            } else {
                Err(No(Code::NO_RECIPIENT, text, Retry::Never))
            };
        }
        if source != *peer && !self.targets.is(peer, Why::Core) {
            let text = "mail of others is taken from this node's own core nodes alone";
            return Err(No(Code::STRANGER, text, Retry::Never));
        }
        if self.was_delivered(cx, &source, header.number) {
            // Acknowledged again, once it is sure who wrote it.
            return Ok(());
        }
        if !body {
            return Err(No(
                Code::MISSING_PAST,
                "it came without its body",
                Retry::Later,
            ));
        }
        let wall = cx.wall.as_millis();
        let counts = row::counts(&mut cx.store);
        let over = self.clock_confirmed() && header.expires <= wall;
        if over || header.expires <= counts.forgotten_ms {
            return Err(No(Code::EXPIRED, "it has expired", Retry::Never));
        }
        if self.clock_confirmed() && header.created > wall.saturating_add(millis(MAX_AHEAD)) {
            let text = "it claims to be from more than a day ahead";
            return Err(No(Code::RATE, text, Retry::Later));
        }
        Ok(())
    }

    /// The check has come to its end.
    pub(crate) fn mail_checked(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        id: EnvelopeId,
        result: Result<Checked<Verified>, Refused>,
        out: &mut Outbox<Output>,
    ) {
        let verified = match result {
            Ok(verified) => verified,
            // Whoever passed it on could have known.
            Err(why) => return self.close(cx, link, Code::MISBEHAVED, &why.to_string(), out),
        };
        let header = &verified.get().envelope.header;
        let Some(to) = NodeId::from_id(&header.destination) else {
            return;
        };
        if to != self.me {
            let from = header.author.node_id();
            out.push(Output::Mailbox {
                from,
                to,
                mail: verified,
            });
            return;
        }
        let acknowledge = header.class == Class::Content || is(Bug::LiveAcknowledges);
        let Verified { envelope, body, .. } = verified.into_inner();
        match self.deliver(cx, &envelope, body, out) {
            Ok(()) if acknowledge => {
                self.mail.receipts.entry(link).or_default().insert(id);
                self.timers.set_earlier(Timer::Receipts, cx.now);
            }
            Ok(()) => {}
            Err(no) => self.say_no(cx, link, id, &no, out),
        }
    }

    /// Delivers a mail that is for this node, once; ok also when it was delivered before.
    fn deliver(
        &mut self,
        cx: &mut Cx<'_>,
        envelope: &Envelope,
        body: Option<Vec<u8>>,
        out: &mut Outbox<Output>,
    ) -> Result<(), No> {
        let header = &envelope.header;
        let source = header.author.node_id();
        // Between the question and its check another copy may have been delivered.
        if self.was_delivered(cx, &source, header.number) {
            return Ok(());
        }
        let Some(body) = body else {
            return Err(No(
                Code::MISSING_PAST,
                "it came without its body",
                Retry::Later,
            ));
        };
        let body = self.unseal(cx, header, &body)?;
        if body.engine == ECHO {
            if header.class == Class::Live {
                self.echo_came(cx, source, body, out);
            }
            return Ok(());
        }
        if body.kind != Kind::Message || body.engine.is_empty() {
            return Err(No(Code::INADMISSIBLE, "it is no message", Retry::Never));
        }
        if !self.inbox_has_room(cx, body.payload.len()) {
            return Err(No(
                Code::QUOTA,
                "the inbox of the recipient is full",
                Retry::Later,
            ));
        }
        self.mark_delivered(cx, &source, header)?;
        let mail = InboxRow {
            name: name(&source, &self.me, header.number).to_bytes(),
            source: source.to_bytes(),
            engine: body.engine,
            created_ms: header.created,
            arrived_ms: cx.wall.as_millis(),
            clock_unconfirmed: header.clock_unconfirmed,
            payload: body.payload,
        };
        self.put_into_inbox(cx, &mail, out);
        Ok(())
    }

    fn unseal(&self, cx: &mut Cx<'_>, header: &Header, body: &[u8]) -> Result<Body, No> {
        let malformed = || No(Code::INADMISSIBLE, "its body is malformed", Retry::Never);
        let (id, rest) = body.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (enc, ct) = rest
            .split_first_chunk::<{ hpke::ENC_LEN }>()
            .ok_or_else(malformed)?;
        let gone = No(
            Code::SEALING_KEY,
            "it is sealed to a key that is gone here",
            Retry::Later,
        );
        let id: KeyId = *id;
        let secret = secret_of(cx, &id).ok_or(gone)?;
        let fields = [header.author.as_bytes().as_slice(), self.me.as_bytes()];
        let plain = hpke::open(&secret, SEAL_NAME, &fields, enc, &associated(header), ct)
            .map_err(|_| malformed())?;
        Body::decode(&plain).map_err(|_| malformed())
    }

    fn say_no(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        id: EnvelopeId,
        no: &No,
        out: &mut Outbox<Output>,
    ) {
        let No(code, text, retry) = no;
        let retry_ms = match retry {
            Retry::Never => 0,
            Retry::Later => cx.wall.after(SWEEP_EVERY).as_millis(),
        };
        out.push(Output::Send {
            link,
            frame: refusal(id, *code, text, retry_ms),
        });
    }

    /// Whether a number of a source was delivered here.
    fn was_delivered(&self, cx: &mut Cx<'_>, source: &NodeId, number: u64) -> bool {
        let (start, counter) = parts(number);
        let row: Option<WindowRow> = row::get(&mut cx.store, WINDOWS, &window_key(source, start));
        row.is_some_and(|row| Window::from_bytes(&row.window).has(counter))
    }

    fn mark_delivered(&self, cx: &mut Cx<'_>, source: &NodeId, header: &Header) -> Result<(), No> {
        let (start, counter) = parts(header.number);
        let key = window_key(source, start);
        let known: Option<WindowRow> = row::get(&mut cx.store, WINDOWS, &key);
        if known.is_none()
            && cx
                .store
                .prefix(WINDOWS, source.as_bytes(), MAX_WINDOWS)
                .len()
                >= MAX_WINDOWS
        {
            let text = "too many restarts of the source are remembered here";
            return Err(No(Code::TOO_MANY, text, Retry::Later));
        }
        let row = known.unwrap_or_default();
        let mut window = Window::from_bytes(&row.window);
        if window.add(counter) == Added::Full {
            let text = "too many mails of the source are missing in between";
            return Err(No(Code::TOO_MANY, text, Retry::Later));
        }
        let end = header
            .expires
            .div_ceil(WINDOW_STEP_MS)
            .saturating_mul(WINDOW_STEP_MS);
        let until_ms = row.until_ms.max(end);
        if until_ms != row.until_ms {
            cx.store.delete(
                WINDOW_ENDS,
                [row.until_ms.to_be_bytes().as_slice(), &key].concat(),
            );
            cx.store.put(
                WINDOW_ENDS,
                [until_ms.to_be_bytes().as_slice(), &key].concat(),
                [],
            );
        }
        let row = WindowRow {
            until_ms,
            window: window.to_bytes(),
        };
        row::put(&mut cx.store, WINDOWS, &key, &row);
        Ok(())
    }

    /// Forgets the numbers of mails that have all expired; says whether more wait. From then on
    /// whatever expired up to there is refused, whatever a clock says later.
    pub(super) fn sweep_windows(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.clock_confirmed() {
            return false;
        }
        let wall = cx.wall.as_millis();
        let to = wall.saturating_add(1).to_be_bytes();
        let due = cx.store.scan(WINDOW_ENDS, &[], &to, SWEEP_ROWS);
        let mut forgotten_ms = 0;
        for (key, _) in &due {
            cx.store.delete(WINDOW_ENDS, key.clone());
            if let (Some(until_ms), Some(window)) = (row::number_at(key, 0), key.get(8..)) {
                cx.store.delete(WINDOWS, window);
                forgotten_ms = until_ms;
            }
        }
        if forgotten_ms != 0 {
            let mut counts = row::counts(&mut cx.store);
            counts.forgotten_ms = counts.forgotten_ms.max(forgotten_ms);
            row::put(&mut cx.store, COUNTS, row::ONLY, &counts);
        }
        due.len() == SWEEP_ROWS
    }

    /// Signs receipts for what was delivered, one for all mails of a link.
    pub(crate) fn sign_receipts(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        let time = self.clock.guess(cx).min(wire::limits::MAX_TIME_MS);
        for (link, ids) in core::mem::take(&mut self.mail.receipts) {
            if !self
                .links
                .get(&link)
                .is_some_and(crate::links::Link::is_ready)
            {
                // The mail comes again on the next link and is acknowledged then.
                continue;
            }
            let ids: Vec<EnvelopeId> = ids.into_iter().collect();
            for ids in ids.chunks(wire::limits::MAX_MAIL_RECEIPT_IDS) {
                let receipt = MailReceipt {
                    holder: self.me,
                    kind: ReceiptKind::Delivered,
                    ids: ids.to_vec(),
                    until: 0,
                    time,
                    operator: None,
                };
                if let Ok(signed) = sign_mail_receipt(receipt, &self.config.secret) {
                    let raw = signed.get().to_raw();
                    out.push(Output::Send {
                        link,
                        frame: Frame::MailReceipt(raw),
                    });
                }
            }
        }
    }
}

fn window_key(source: &NodeId, start: u64) -> Vec<u8> {
    [source.as_bytes().as_slice(), &start.to_be_bytes()].concat()
}
