//! Known defects, to show that a simulator finds them.
//!
//! A checker that was never seen to fail proves nothing. Each [`Bug`] is a slip that a programmer
//! could make in one line, at the place where the real rule is decided. Without the feature
//! `planted` there is no switch and no state: [`is`] is constantly false, and the optimiser removes
//! every place that asks. With it, [`plant`] makes one of them true for all nodes that run on the
//! same thread.

/// A known defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Acknowledge before the commit.
    EarlyRelease,
    /// Answer a duplicate before the first copy is committed.
    DuplicateEarly,
    /// Forget one dependency of an envelope.
    ForgetDependency,
    /// Lose a timer after a restart.
    LostTimer,
    /// Deliver again after a restart.
    DeliverAgain,
    /// Off by one in sync.
    SyncOffByOne,
    /// A quota that evicts what was promised.
    EvictPromised,
    /// Expiry that deletes the header too.
    ExpiryDeletesHeader,
    /// A restored backup goes on publishing under its old author key.
    OldKeyAfterRestore,
    /// Remember a good id as bad.
    GoodIdBad,
    /// A queue that leaks.
    LeakingQueue,
    /// A clock that nobody confirmed deletes.
    ClockDeletes,
    /// Name, forward or acknowledge what is only parked.
    ParkedAcknowledged,
    /// Publishing acknowledges through a dependency of a dependency.
    SecondLevelAck,
    /// A live envelope acknowledges.
    LiveAcknowledges,
    /// A unicast number is used again after a home was set back.
    NumberReused,
    /// A guest fills the quota.
    GuestFillsQuota,
    /// Cuts are compared by number alone.
    CutsByNumber,
    /// A stranger is served a topic.
    StrangerServed,
    /// An author without a grant is admitted.
    OutsiderPublished,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 20] = [
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
