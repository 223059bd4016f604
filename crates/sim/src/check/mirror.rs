//! What is durable at one node, in short: how far each chain goes, which bodies have not come, how
//! many lines and mails there are. Kept up to date from the batches alone, so that a frame can be
//! held against the disk without reading it; before anything is called broken, the disk is read.

use super::Facts;
use super::peek::{Walk, part, short, u32_at, u64_at};
use super::written::Bits;
use crate::plan::{NodeNo, TopicNo};
use identity::{EnvelopeId, PublicKey, TopicId};
use lace::rows::{BODY, HEADER, ID, LACE};
use machine::{Base, Table, WallTime};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Genesis, Header};

/// The router's table of received mail: number → row, the mail's name first.
pub(crate) const INBOX: Table = Table::new(91, "router_inbox");
/// The router's counters: one row.
pub(crate) const COUNTS: Table = Table::new(94, "router_counts");
/// Mails held for clients: client ‖ number → row, the envelope's id first.
pub(crate) const MAILS: Table = Table::new(107, "custody_mails");
/// What became of mails held for clients: client ‖ envelope id → mark.
pub(crate) const MAIL_MARKS: Table = Table::new(108, "custody_mail_marks");

/// By how much clocks that were confirmed may be wrong, in milliseconds: five minutes, as may be the
/// clocks that confirmed them.
pub(crate) const CLOCK_SLACK_MS: u64 = 600_000;

/// Rows read at once.
const PAGE: usize = 256;
/// Where the branch begins in the key of a header or body.
const BRANCH_AT: usize = 16;

/// Whether a time is over by the right clock, as far as clocks that are confirmed may differ.
pub(crate) const fn is_over(wall: WallTime, time: u64) -> bool {
    time != 0 && time <= wall.as_millis().saturating_add(CLOCK_SLACK_MS)
}

/// An author in a topic, under the node's own number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Author {
    /// The highest number of a header.
    pub(crate) top: u32,
    /// Up to which number the node has said that it has the bodies.
    pub(crate) promised: u32,
    /// Whether it is this node's own, once somebody could tell.
    own: Option<bool>,
}

/// A topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) id: TopicId,
    no: Option<TopicNo>,
    /// It is being forgotten.
    pub(crate) going: bool,
    pub(crate) next_line: u64,
    authors: Vec<Author>,
    by_key: BTreeMap<u64, u32>,
    /// Envelopes without a body: author, number, and the beginning of the branch, since whoever
    /// forks has several of one number.
    pub(crate) lacking: BTreeSet<(u32, u32, u32)>,
    /// Envelopes, by the world's numbers of them.
    pub(crate) have: Bits,
    /// What the node has said that it lacks, below what it has said to have.
    pub(crate) holes: BTreeSet<(u32, u32)>,
    /// Until when it has promised to hold the topic, in milliseconds since 1970.
    pub(crate) held_until: u64,
}

impl Topic {
    const fn new(id: TopicId) -> Self {
        Self {
            id,
            no: None,
            going: false,
            next_line: 1,
            authors: Vec::new(),
            by_key: BTreeMap::new(),
            lacking: BTreeSet::new(),
            have: Bits::new(),
            holes: BTreeSet::new(),
            held_until: 0,
        }
    }

    /// The world's number of it.
    pub(crate) fn number(&mut self, facts: &Facts) -> Option<TopicNo> {
        if self.no.is_none() {
            self.no = facts.topic_no(&self.id);
        }
        self.no
    }

    pub(crate) fn author(&mut self, no: u32) -> &mut Author {
        let at = no as usize;
        if at >= self.authors.len() {
            self.authors.resize(at + 1, Author::default());
        }
        &mut self.authors[at]
    }

    /// The node's number of an author.
    pub(crate) fn author_no(&self, key: &[u8; 32]) -> Option<u32> {
        self.by_key.get(&short(key)).copied()
    }

    /// Whether some envelope with this number has no body.
    pub(crate) fn lacks(&self, author: u32, number: u32) -> bool {
        let all = (author, number, 0)..=(author, number, u32::MAX);
        self.lacking.range(all).next().is_some()
    }

    /// How far the chain of an author goes.
    pub(crate) fn top(&self, key: &[u8; 32]) -> u64 {
        let author = self
            .author_no(key)
            .and_then(|no| self.authors.get(no as usize));
        author.map_or(0, |author| u64::from(author.top))
    }

