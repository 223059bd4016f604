//! Tags: how two peers find the topics they share without naming one.
//!
//! ```text
//! tag = mac(kdf("tag", M), role of its sender u8 ‖ round u32 ‖ L)[0..16]
//! list: sorted, filled with random tags to 16, 32, 64, … 512
//! ```
//!
//! Without M a tag is random bytes. L and the role end replay on another link and reflection on
//! this one. A list shows its sender's number of topics to a power of two, and no more.
//!
//! A round is whole when each side has sent its list. Either side that finds a tag it expects from
//! its peer sends a [`Show`](crate::Show) for it; the other recognises the tag in that show, also
//! when it listed the topic in another round. More topics than a list holds, or an epoch begun
//! meanwhile, are further rounds.

use std::collections::{BTreeMap, BTreeSet};

use identity::TopicId;
use identity::seal::{kdf, mac};
use machine::Rng;
use wire::limits::MAX_TAGS;
use zeroize::Zeroizing;

use crate::epoch::MeetingSecret;
use crate::limits::{MAX_SHARED_TOPICS, MIN_TAGS};
use crate::link::{LinkSecret, Role};
use crate::secret::first;

/// A tag on the wire.
pub type Tag = [u8; 16];

/// A list of tags that no honest peer sends. The peer's fault: a function of the bytes it sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTags {
    /// Not a power of two from [`MIN_TAGS`] to [`MAX_TAGS`].
    #[error("a list of {0} tags, which is no padded length")]
    Length(usize),
    /// Not in ascending order, or one twice.
    #[error("tags out of order or repeated")]
    Order,
}

/// More topics on one link than [`MAX_SHARED_TOPICS`]. Our caller's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} topics on one link, at most {MAX_SHARED_TOPICS} can be shared")]
pub struct TooManyTopics(pub usize);

/// A topic that the peer knows too, and the tag under which to show it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Match {
    /// The topic.
    pub topic: TopicId,
    /// Our own tag in this round: what our show says.
    pub tag: Tag,
}

/// One round of recognising on one link: what we listed and what we expect.
#[derive(Debug)]
pub struct Round {
    number: u32,
    /// Of the first secret of each topic.
    own: BTreeMap<TopicId, Tag>,
    /// What the peer's tags stand for, with our own tags under the same secrets. Several topics stand
    /// under one tag only if a founder copied another topic's epoch.
    expected: BTreeMap<Tag, Expected>,
}

/// Topics, and our own tag for each.
#[derive(Debug, Default)]
struct Expected {
    topics: Vec<TopicId>,
    own: Tag,
}

impl Round {
    /// Begins round `number` for the topics that this link may share, each with the meeting secret
    /// of its newest clean epoch, and for a while after another has begun with that of the one before
    /// it as well, as an entry of its own behind the first. Lists at most [`MAX_TAGS`] of them, from
    /// index `from` on (the next round goes on there), and expects them all.
    ///
    /// A round's number must not be used twice on a link with other topics.
    pub fn begin(
        number: u32,
        link: &LinkSecret,
        topics: &[(TopicId, MeetingSecret)],
        from: usize,
        rng: &mut Rng,
    ) -> Result<(Self, Vec<Tag>), TooManyTopics> {
        if topics.len() > MAX_SHARED_TOPICS {
            return Err(TooManyTopics(topics.len()));
        }
        let mut round = Self {
            number,
            own: BTreeMap::new(),
            expected: BTreeMap::new(),
        };
        let mut all = Vec::with_capacity(topics.len());
        for (topic, meeting) in topics {
            let key = Zeroizing::new(kdf("tag", &[meeting.as_bytes()]));
            let own = tag(&key, link.role(), number, link);
            all.push(own);
            round.own.entry(*topic).or_insert(own);
            let theirs = tag(&key, link.role().other(), number, link);
            let expected = round.expected.entry(theirs).or_default();
            // The same for all topics that stand under one tag: it depends on the secret alone.
            expected.own = own;
            if !expected.topics.contains(topic) {
                expected.topics.push(*topic);
            }
        }
        let tags = all.into_iter().skip(from).take(MAX_TAGS).collect();
        Ok((round, fill(tags, rng)))
    }

    /// The round's number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The topics that the peer's list for this round shows it to know. To each of them belongs a
    /// [`Show`](crate::Show) from us.
    pub fn matches(&self, theirs: &[Tag]) -> Result<Vec<Match>, BadTags> {
        check(theirs)?;
        let found = theirs.iter().filter_map(|tag| self.expected.get(tag));
        let each = found.flat_map(|found| {
            let match_of = |topic: &TopicId| Match {
                topic: *topic,
                tag: found.own,
            };
            found.topics.iter().map(match_of)
        });
        Ok(each.collect())
    }

    /// The topics that a tag of the peer stands for: none if it proves nothing.
    #[must_use]
    pub fn topics_of(&self, theirs: &Tag) -> &[TopicId] {
        let found = self.expected.get(theirs);
        found.map_or(&[], |found| found.topics.as_slice())
    }

    /// Our own tag for a topic of this round, under its first secret.
    #[must_use]
    pub fn own_tag(&self, topic: TopicId) -> Option<Tag> {
        self.own.get(&topic).copied()
    }

    /// Our own tag for a topic that the peer has shown under this tag: of the same secret, since it may
    /// not know a newer one.
    #[must_use]
    pub fn answer(&self, topic: TopicId, theirs: &Tag) -> Option<Tag> {
        let found = self.expected.get(theirs)?;
        found.topics.contains(&topic).then_some(found.own)
    }
}

/// The tag of a topic in a list that the end with this role sends; `key` is kdf("tag", M).
fn tag(key: &[u8; 32], role: Role, round: u32, link: &LinkSecret) -> Tag {
    first(&mac(
        key,
        &[&[role.byte()], &round.to_be_bytes(), link.bytes()],
    ))
}

/// Sorts and fills with random tags, so that the list tells the number of topics roughly only.
fn fill(tags: Vec<Tag>, rng: &mut Rng) -> Vec<Tag> {
    let mut set: BTreeSet<Tag> = tags.into_iter().collect();
    let len = set.len().next_power_of_two().clamp(MIN_TAGS, MAX_TAGS);
    while set.len() < len {
        set.insert(rng.array());
    }
    set.into_iter().collect()
}

fn check(tags: &[Tag]) -> Result<(), BadTags> {
    if !tags.len().is_power_of_two() || !(MIN_TAGS..=MAX_TAGS).contains(&tags.len()) {
        return Err(BadTags::Length(tags.len()));
    }
    if !tags.is_sorted_by(|one, next| one < next) {
        return Err(BadTags::Order);
    }
    Ok(())
}
