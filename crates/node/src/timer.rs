//! The node's own deadlines; those of its engines are theirs.

use crate::command::RequestId;

/// What happens when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Pending messages are put into envelopes: armed by a send, at once.
    Publish,
    /// A command that waits has waited long enough.
    Wait(RequestId),
    /// Topics are shown again to core nodes that have not answered.
    ShowAgain,
    /// A question by whom a peer may know a topic is to be answered.
    Identify,
    /// Claims of invites are welcomed that nobody else has welcomed meanwhile.
    Welcome,
    /// New topics are listed on every link.
    Rounds,
    /// Members are told new names, addresses and cores.
    Tell,
    /// What members of dropped topics said is removed, a part in each turn.
    Forget,
    /// Links with core nodes that are not one's own may be needed, or needed no longer.
    Cores,
    /// Tickets for core nodes are made anew.
    Tickets,
    /// Boxes that have not been found are asked for again.
    Joins,
    /// Public topics that have not been found are asked for again.
    Seek,
    /// Topics' epochs are looked at: something has changed, one is due, or its boxes are.
    Epochs,
    /// Topics are offered to other devices of the person.
    Pairs,
    /// Grants whose time is over are closed.
    Closes,
    /// The time may have come for what is to be given later.
    Releases,
    /// What the owners of topics have to sign is told again.
    Proposals,
    /// The next content is read through.
    Scrub,
    /// Core nodes that are being left are let go when others hold what they do.
    HandOver,
    /// A core node is asked for something that it says it holds.
    Audit,
}
