//! Invites: a link's seed, the keys that follow from it, and the box that waits for its holder.
//!
//! ```text
//! locator     = kdf("invite locator", seed)                 names the box; tells nothing of the
//! seed signing key = Ed25519(kdf("invite sign", seed))           signs claims
//! sealing key = X25519 from kdf("invite seal", seed)        what may be sealed to the holder
//! box         = nonce 24 ‖ aead(kdf("invite box", seed ‖ nonce), locator, contents)   2,048 bytes
//! ```
//!
//! Whoever keeps a box cannot read it and cannot find out whose it is. Whoever has the link of the
//! while-away kind reads the topic from then on, if the invite gives that, and may claim; nobody
//! else may. A box of the attended kind holds no secret of the topic: who claims it waits for a welcome
//! ([`seal_answer`](crate::seal_answer)).

use identity::seal::hpke::{HpkeSecret, derive_key_pair};
use identity::seal::{aead_open, aead_seal, kdf};
use identity::{EnvelopeId, EpochId, GrantId, PublicKey, SealingKey, SecretKey, TopicId};
use machine::{Rng, WallTime};
use wire::limits::{BOX_ACCESS, BOX_LEN, BOX_PLAIN_LEN};
use wire::plain::{BoxContents, CoreEntry};
use wire::{Claim, Genesis, Gift, Interval, Invite, InviteKind, Item, Malformed, Terms};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::access::Access;
use crate::keyring::KeyRing;

/// What an invite's link carries. Whoever has it has the invite.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct InviteSeed([u8; 16]);

impl core::fmt::Debug for InviteSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("InviteSeed(..)")
    }
}

