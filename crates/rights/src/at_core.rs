//! Proofs at a core node, and the tickets with which core nodes fetch from one another.
//!
//! ```text
//! token  = kdf("token", C ‖ core's node id)[0..16]
//! tag    = mac(kdf("core tag", C), role u8 ‖ L)[0..16]
//! sealed = salt 24 ‖ aead(kdf("core show", C ‖ salt ‖ role u8 ‖ L), "", contents)
//! contents: 0x00 ‖ device key 32 ‖ grant id 32 ‖ signature 64 ‖ claim item or nothing
//!           0x01 ‖ ticket
//! ```
//!
//! A core node's id is authenticated by TLS, so nothing need be hidden from it but which client
//! uses which topic on the way there. It finds the topic by the token in one look-up. The holder of
//! C can show nothing by itself: a device's signature or a ticket for its own node id is needed.
//! The fresh salt makes every proof's key its own, and tag and key hold for one link and one
//! direction.

use identity::seal::{aead_open, aead_seal, kdf, mac, same};
use identity::{Context, NodeId, SecretKey, TopicId};
use machine::{Rng, WallTime};
use wire::limits::{DAY_MS, MAX_AT_CORE};
use wire::{Frame, Ticket};
use zeroize::Zeroizing;

use crate::epoch::CoreSecret;
use crate::limits::MAX_TICKET_MS;
use crate::link::{LinkSecret, Role};
use crate::secret::first;
use crate::show::{Proof, ShowRefused, Shown, Standing};

/// A proof at a core node, as sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AtCore {
    /// Names the topic to this core node.
    pub token: [u8; 16],
    /// Shows that the sender holds C, before anything is decrypted.
    pub tag: [u8; 16],
    /// The sealed contents.
    pub sealed: Vec<u8>,
}

/// What a proof at a core node showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShownAtCore {
    /// A device of the topic, with the caller's duties of [`Shown`].
    Device(Shown),
    /// The core node at the other end may fetch, until the ticket's time, if its device is one of
    /// the topic's and stands unrevoked: that is for the caller to look up.
    Core(Ticket),
}

const DEVICE: u8 = 0;
const TICKET: u8 = 1;

/// The token under which a core node finds the topic of a proof. Topics whose epochs were copied
/// from one another share it: a core node must keep a list under each token and try all of them.
#[must_use]
pub fn core_token(secret: &CoreSecret, core: NodeId) -> [u8; 16] {
    first(&kdf("token", &[secret.as_bytes(), core.as_bytes()]))
}

impl AtCore {
    /// A device's proof at the core node at the other end.
    #[must_use]
    pub fn of_device(
        secret: &CoreSecret,
        link: &LinkSecret,
        topic: TopicId,
        standing: &Standing,
        rng: &mut Rng,
    ) -> Self {
        let contents = [
            &[DEVICE],
            standing.prove(Context::Show, link, topic).as_slice(),
        ]
        .concat();
        Self::seal(secret, link, &contents, rng)
    }

    /// A core node's proof at another core node, by a client's ticket.
    #[must_use]
    pub fn of_core(secret: &CoreSecret, link: &LinkSecret, ticket: &Ticket, rng: &mut Rng) -> Self {
        let contents = [&[TICKET], ticket.encode().as_slice()].concat();
        Self::seal(secret, link, &contents, rng)
    }

    /// The frame that carries it.
    #[must_use]
    pub fn into_frame(self) -> Frame {
        Frame::AtCore {
            token: self.token,
            tag: self.tag,
            sealed: self.sealed,
        }
    }

    /// Judges a proof that came over the link, at the core node that serves `topic` under this
    /// secret. `now` is this node's wall clock, unconfirmed or not: it decides about tickets alone.
    pub fn verify(
        &self,
        secret: &CoreSecret,
        link: &LinkSecret,
        topic: TopicId,
        now: WallTime,
    ) -> Result<ShownAtCore, ShowRefused> {
        let role = link.role().other();
        let authentic = same(&self.token, &core_token(secret, link.own()))
            && same(&self.tag, &core_tag(secret, role, link));
        if !authentic || self.sealed.len() > MAX_AT_CORE {
            return Err(ShowRefused::NotAuthentic);
        }
        let (salt, sealed) = self
            .sealed
            .split_first_chunk()
            .ok_or(ShowRefused::NotAuthentic)?;
        let contents = aead_open(&core_key(secret, salt, role, link), b"", sealed)
            .map_err(|_| ShowRefused::NotAuthentic)?;
        match contents.split_first() {
            Some((&DEVICE, rest)) => {
                let proof = Proof::read(rest).ok_or(ShowRefused::Malformed)?;
                proof
                    .verify(Context::Show, link, topic)
                    .map(ShownAtCore::Device)
            }
            Some((&TICKET, rest)) => {
                let ticket = Ticket::decode(rest).map_err(|_| ShowRefused::Malformed)?;
                judge_ticket(&ticket, topic, link.peer(), now)?;
                Ok(ShownAtCore::Core(ticket))
            }
            _ => Err(ShowRefused::Malformed),
        }
    }

    fn seal(secret: &CoreSecret, link: &LinkSecret, contents: &[u8], rng: &mut Rng) -> Self {
        let salt = rng.array::<24>();
        let key = core_key(secret, &salt, link.role(), link);
        let sealed = [salt.as_slice(), &aead_seal(&key, b"", contents)].concat();
        Self {
            token: core_token(secret, link.peer()),
            tag: core_tag(secret, link.role(), link),
            sealed,
        }
    }
}

fn core_tag(secret: &CoreSecret, role: Role, link: &LinkSecret) -> [u8; 16] {
    let key = Zeroizing::new(kdf("core tag", &[secret.as_bytes()]));
    first(&mac(&key, &[&[role.byte()], link.bytes()]))
}

fn core_key(
    secret: &CoreSecret,
    salt: &[u8; 24],
    role: Role,
    link: &LinkSecret,
) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(kdf(
        "core show",
        &[secret.as_bytes(), salt, &[role.byte()], link.bytes()],
    ))
}

/// A ticket by a device of the topic, for a core node of this member's. A time further off than
/// [`MAX_TICKET_MS`] is brought nearer.
#[must_use]
pub fn issue_ticket(
    device: &SecretKey,
    topic: TopicId,
    core: NodeId,
    now: WallTime,
    until: WallTime,
) -> Ticket {
    let until = until
        .as_millis()
        .min(now.as_millis().saturating_add(MAX_TICKET_MS));
    Ticket::sign(topic, core, until, device)
}

/// Whether a ticket lets `core` fetch `topic` now, if its device may: that is for the caller to
/// look up.
pub fn judge_ticket(
    ticket: &Ticket,
    topic: TopicId,
    core: NodeId,
    now: WallTime,
) -> Result<(), ShowRefused> {
    if ticket.topic != topic || ticket.core != core {
        return Err(ShowRefused::TicketForeign);
    }
    let now = now.as_millis();
    // A day more than the longest: the clocks of the two may differ.
    let latest = now.saturating_add(MAX_TICKET_MS).saturating_add(DAY_MS);
    if ticket.until <= now || ticket.until > latest {
        return Err(ShowRefused::TicketTime);
    }
    ticket.verify().map_err(|_| ShowRefused::TicketForeign)
}
