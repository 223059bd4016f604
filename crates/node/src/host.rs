//! What topics ask of the node: keys, and whether to hold what is offered.

use crate::io::LinkId;
use crate::keychain::Keychain;
use crate::rows::{BORNE, NODE};
use block::manifest::CheckedManifest;
use custody::{Custody, Deposit};
use identity::{GrantId, NodeId, OperatorTag, PublicKey};
use machine::Cx;
use router::Acl;
use router::acl::{No, Way};
use std::collections::{BTreeMap, BTreeSet};
use topic::{Allowance, Keys, Offer, OpenError, Policy, RefusedPart, SealError, Stored};
use wire::plain::Message;
use wire::{Checked, Class, Code, Envelope, Header, Item, Receipt, SignedReceipt, Verified};

/// How long a peer waits before it offers again what was refused because the disk is full.
const RETRY_FULL_MS: u64 = 600_000;

/// The same for what is refused until somebody changes something: then it is asked for at once.
const RETRY_LASTING_MS: u64 = 24 * 3_600_000;

/// Keys, custody, and who is at the other end of which link.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) keys: Keychain,
    pub(crate) custody: Custody,
    pub(crate) peers: BTreeMap<LinkId, NodeId>,
    /// Core nodes that are said to hold a topic, with their addresses.
    pub(crate) cores: BTreeMap<u32, BTreeMap<NodeId, Vec<String>>>,
    /// Core nodes of this node that do not hold what they say: their receipts do not count.
    pub(crate) broken: BTreeSet<NodeId>,
    /// Rate rules: lent by the router while the topics work ([`crate::node::Inner::topic`]).
    pub(crate) acl: Acl,
    /// The disk is full: nothing new is taken from anybody.
    pub(crate) full: bool,
}

impl Keys for Host {
    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<Vec<Message>, OpenError> {
        self.keys.open(cx, topic, envelope, body)
    }

    fn seal(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        header: &Header,
        messages: &[Message],
    ) -> Result<Vec<u8>, SealError> {
        self.keys.seal(cx, topic, header, messages)
    }

    fn open_item(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        envelope: &Envelope,
        item: &Item,
    ) -> Option<Vec<u8>> {
        self.keys.open_item(cx, topic, envelope, item)
    }

    fn author(&self, topic: u32) -> Option<PublicKey> {
        self.keys.author(topic)
    }

    fn under(&self, topic: u32) -> Option<GrantId> {
        self.keys.under(topic)
    }

    fn device(&self, topic: u32) -> Option<PublicKey> {
        self.keys.device(topic)
    }

    fn sign_envelope(
        &self,
        topic: u32,
        header: Header,
        body: Vec<u8>,
    ) -> Option<Checked<Verified>> {
        self.keys.sign_envelope(topic, header, body)
    }

    fn holder(&self, topic: u32) -> Option<PublicKey> {
        self.keys.holder(topic)
    }

    fn sign_receipt(&self, topic: u32, receipt: Receipt) -> Option<Checked<SignedReceipt>> {
        self.keys.sign_receipt(topic, receipt)
    }
}

impl Policy for Host {
    fn room(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        offer: Offer<'_>,
    ) -> Result<(), topic::Refusal> {
        if self.full {
            return Err(topic::Refusal {
                what: RefusedPart::All,
                code: Code::FULL,
                text: "the disk of this node is full".to_owned(),
                retry_at: cx.wall.as_millis().saturating_add(RETRY_FULL_MS),
            });
        }
        self.allowed_in(cx, &offer)?;
        let bytes = (offer.header_bytes, offer.body_bytes);
        let Some(mut deposit) = self.deposit(topic, Some(offer.link), offer.header, bytes) else {
            self.count_in(cx, &offer);
            return Ok(());
        };
        if deposit.body == 0 {
            // What waits is asked about with it; a header alone has no time that could be over.
            deposit.expires_ms = 0;
        }
        deposit.body = deposit.body.saturating_add(offer.parked_bytes as u64);
        let mut room = self.custody.room(cx, &deposit);
        let mut what = RefusedPart::All;
        if room
            .as_ref()
            .is_err_and(|why| why.code == custody::Code::Expired)
        {
            // Its time is over, but others depend on its header, for which there must be room.
            let header = Deposit {
                body: offer.parked_bytes as u64,
                expires_ms: 0,
                ..deposit
            };
            let of_header = self.custody.room(cx, &header);
            match of_header {
                Ok(()) => what = RefusedPart::Expired,
                Err(refusal) => room = Err(refusal),
            }
        }
        let Err(refusal) = room else {
            self.count_in(cx, &offer);
            return Ok(());
        };
        let retry_at = match (what, refusal.retry) {
            // Without a time it would be offered again at once, in vain.
            (RefusedPart::All, None) => cx.wall.as_millis().saturating_add(RETRY_LASTING_MS),
            _ => retry_at(cx, &refusal),
        };
        Err(topic::Refusal {
            what,
            code: code_of(refusal.code),
            retry_at,
            text: refusal.text,
        })
    }

