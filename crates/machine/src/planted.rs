//! Known defects, to show that a simulator finds them.
//!
//! A checker that was never seen to fail proves nothing. Each [`Bug`] is a slip that a programmer
//! could make in a line or two, at the place where the real rule is decided. Without the feature
//! `planted` there is no switch and no state: [`is`] is constantly false, and the optimiser removes
//! every place that asks. With it, `plant` makes one of them true for all nodes whose turns run on
//! the same thread; a world that runs its nodes on several threads plants on each of them. Nothing
//! that other threads do for a node, such as checking signatures, asks.
//!
//! Of each bug is said what it breaks, **where** it is planted, **when** it bites, and what then
//! **shows**. Two of them can keep nodes busy without end in simulated time (`sync-off-by-one`,
//! `expiry-deletes-header`): a run needs a limit of events, and to reach it is a finding.

/// A known defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Acknowledge before the commit.
    ///
    /// **Where:** `Kernel::release` waits for nothing.
    /// **When:** a commit takes time, and the node crashes or the commit fails meanwhile.
    /// **Shows:** frames and replies leave although the batch of their turn is not durable; after
    /// the crash a receipt, or a reply `Sent`, stands for what is on no disk; a number of a chain
    /// is used twice, which closes an honest author.
    EarlyRelease,
    /// Answer a duplicate before the first copy is committed.
    ///
    /// **Where:** `Kernel::sort` and `Kernel::release`: what a turn puts out that staged nothing
    /// leaves at once, though earlier turns are in flight.
    /// **When:** as above; a turn that only answers (to a copy of a mail, to a want, to a reader)
    /// comes while a batch is in flight.
    /// **Shows:** as above, for less. A mail receipt is always signed in a turn that stages
    /// nothing, so it leaves before the mail is durable.
    DuplicateEarly,
    /// Forget one dependency of an envelope.
    ///
    /// **Where:** `Lace::parents` overlooks the last dep if it is missing, and the rule of
    /// generations lets that pass.
    /// **When:** an envelope comes before what it names: unequal latencies, partial links.
    /// **Shows:** an admitted envelope whose dep is not on the disk; lines in another order than
    /// that of the dependencies. Whoever compares orders must take from all disks together what
    /// names what. The first envelope of somebody who joins, before its invite, is refused as
    /// inadmissible and comes again.
    ForgetDependency,
    /// Lose a timer after a restart.
    ///
    /// **Where:** `router::mail::Mail::load` takes up nothing: no lane and no dial for mail that
    /// waits.
    /// **When:** a node stops or crashes while it has unicast mail in its queue, and sends nothing
    /// else to that recipient later.
    /// **Shows:** mail that was accepted never arrives although both are up and linked: a row in
    /// `router_queue_order` for ever. `Status` says that nothing waits.
    LostTimer,
    /// Deliver again after a restart.
    ///
    /// **Where:** `Topic::load` steps one back in what has been delivered, and `Topic::show` does
    /// not look whether it has been shown.
    /// **When:** any restart, and any return of an idle topic into memory, after content.
    /// **Shows:** the last message once more, under a new line number: two rows of `topic.line`
    /// with the same envelope and index.
    DeliverAgain,
    /// Off by one in sync.
    ///
    /// **Where:** `Lace::compare_author` wants a chain up to one before the peer's last.
    /// **When:** somebody was away, or a link was down, while others wrote.
    /// **Shows:** the newest envelope of a chain is never fetched by whoever missed its push:
    /// replicas differ for ever, until its author writes again.
    SyncOffByOne,
    /// A quota that evicts what was promised.
    ///
    /// **Where:** `Topic::welcome` answers a refusal for want of quota by dropping the body that
    /// expires first, and takes the new one.
    /// **When:** a core node with a small quota: one author among guests has an eighth of a topic's
    /// share, which is a quarter of the quota (32 KiB of the least quota, 1 MiB).
    /// **Shows:** a body that a `held` receipt covers is gone before its time; nobody is ever
    /// refused; more is stored than was reserved.
    EvictPromised,
    /// Expiry that deletes the header too.
    ///
    /// **Where:** `Lace::expire`.
    /// **When:** content expires by a confirmed clock. Expiry goes by whole hours: the world must
    /// last an hour or two beyond it.
    /// **Shows:** a row of `lace.id` or `lace.order` without its `lace.header`; a receipt covers
    /// what is not there; whoever joins later never gets the rest of that chain, and asks for ever.
    ExpiryDeletesHeader,
    /// A restored backup goes on publishing under its old author key.
    ///
    /// **Where:** `Keychain::open` ignores that the home is stale, and `Topic::take` does not
    /// notice that somebody has newer envelopes of its own.
    /// **When:** a home is set back or copied, noticed or not, and writes; before it has synced for
    /// a fork, at any time for the first of the two signs.
    /// **Shows:** after a start that was noticed as stale an envelope of an author key from before;
    /// a fork closes an author whose home was set back noticeably.
    OldKeyAfterRestore,
    /// Remember a good id as bad.
    ///
    /// **Where:** `Topic::is_worth_checking` remembers the id of what fails its check (signature,
    /// or body against hash), and takes nothing with that id again in this life.
    /// **When:** a liar passes on a good header with another signature or body before the good copy
    /// comes (bad signatures, poisoned ids, garbled frames).
    /// **Shows:** the victim lacks that envelope and all that follow it, though honest neighbours
    /// have them, until it restarts.
    GoodIdBad,
    /// A queue that leaks.
    ///
    /// **Where:** `Router::finish` leaves payload and sealed envelope of a mail behind.
    /// **When:** any reliable mail has come to its end.
    /// **Shows:** nothing but growth: rows in `router_queue_payloads` and `router_queue_sealed`
    /// whose mail has no row in `router_queue_order`. When all is delivered, all three are empty.
    LeakingQueue,
    /// A clock that nobody confirmed deletes.
    ///
    /// **Where:** `router::clock::Clock::confirmed` is always true.
    /// **When:** a node that does not trust its clock has one that is ahead.
    /// **Shows:** it removes bodies, mails and promises before they expire by the right time, and
    /// signs headers with a wrong time as confirmed.
    ClockDeletes,
    /// Name, forward or acknowledge what is only parked.
    ///
    /// **Where:** `Topic::coverage`: a receipt goes up to the newest parked envelope of each
    /// author, and is issued as soon as one is parked.
    /// **When:** an envelope comes before its past, of an author of whom something is here.
    /// **Shows:** a `delivered` or `held` receipt that leaves a node, with an entry that is not on
    /// that node's disk.
    ParkedAcknowledged,
    /// Publishing acknowledges through a dependency of a dependency.
    ///
    /// **Where:** `Topic::note_acknowledged` goes one step further.
    /// **When:** A writes, B names it, C names B's.
    /// **Shows:** a row of `topic.ack` at A (its envelope, the device of C) although no envelope of
    /// C's there names A's: `delivered` without evidence, and untrue where C lacks the body
    /// (withheld, refused, expired).
    SecondLevelAck,
    /// A live envelope acknowledges.
    ///
    /// Topics have no live envelopes yet; this is the unicast side of the rule.
    /// **Where:** `Router::mail_checked`: what is of the class live is acknowledged as if it were
    /// kept.
    /// **When:** any best-effort mail or echo arrives.
    /// **Shows:** a mail receipt that lists the id of an envelope whose header has the class live;
    /// for an echo it says `delivered` of what is on no disk.
    LiveAcknowledges,
    /// A unicast number is used again after a home was set back.
    ///
    /// **Where:** `router::mail::Mail::number` counts up from a row in the store (`router_counts`
    /// under the recipient's id) and not from what is drawn at every start.
    /// **When:** a home has sent mail, is set back, and sends to the same recipient.
    /// **Shows:** the new mail is acknowledged and never shown, because its number was delivered
    /// before; two envelopes of one source with one number.
    NumberReused,
    /// A guest fills the quota.
    ///
    /// **Where:** `custody::promises::check_guest` looks at the account's bounds alone.
    /// **When:** small quotas; guests of a client's topic send more than half of the topic's share,
    /// one author more than an eighth.
    /// **Shows:** bytes reserved for guests above `Quota::guests`, or above half of the share; what
    /// the client itself deposits is refused.
    GuestFillsQuota,
    /// Cuts are compared by number alone.
    ///
    /// **Where:** `Lace::has`.
    /// **When:** forks: liars, clones, homes set back without anybody noticing, with the branches
    /// on two sides of a partition.
    /// **Shows:** replicas that differ in one author's branches count as equal and stay different;
    /// receipts for the other branch count as evidence.
    CutsByNumber,
    /// A stranger is served a topic.
    ///
    /// **Where:** `Inner::opened` takes whoever has a link as one that has proved every topic, and
    /// `Inner::on_topic_frame` asks for no proof.
    /// **When:** any link between a node that has a topic and one that has not, for mail or at a
    /// core node.
    /// **Shows:** frames of a topic, its id and hashes in them, to a node that neither takes part
    /// nor was asked to hold it; whoever answers gets everything.
    StrangerServed,
    /// An author without a grant is admitted.
    ///
    /// **Where:** `Lace::first` does not look for the invite.
    /// **When:** somebody makes up a claim: no honest program does, so a world needs a liar who
    /// publishes under a device and an invite of its own making.
    /// **Shows:** an author in the graph whose claim no invite in the graph covers.
    OutsiderPublished,
    /// Forget at a start what was told.
    ///
    /// **Where:** `Inner::told_cores` does not look at what clients have told a core node of others
    /// that hold a topic.
    /// **When:** core nodes of one topic start again while all their clients are away, and one of
    /// them has what another lacks.
    /// **Shows:** they do not look for one another: what one of them has does not come to the others
    /// until a client is back who tells them again.
    ForgetTold,
    /// Messages are sealed under an epoch whose secret somebody has who was removed.
    ///
    /// **Where:** `KeyRing::newest_clean` takes the newest.
    /// **When:** somebody loses the right to read, and others write on.
    /// **Shows:** a message in whose past its reader was removed opens with a secret that this one has.
    UncleanEpoch,
    /// What is written after a revocation counts.
    ///
    /// **Where:** `lace::bound::Target::status` passes over the cuts of revocations and closes.
    /// **When:** somebody who has not heard of a revocation takes what the revoked one writes, and
    /// hears of it then.
    /// **Shows:** an envelope that the world heard of after the revocation, and that this does not
    /// have in its past, is effective where both are.
    RevocationIgnored,
    /// A cut is compared with an author's envelopes by number alone.
    ///
    /// **Where:** `lace::bound::covers`.
    /// **When:** a revoked author has forked below its cut: whoever stole its key goes back on the
    /// chain and writes on from there.
    /// **Shows:** the branch that the cut does not name is effective as far as the cut's number.
    RevokedByNumber,
    /// A holder may take its own grant back as if it had never been.
    ///
    /// **Where:** `rights::law::take::revocation` lets a holder's own cut leave what it likes.
    /// **When:** a thief takes back the grant of the key that it stole, from nothing on: what its
    /// owner ever wrote would go with it.
    /// **Shows:** a revocation by the holder itself is admitted that a sound law refuses.
    SelfRevokedAtZero,
    /// Say that a file is held when its envelope is.
    ///
    /// **Where:** `Inner::blocks_named`: the envelope counts as whole whatever is here of its blocks.
    /// **When:** somebody shares a file in a topic that a core node holds.
    /// **Shows:** a receipt `held` leaves before the blocks are on the core node's disk.
    HeldWithoutBlocks,
    /// Take blocks as they come.
    ///
    /// **Where:** `Fetch::take` does not hold a block against the page that lists it.
    /// **When:** somebody gives other bytes than it was asked for.
    /// **Shows:** a core node says that it holds a content that is not as its manifest says; who fetches the
    /// file never gets it.
    BlocksUnchecked,
    /// Remove the blocks of a file that is shared twice with the first of the two.
    ///
    /// **Where:** `Swap::end_use` does not look whether another envelope names the same blocks.
    /// **When:** two have shared the same file in a topic, and one of them expires.
    /// **Shows:** a core node removes blocks that it has promised to hold.
    BlocksGoWithFirst,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::EarlyRelease,
        Self::DuplicateEarly,
        Self::ForgetDependency,
        Self::LostTimer,
        Self::DeliverAgain,
        Self::SyncOffByOne,
        Self::EvictPromised,
        Self::ExpiryDeletesHeader,
        Self::OldKeyAfterRestore,
        Self::GoodIdBad,
        Self::LeakingQueue,
        Self::ClockDeletes,
        Self::ParkedAcknowledged,
        Self::SecondLevelAck,
        Self::LiveAcknowledges,
        Self::NumberReused,
        Self::GuestFillsQuota,
        Self::CutsByNumber,
        Self::StrangerServed,
        Self::OutsiderPublished,
        Self::ForgetTold,
        Self::UncleanEpoch,
        Self::RevocationIgnored,
        Self::RevokedByNumber,
        Self::SelfRevokedAtZero,
        Self::HeldWithoutBlocks,
        Self::BlocksUnchecked,
        Self::BlocksGoWithFirst,
    ];

    /// Its name in commands and reports; it does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EarlyRelease => "early-release",
            Self::DuplicateEarly => "duplicate-early",
            Self::ForgetDependency => "forget-dependency",
            Self::LostTimer => "lost-timer",
            Self::DeliverAgain => "deliver-again",
            Self::SyncOffByOne => "sync-off-by-one",
            Self::EvictPromised => "evict-promised",
            Self::ExpiryDeletesHeader => "expiry-deletes-header",
            Self::OldKeyAfterRestore => "old-key-after-restore",
            Self::GoodIdBad => "good-id-bad",
            Self::LeakingQueue => "leaking-queue",
            Self::ClockDeletes => "clock-deletes",
            Self::ParkedAcknowledged => "parked-acknowledged",
            Self::SecondLevelAck => "second-level-ack",
            Self::LiveAcknowledges => "live-acknowledges",
            Self::NumberReused => "number-reused",
            Self::GuestFillsQuota => "guest-fills-quota",
            Self::CutsByNumber => "cuts-by-number",
            Self::StrangerServed => "stranger-served",
            Self::OutsiderPublished => "outsider-published",
            Self::ForgetTold => "forget-told",
            Self::UncleanEpoch => "unclean-epoch",
            Self::RevocationIgnored => "revocation-ignored",
            Self::RevokedByNumber => "revoked-by-number",
            Self::SelfRevokedAtZero => "self-revoked-at-zero",
            Self::HeldWithoutBlocks => "held-without-blocks",
            Self::BlocksUnchecked => "blocks-unchecked",
            Self::BlocksGoWithFirst => "blocks-go-with-first",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a defect in all nodes that run on this thread from now on, or takes it out.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Which defect is planted on this thread.