    /// Whether an author is a device of this node's.
    pub(crate) fn is_own(&mut self, facts: &Facts, no: NodeNo, key: &[u8; 32]) -> bool {
        let Some(at) = self.author_no(key) else {
            return false;
        };
        let author = self.author(at);
        if author.own.is_none() {
            let owner = facts.devices.author(&PublicKey::from_bytes(*key));
            author.own = owner.map(|owner| owner == no);
        }
        author.own == Some(true)
    }

    fn name_author(&mut self, no: u32, key: u64) {
        self.author(no);
        self.by_key.insert(key, no);
    }
}

/// Where an envelope lies: topic, author, number, each in the node's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) local: u32,
    pub(crate) author: u32,
    pub(crate) number: u32,
}

impl Spot {
    /// From the key of a header or body.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        Some(Self {
            local: u32_at(key, 0)?,
            author: u32_at(key, 4)?,
            number: narrow(u64_at(key, 8)?),
        })
    }

    /// From the row of an envelope's id.
    pub(crate) fn by_id(local: u32, row: &[u8]) -> Option<Self> {
        Some(Self {
            local,
            author: u32_at(row, 0)?,
            number: narrow(u64_at(row, 4)?),
        })
    }

    /// The keys of everything with this number: from, to.
    pub(crate) fn range(self) -> (Vec<u8>, Vec<u8>) {
        let key = |number: u64| {
            let (local, author) = (self.local.to_be_bytes(), self.author.to_be_bytes());
            [&local[..], &author, &number.to_be_bytes()].concat()
        };
        let number = u64::from(self.number);
        (key(number), key(number + 1))
    }
}

/// Numbers of envelopes fit, in any world that ends.
pub(crate) fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The header in the row of an envelope.
pub(crate) fn header_of(row: &[u8]) -> Option<Header> {
    wire::decode_header(row.get(72..)?).ok()
}

/// What is durable at one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mirror {
    /// By the node's own numbers.
    pub(crate) topics: BTreeMap<u32, Topic>,
    by_id: BTreeMap<TopicId, u32>,
    /// The newest mail in the inbox, and up to which they are confirmed.
    pub(crate) inbox_last: u64,
    pub(crate) inbox_confirmed: u64,
    /// The beginnings of the names of all mails that ever were in the inbox.
    pub(crate) received: BTreeSet<u64>,
    /// Mails of clients that are known, and whose they are.
    pub(crate) marks: BTreeMap<EnvelopeId, [u8; 32]>,
    /// Authors of a topic whose own row comes after theirs: local number, number, key.
    early: Vec<(u32, u32, u64)>,
    /// Whether it is what is on the disk.
    current: bool,
}

impl Mirror {
    pub(crate) fn topic(&mut self, id: &TopicId) -> Option<(u32, &mut Topic)> {
        let local = *self.by_id.get(id)?;
        self.topics.get_mut(&local).map(|topic| (local, topic))
    }

    pub(crate) fn has_topic(&self, id: &TopicId) -> bool {
        self.by_id.contains_key(id)
    }

    /// The disk is another than before: what is known of it is nothing.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads the whole disk if it is not known.
    pub(crate) fn load(&mut self, disk: &dyn Base, facts: &Facts) {
        if self.current {
            return;
        }
        self.current = true;
        for table in [
            LACE,
            HEADER,
            BODY,
            ID,
            topic::rows::TOPIC,
            INBOX,
            COUNTS,
            MAIL_MARKS,
        ] {
            let (mut from, to) = (vec![0], [u8::MAX; 80]);
            while let Ok(page) = disk.scan(table, (&from, &to), PAGE, false) {
                let Some((last, _)) = page.last() else { break };
                from.clone_from(last);
                from.push(0);
                for (key, row) in &page {
                    self.put(table, key, row, facts);
                }
            }
        }
    }

    /// A row that is there from now on.
    pub(crate) fn put(&mut self, table: Table, key: &[u8], row: &[u8], facts: &Facts) {
        let known = match table.id() {
            40 => self.put_lace(key, row),
            41 => self.put_header(key),
            42 => self.put_body(key),
            43 => self.put_id(key, facts),
            60 => self.put_topic(key, row),
            91 => self.put_mail(row),
            94 => self.put_counts(key, row),
            108 => part(key, 32).zip(part(key, 0)).map(|(id, client)| {
                self.marks.insert(EnvelopeId::from_bytes(id), client);
            }),
            _ => None,
        };
        // What is not as expected belongs to a row of another kind in the same table.
        let _ = known;
    }