    fn may_give(&mut self, cx: &mut Cx<'_>, link: topic::LinkId) -> Result<Allowance, u64> {
        let Some(peer) = self.peer(link).filter(|_| !self.acl.is_empty()) else {
            return Ok(Allowance::ALL);
        };
        match self.acl.room(cx.now, Way::Out, peer.as_bytes()) {
            Ok(room) => Ok(Allowance {
                messages: usize::try_from(room.messages).unwrap_or(usize::MAX),
                bytes: usize::try_from(room.bytes).unwrap_or(usize::MAX),
            }),
            Err(no) => Err(no
                .wait(cx.now)
                .map_or(topic::NEVER, |wait| cx.wall.after(wait).as_millis())),
        }
    }

    fn gave(&mut self, cx: &mut Cx<'_>, link: topic::LinkId, messages: usize, bytes: usize) {
        if let Some(peer) = self.peer(link).filter(|_| !self.acl.is_empty()) {
            let what = (messages as u64, bytes as u64);
            self.acl.spend(cx.now, Way::Out, peer.as_bytes(), what);
        }
    }

    fn charge(&mut self, cx: &mut Cx<'_>, topic: u32, stored: Stored<'_>) {
        let bytes = (stored.header_bytes, stored.body_bytes);
        let Some(deposit) = self.deposit(topic, stored.link, stored.header, bytes) else {
            return;
        };
        if let Ok(promise) = self.custody.accept(cx, &deposit) {
            self.note_borne(cx, topic, stored.header, (&deposit, &promise.sponsor));
            return;
        }
        // There was room when it came, but not any more when the past it waited for did, or its
        // time is over. It is stored, and others may depend on it: whichever account bears it is
        // charged, for the header alone if for no more. What none bears is held unreserved; that is
        // at most what one link may have waiting, since that counts whenever room is asked for.
        let anybody = Deposit {
            depositor: self.keys.config.node_key.node_id(),
            ..deposit
        };
        for deposit in [anybody, Deposit { body: 0, ..deposit }] {
            if let Ok(promise) = self.custody.accept(cx, &deposit) {
                self.note_borne(cx, topic, stored.header, (&deposit, &promise.sponsor));
                return;
            }
        }
    }

    fn blocks_of(&self, topic: u32, header: &Header) -> usize {
        let holds = self
            .keys
            .topic(topic)
            .is_some_and(|keys| keys.row.custodian);
        let blocks = if holds { blocks_of(header) } else { 0 };
        usize::try_from(blocks).unwrap_or(usize::MAX)
    }

    fn is_core(&self, topic: u32, node: &NodeId) -> bool {
        let cores = self.cores.get(&topic);
        cores.is_some_and(|cores| cores.contains_key(node)) && !self.broken.contains(node)
    }

    fn hold_until(&mut self, cx: &mut Cx<'_>, topic: u32) -> Option<u64> {
        let id = self.keys.topic(topic).filter(|keys| keys.row.custodian)?.id;
        self.custody.held_until(cx, &id)
    }

    fn operator(&self) -> Option<OperatorTag> {
        self.custody.settings().operator
    }
}

impl Host {
    /// The blocks of an envelope that this node holds for others go: their room comes back.
    pub(crate) fn release_blocks(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        header: &Header,
        out: &mut machine::Outbox<custody::Output>,
    ) {
        let key = borne_key(topic, header);
        let Some(row) = cx.store.get(NODE, &key) else {
            return;
        };
        cx.store.delete(NODE, key);
        let deposit = self.deposit(topic, None, header, (0, 0));
        let (Some(deposit), Some((from, on))) = (deposit, row.split_first_chunk::<32>()) else {
            return;
        };
        let Ok(on) = on.try_into() else {
            return;
        };
        let deposit = Deposit {
            depositor: NodeId::from_bytes(*from),
            body: blocks_of(header),
            ..deposit
        };
        self.custody
            .release(cx, (&deposit, &NodeId::from_bytes(on)), out);
    }

    /// On whose account the blocks of an envelope were charged is remembered for when they are not needed any more.
    fn note_borne(
        &self,
        cx: &mut Cx<'_>,
        topic: u32,
        header: &Header,
        (deposit, sponsor): (&Deposit, &NodeId),
    ) {
        if deposit.body > 0 && header.manifest.is_some() {
            let row = [*deposit.depositor.as_bytes(), *sponsor.as_bytes()].concat();
            cx.store.put(NODE, borne_key(topic, header), row);
        }
    }