#[cfg(feature = "planted")]
#[must_use]
pub fn planted() -> Option<Bug> {
    PLANTED.get()
}

/// Whether this defect is planted on this thread.
#[cfg(feature = "planted")]
#[inline]
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this defect is planted. Never: this program was built without the feature `planted`.
#[cfg(not(feature = "planted"))]
#[inline]
#[must_use]
pub const fn is(_bug: Bug) -> bool {
    false
}

/// What only a planted defect remembers. Without the feature it has no size and remembers nothing.
#[derive(Debug, Default)]
pub struct Memory(#[cfg(feature = "planted")] std::collections::BTreeSet<[u8; 32]>);

#[cfg(feature = "planted")]
impl Memory {
    /// Remembers an id.
    pub fn note(&mut self, id: &[u8; 32]) {
        self.0.insert(*id);
    }

    /// Whether it is remembered.
    #[must_use]
    pub fn has(&self, id: &[u8; 32]) -> bool {
        self.0.contains(id)
    }
}

#[cfg(not(feature = "planted"))]
impl Memory {
    /// Remembers nothing.
    pub const fn note(&mut self, _id: &[u8; 32]) {}

    /// Whether it is remembered: never.
    #[must_use]
    pub const fn has(&self, _id: &[u8; 32]) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Bug;

    #[test]
    fn names_are_unique_and_come_back() {
        for (place, bug) in Bug::ALL.into_iter().enumerate() {
            assert_eq!(bug as usize, place);
            assert_eq!(Bug::from_name(bug.name()), Some(bug));
        }
        assert_eq!(Bug::from_name("Early-Release"), None);
    }

    #[cfg(feature = "planted")]
    #[test]
    fn one_thread_alone_has_the_defect() {
        super::plant(Some(Bug::CutsByNumber));
        assert!(super::is(Bug::CutsByNumber) && !super::is(Bug::LostTimer));
        let other = std::thread::scope(|scope| scope.spawn(super::planted).join());
        assert_eq!(other.ok().flatten(), None);
        super::plant(None);
        assert!(Bug::ALL.into_iter().all(|bug| !super::is(bug)));
    }

    #[cfg(not(feature = "planted"))]
    #[test]
    fn without_the_feature_there_is_none() {
        assert!(Bug::ALL.into_iter().all(|bug| !super::is(bug)));
    }
}