    fn put_lace(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        let local = u32_at(key, 0)?;
        match key.get(4)? {
            b'g' => {
                let id = Genesis::decode(row.get(1..)?).ok()?.topic_id();
                let topic = self.topics.entry(local).or_insert_with(|| Topic::new(id));
                self.by_id.insert(id, local);
                for (of, no, key) in self.early.drain(..) {
                    if of == local {
                        topic.name_author(no, key);
                    }
                }
            }
            b'a' => match self.topics.get_mut(&local) {
                Some(topic) => topic.name_author(u32_at(key, 5)?, short(row)),
                None => self.early.push((local, u32_at(key, 5)?, short(row))),
            },
            b'x' => self.topics.get_mut(&local)?.going = true,
            _ => {}
        }
        Some(())
    }

    /// Whoever knows that its body is there already says so himself.
    fn put_header(&mut self, key: &[u8]) -> Option<()> {
        let spot = Spot::of(key)?;
        let topic = self.topics.get_mut(&spot.local)?;
        let author = topic.author(spot.author);
        author.top = author.top.max(spot.number);
        topic
            .lacking
            .insert((spot.author, spot.number, u32_at(key, BRANCH_AT)?));
        Some(())
    }

    fn put_body(&mut self, key: &[u8]) -> Option<()> {
        let spot = Spot::of(key)?;
        let topic = self.topics.get_mut(&spot.local)?;
        topic
            .lacking
            .remove(&(spot.author, spot.number, u32_at(key, BRANCH_AT)?));
        Some(())
    }

    fn put_id(&mut self, key: &[u8], facts: &Facts) -> Option<()> {
        let topic = self.topics.get_mut(&u32_at(key, 0)?)?;
        let known = facts.envelope(&EnvelopeId::from_bytes(part(key, 4)?))?;
        topic.have.add(known.serial);
        Some(())
    }

    fn put_topic(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        let topic = self.topics.get_mut(&u32_at(key, 0)?)?;
        topic.next_line = u64_at(row, 43)?;
        Some(())
    }

    fn put_mail(&mut self, row: &[u8]) -> Option<()> {
        let mut walk = Walk(row);
        walk.list()?;
        self.received.insert(short(walk.bytes()?));
        Some(())
    }

    fn put_counts(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        (key == b"only").then_some(())?;
        let mut walk = Walk(row);
        walk.list()?;
        walk.skip()?;
        (self.inbox_last, self.inbox_confirmed) = (walk.uint()?, walk.uint()?);
        Some(())
    }

    /// A topic's last row has gone.
    pub(crate) fn forgotten(&mut self, local: u32) {
        if let Some(topic) = self.topics.remove(&local) {
            self.by_id.remove(&topic.id);
        }
    }
}

/// Whether some envelope with this number is here with its body, or needs none: it is control, or its
/// time is over. Nothing when there is no such envelope.
pub(crate) fn is_whole(disk: &dyn Base, spot: Spot, wall: WallTime) -> Option<bool> {
    let (from, to) = spot.range();
    let headers = disk.scan(HEADER, (&from, &to), PAGE, false).ok()?;
    let whole = headers.iter().any(|(key, row)| {
        let Some(header) = header_of(row) else {
            return false;
        };
        header.body_len == 0
            || (header.class == Class::Content && is_over(wall, header.expires))
            || matches!(disk.get(BODY, key), Ok(Some(_)))
    });
    (!headers.is_empty()).then_some(whole)
}

/// Where an envelope of a topic lies on a disk.
pub(crate) fn find(disk: &dyn Base, local: u32, id: &EnvelopeId) -> Option<Spot> {
    let key = [&local.to_be_bytes()[..], id.as_bytes()].concat();
    Spot::by_id(local, &disk.get(ID, &key).ok()??)
}

/// Whether there is evidence on a disk that an author has contradicted itself: what it wrote may be
/// void.
pub(crate) fn is_forked(disk: &dyn Base, local: u32, author: &PublicKey) -> bool {
    let key = [&local.to_be_bytes()[..], b"e", author.as_bytes()].concat();
    matches!(disk.get(LACE, &key), Ok(Some(_)))
}