    fn peer(&self, link: topic::LinkId) -> Option<NodeId> {
        self.peers.get(&LinkId(link.0)).copied()
    }

    /// Whether the rate rules let an envelope in: those for the peer that gives it, then those for
    /// its author. A body whose header is here is of something admitted, and its author is not
    /// asked after.
    fn allowed_in(&mut self, cx: &Cx<'_>, offer: &Offer<'_>) -> Result<(), topic::Refusal> {
        if self.acl.is_empty() {
            return Ok(());
        }
        if let Some(peer) = self.peer(offer.link)
            && let Err(no) = self.acl.room(cx.now, Way::In, peer.as_bytes())
        {
            return Err(self.rate_refusal(cx, RefusedPart::Giver, no));
        }
        let author = offer.header.author;
        if offer.header_bytes == 0 || offer.own {
            return Ok(());
        }
        match self.acl.room(cx.now, Way::Author, author.as_bytes()) {
            Ok(_) => Ok(()),
            Err(No::Never { .. }) if offer.needed => Ok(()),
            Err(no @ No::Never { .. }) => Err(self.rate_refusal(cx, RefusedPart::Unwanted, no)),
            Err(no @ No::Later { .. }) => Err(self.rate_refusal(cx, RefusedPart::All, no)),
        }
    }

    fn count_in(&mut self, cx: &Cx<'_>, offer: &Offer<'_>) {
        if self.acl.is_empty() {
            return;
        }
        let bytes = offer.header_bytes.saturating_add(offer.body_bytes) as u64;
        let what = (u64::from(offer.header_bytes > 0), bytes);
        if let Some(peer) = self.peer(offer.link) {
            self.acl.spend(cx.now, Way::In, peer.as_bytes(), what);
        }
        if !offer.own {
            let author = offer.header.author.as_bytes();
            self.acl.spend(cx.now, Way::Author, author, what);
        }
    }

    fn rate_refusal(&self, cx: &Cx<'_>, what: RefusedPart, no: No) -> topic::Refusal {
        let wait = no.wait(cx.now);
        let lasting = cx.wall.as_millis().saturating_add(RETRY_LASTING_MS);
        topic::Refusal {
            what,
            code: no.code(),
            text: no.to_string(),
            retry_at: wait.map_or(lasting, |wait| cx.wall.after(wait).as_millis()),
        }
    }

    /// What custody is asked about, where this node holds the topic for others.
    fn deposit(
        &self,
        topic: u32,
        link: Option<topic::LinkId>,
        header: &Header,
        (header_bytes, body_bytes): (usize, usize),
    ) -> Option<Deposit> {
        let keys = self.keys.topic(topic).filter(|keys| keys.row.custodian)?;
        // A link that has gone meanwhile deposits on nobody's account but a guest's.
        let depositor = link.and_then(|link| self.peers.get(&LinkId(link.0)).copied());
        let depositor = depositor.unwrap_or_else(|| self.keys.config.node_key.node_id());
        let (head, mut body) = (header_bytes as u64, body_bytes as u64);
        if body > 0 {
            // What is held is held with its blocks: their room is set aside before the first has come.
            body = body.saturating_add(blocks_of(header));
        }
        let expires = header.class != Class::Control;
        Some(Deposit {
            topic: keys.id,
            author: header.author,
            depositor,
            header: if expires {
                head
            } else {
                head.saturating_add(body)
            },
            body: if expires { body } else { 0 },
            expires_ms: header.expires,
        })
    }
}

fn borne_key(topic: u32, header: &Header) -> Vec<u8> {
    let author = header.author.as_bytes();
    let number = header.number.to_be_bytes();
    [&[BORNE], topic.to_be_bytes().as_slice(), author, &number].concat()
}

/// Bytes that the blocks of an envelope take, with what lists them.
fn blocks_of(header: &Header) -> u64 {
    let manifest = header.manifest.as_ref();
    let checked = manifest.and_then(|manifest| CheckedManifest::of(manifest).ok());
    checked.map_or(0, |manifest| manifest.content_len())
}

/// The code of a custody refusal on the wire.
pub(crate) const fn code_of(code: custody::Code) -> Code {
    Code(code.in_frame())
}

/// When a refusal may be asked again, in milliseconds since 1970; 0 is never.
pub(crate) fn retry_at(cx: &Cx<'_>, refusal: &custody::Refusal) -> u64 {
    refusal
        .retry
        .map_or(0, |wait| cx.wall.after(wait).as_millis())
}
