//! The rules of admission, one variant each, beyond those that decoding and checking keep already.

use thiserror::Error;

/// A rule that an envelope breaks. Each is a function of the envelope and its causal past, so it
/// is broken at every replica and for ever; whoever offered the envelope together with its past
/// could have known. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
pub enum Rule {
    /// It is addressed to something else.
    #[error("it is addressed to something else than this topic")]
    Destination,
    /// Live envelopes have no place in the graph.
    #[error("envelopes of class live have no place in the graph")]
    Class,
    /// `previous` is not the author's envelope with the number before.
    #[error("its previous envelope is not the author's with the number before")]
    Previous,
    /// `deps` name `previous`.
    #[error("its deps repeat its previous envelope")]
    Deps,
    /// The generation is not one more than the highest among previous and deps.
    #[error("its generation is not one more than the highest of what it names")]
    Generation,
    /// It claims to be older than the author's previous envelope.
    #[error("it claims to be older than its previous envelope")]
    Created,
    /// The grant differs from that of the previous envelope.
    #[error("its grant is not that of its chain")]
    Grant,
    /// Envelope number 1 must be control.
    #[error("the first envelope of an author must be of class control")]
    FirstClass,
    /// Envelope number 1 must begin with a certificate, and no other item may be one.
    #[error("a certificate must be the first item of an author's first envelope and nowhere else")]
    Certificate,
    /// The incarnation's index is above 16 and the weeks since the grant began.
    #[error("the device has more incarnations than weeks have passed")]
    Index,
    /// The founder's device needs no claim; everybody else must claim in the second item of
    /// envelope number 1, and nowhere else.
    #[error("a claim must be the second item of a guest's first envelope and nowhere else")]
    Claim,
    /// The claim names another device or grant than certificate and header.
    #[error("the claim is for another device or grant")]
    ClaimFor,
    /// None of the deps carries the invite that is claimed.
    #[error("its deps do not name the invite that it claims")]
    NoInvite,
    /// The claim is signed by another key than the invite's.
    #[error("the claim is not signed by the key of the invite")]
    ClaimKey,
    /// It claims an invite after the invite's end.
    #[error("it claims an invite that was over")]
    InviteOver,
    /// Only the founder's device may write this item.
    #[error("only the founder's device may write such an item")]
    FounderOnly,
    /// An item is of a kind, or says something, that the rules do not speak of yet.
    #[error("an item says what the rules of this version do not speak of")]
    Unknown,
}