impl InviteSeed {
    /// A fresh seed. 2¹²⁸ of them: guessing any of 2⁴⁰ boxes takes 2⁸⁸ tries, so none is stretched.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(rng.array())
    }

    /// The seed that follows from a public topic's id: so its box is asked for and sealed as an
    /// invite's is, and known to all who know the id. It invites nobody.
    #[must_use]
    pub fn of_public(topic: TopicId) -> Self {
        Self(kdf("public topic", &[topic.as_bytes()]))
    }

    /// The seed of a link.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a link or a sealed row.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Under which the box is asked for.
    #[must_use]
    pub fn locator(&self) -> [u8; 32] {
        kdf("invite locator", &[&self.0])
    }

    /// The key that signs claims.
    #[must_use]
    pub fn signing_key(&self) -> SecretKey {
        let seed = Zeroizing::new(kdf::<32>("invite sign", &[&self.0]));
        SecretKey::from_seed(*seed)
    }

    /// The key that things are sealed to for the holder.
    #[must_use]
    pub fn sealing_key(&self) -> HpkeSecret {
        let seed = Zeroizing::new(kdf::<32>("invite seal", &[&self.0]));
        derive_key_pair(&seed).0
    }

    /// The control item that gives this invite out of the topic's own grant: for how many devices
    /// (from 1), until when (ms since 1970). Its grant is the item's id.
    #[must_use]
    pub fn item(&self, topic: TopicId, uses: u32, until: u64) -> Invite {
        let parent = GrantId::from_bytes(topic.to_bytes());
        let terms = Terms::GUEST;
        self.item_under(Gift { terms, parent }, uses, until)
    }

    /// The control item that gives this invite out of any grant.
    #[must_use]
    pub fn item_under(&self, gift: Gift, uses: u32, until: u64) -> Invite {
        self.item_of(InviteKind::WhileAway(gift), uses, until)
    }

    /// The control item of an invite of any kind.
    #[must_use]
    pub fn item_of(&self, kind: InviteKind, uses: u32, until: u64) -> Invite {
        Invite {
            key: self.signing_key().public(),
            sealing: self.sealing_key().public(),
            uses,
            until,
            kind,
        }
    }

    /// A claim for a device, to be carried in its first envelope and beside its first shows.
    #[must_use]
    pub fn claim(
        &self,
        topic: TopicId,
        grant: GrantId,
        device: PublicKey,
        sealing: SealingKey,
        now: WallTime,
    ) -> Claim {
        Claim::sign(
            topic,
            &self.signing_key(),
            grant,
            device,
            sealing,
            now.as_millis(),
        )
    }

    /// Seals a box: [`BOX_LEN`] bytes that look random to everybody else. Refused if the contents
    /// are too long for it: then leave addresses out.
    pub fn seal_box(&self, contents: &BoxContents, rng: &mut Rng) -> Result<Vec<u8>, Malformed> {
        Ok(self.seal_plain(&Zeroizing::new(contents.encode()?), rng))
    }

    /// Seals the plaintext of a box: [`BOX_PLAIN_LEN`] bytes.
    pub(crate) fn seal_plain(&self, plain: &[u8], rng: &mut Rng) -> Vec<u8> {
        debug_assert_eq!(plain.len(), BOX_PLAIN_LEN);
        let fresh = Zeroizing::new(rng.array::<32>());
        // Depends on the plaintext too, for the reason given at the salt of bodies.
        let nonce: [u8; 24] = kdf("salt", &[&*fresh, &self.0, plain]);
        let sealed = aead_seal(&self.box_key(&nonce), &self.locator(), plain);
        [nonce.as_slice(), &sealed].concat()
    }

    /// The plaintext of a box.
    pub(crate) fn open_plain(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxRefused> {
        if sealed.len() != BOX_LEN {
            return Err(BoxRefused::Closed);
        }
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(BoxRefused::Closed)?;
        aead_open(&self.box_key(nonce), &self.locator(), sealed)
            .map(Zeroizing::new)
            .map_err(|_| BoxRefused::Closed)
    }

    /// Opens a box and compares everything in it that can be compared: so what comes out is a topic
    /// to which a device invites by this very link, with the keys that its genesis announces.
    /// Whether that device may let anybody in is seen in the topic: there its invite is admitted or
    /// not.
    pub fn open_box(&self, sealed: &[u8]) -> Result<Invitation, BoxRefused> {
        let plain = self.open_plain(sealed)?;
        let mut contents = BoxContents::decode(&plain).map_err(|_| BoxRefused::Malformed)?;
        let handed = contents.handed.take().map(|(epoch, mut access)| {
            let taken = Access::from_bytes(&access);
            access.zeroize();
            (epoch, taken)
        });
        let handed = match handed {
            Some((epoch, access)) => Some((epoch, access.map_err(|_| BoxRefused::Keys)?)),
            None => None,
        };
        Invitation::judge(self, contents, handed)
    }

    fn box_key(&self, nonce: &[u8; 24]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(kdf("invite box", &[&self.0, nonce]))
    }
}

/// Why a box was refused. Of the first nothing can be said about anybody; the others are the
/// inviter's fault. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoxRefused {
    /// Does not open with this link: there is no box there (a miss looks the same), or whoever
    /// keeps it changed it.
    #[error("no box that opens with this link")]
    Closed,
    /// Opens, but its contents are not those of a box, or not signed by the device they name.
    #[error("a box whose contents cannot be read")]
    Malformed,
    /// Holds the invite of another link.
    #[error("a box that holds the invite of another link")]
    OtherInvite,
    /// The epoch is not the genesis', its announced keys do not follow from the secret, or the box hands
    /// over more than the invite gives.
    #[error("a box whose keys do not fit the topic")]
    Keys,
    /// Holds the genesis of another topic than that which was asked for, or of one that is not
    /// public.
    #[error("a box with the genesis of another topic")]
    OtherTopic,
}

