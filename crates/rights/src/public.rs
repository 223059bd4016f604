//! Public topics: what whoever knows the id of one is told by whoever has it.
//!
//! ```text
//! seed   = kdf("public topic", topic id), 16 bytes       locator and key of the box: as an invite's
//! box    = {genesis, title, core nodes}                  unsigned: the genesis hashes to the id
//! E      = kdf("public epoch", random bytes of the genesis)
//! ```
//!
//! So the id alone finds the topic, and the genesis alone reads it. Whoever answers can be anybody:
//! the genesis is proved by the id, and all else in the box is a hint.

use identity::TopicId;
use machine::Rng;
use wire::plain::{CoreEntry, PublicContents};
use wire::{Genesis, Malformed};

use crate::invite::{BoxRefused, InviteSeed};
use crate::keyring::KeyRing;

/// A public topic, as somebody tells of it.
#[derive(Clone, Debug)]
pub struct PublicTopic {
    /// The topic.
    pub topic: TopicId,
    /// Its genesis, which hashes to its id.
    pub genesis: Genesis,
    /// Its name, as whoever answered says; may be empty.
    pub title: String,
    /// Where it may be found, as whoever answered says: at most 4 nodes.
    pub hints: Vec<CoreEntry>,
    /// Its keys, unlocked.
    pub ring: KeyRing,
}

impl PublicTopic {
    /// Seals what is told about a topic: [`BOX_LEN`](wire::limits::BOX_LEN) bytes that look random to
    /// whoever does not know its id.
    ///
    /// # Errors
    /// The contents are too long for a box: leave addresses out.
    pub fn seal(contents: &PublicContents, rng: &mut Rng) -> Result<Vec<u8>, Malformed> {
        let plain = contents.encode()?;
        Ok(InviteSeed::of_public(contents.genesis.topic_id()).seal_plain(&plain, rng))
    }

    /// Opens what was told about a topic.
    ///
    /// # Errors
    /// Whoever told it has not got it, or lies: [`BoxRefused`].
    pub fn open(topic: TopicId, sealed: &[u8]) -> Result<Self, BoxRefused> {
        let plain = InviteSeed::of_public(topic).open_plain(sealed)?;
        let contents = PublicContents::decode(&plain).map_err(|_| BoxRefused::Malformed)?;
        let genesis = contents.genesis;
        if genesis.topic_id() != topic || !genesis.policy.public {
            return Err(BoxRefused::OtherTopic);
        }
        let mut ring = KeyRing::new(topic, &genesis).map_err(|_| BoxRefused::Keys)?;
        ring.unlock_public(&genesis);
        Ok(Self {
            topic,
            genesis,
            title: contents.title,
            hints: contents.cores,
            ring,
        })
    }
}