/// What an opened box says, checked.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The topic.
    pub topic: TopicId,
    /// Its genesis.
    pub genesis: Genesis,
    /// The invite.
    pub invite: Invite,
    /// The invite's grant: what the claimer writes under.
    pub grant: GrantId,
    /// The envelope that carries the invite: the claimer's first envelope depends on it.
    pub invite_at: EnvelopeId,
    /// The topic's name, as the inviter says.
    pub title: String,
    /// The inviter's name, as it says.
    pub inviter: String,
    /// The inviter's device.
    pub device: PublicKey,
    /// Where the topic can be found.
    pub cores: Vec<CoreEntry>,
    /// The topic's keys: unlocked, or still locked where somebody has to welcome the claimer first.
    pub ring: KeyRing,
}

impl Invitation {
    /// Whether whoever claims it waits for a welcome.
    #[must_use]
    pub const fn is_attended(&self) -> bool {
        matches!(self.invite.kind, InviteKind::Attended(_))
    }

    fn judge(
        seed: &InviteSeed,
        contents: BoxContents,
        handed: Option<(EpochId, Access)>,
    ) -> Result<Self, BoxRefused> {
        let invite = contents.invite;
        let topic = contents.genesis.topic_id();
        let (InviteKind::WhileAway(_) | InviteKind::Attended(_)) = invite.kind else {
            return Err(BoxRefused::OtherInvite);
        };
        if invite != seed.item_of(invite.kind, invite.uses, invite.until) {
            return Err(BoxRefused::OtherInvite);
        }
        // Also under the topic's own grant others than its founder's device may give: whoever an act has made
        // an owner. The joiner finds in the topic whose invite it is.
        let mut ring = KeyRing::new(topic, &contents.genesis).map_err(|_| BoxRefused::Keys)?;
        if let Some((epoch, access)) = handed {
            let whole = reads_all(&contents.genesis, &invite);
            let fits = match access {
                Access::Reader(_) => whole,
                Access::Member(_) => true,
                Access::Slices(..) | Access::Core(_) => false,
            };
            if !fits {
                return Err(BoxRefused::Keys);
            }
            ring.unlock(epoch, access).map_err(|_| BoxRefused::Keys)?;
        }
        Ok(Self {
            topic,
            genesis: contents.genesis,
            invite,
            grant: grant_of(&invite),
            invite_at: contents.invite_at,
            title: contents.title,
            inviter: contents.inviter,
            device: contents.device,
            cores: contents.cores,
            ring,
        })
    }
}

/// What the box of an invite of the kind while away hands over, of the genesis' epoch: the one that a
/// joiner can judge. All of it to whoever may read all of it and always; to others what it takes to
/// take part, and members hand over what they may read besides. Nothing where `ring` holds too little.
#[must_use]
pub fn handed_to_guest(
    ring: &KeyRing,
    genesis: &Genesis,
    invite: &Invite,
) -> Option<(EpochId, Zeroizing<[u8; BOX_ACCESS]>)> {
    let epoch = genesis.epoch.id();
    let held = ring.by_id(epoch)?.access()?;
    let access = match held {
        Access::Reader(_) if reads_all(genesis, invite) => held.clone(),
        _ => Access::Member(held.meeting()?),
    };
    let bytes = access.to_bytes().as_slice().try_into().ok()?;
    Some((epoch, Zeroizing::new(bytes)))
}

/// Whether whoever comes by an invite may read all that is written under the genesis' epoch.
fn reads_all(genesis: &Genesis, invite: &Invite) -> bool {
    let (InviteKind::WhileAway(gift) | InviteKind::Attended(gift)) = invite.kind else {
        return false;
    };
    let read = gift.terms.rights.read;
    let always = |read: Interval| read.from <= genesis.epoch.start && read.until.is_none();
    genesis.policy.public || read.is_some_and(always)
}

/// The grant that an invite item gives: kdf("grant", item bytes).
#[must_use]
pub fn grant_of(invite: &Invite) -> GrantId {
    Item::Invite(*invite).id()
}

/// What is answered for a box that is not there: random bytes, which nobody can tell from a box.
#[must_use]
pub fn no_box(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; BOX_LEN];
    rng.fill(&mut bytes);
    bytes
}
