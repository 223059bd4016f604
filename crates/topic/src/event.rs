//! What goes into topics and what comes out.

use crate::check::{Done, Job};
use crate::host::Local;
use identity::{EnvelopeId, GrantId, NodeId, PublicKey, TopicId};
use wire::TopicFrame;

/// The node's number of a link, unique in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// Who has proved on a link that it takes part in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A device of a member.
    Member {
        /// Its device key in this topic.
        device: PublicKey,
        /// The grant that it showed.
        grant: GrantId,
    },
    /// A core node that serves the topic, by whichever side it was named.
    Core {
        /// Its id.
        node: NodeId,
    },
    /// Somebody who reads a public topic, as anybody may: nothing says that it takes part. It is given
    /// what members are, but for what lets people in; of what it gives that is taken which its authors'
    /// chains prove.
    Reader {
        /// The device that it showed; of a core node that nobody has told of, its key.
        device: PublicKey,
        /// Its node, which TLS has proved.
        node: NodeId,
    },
}

/// What changes topics.
#[derive(Debug)]
pub enum Input {
    /// Both ends of a link have proved that they share the topic.
    Proven {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// Who is at the other end.
        peer: Peer,
    },
    /// A link is no more.
    LinkGone {
        /// The link.
        link: LinkId,
    },
    /// A link can take this much more than it was said to take before, in what frames cost
    /// ([`crate::limits::FRAME_COST`] and their bytes). A new link can take nothing; the first of
    /// these inputs says how much may ever be on its way.
    Writable {
        /// The link.
        link: LinkId,
        /// Bytes more.
        bytes: u64,
    },
    /// A frame about a topic that the link has proved.
    Frame {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The frame.
        frame: TopicFrame,
    },
    /// What became of an [`Output::Check`].
    Checked {
        /// The link that brought it, gone or not.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The results.
        done: Done,
    },
    /// Whether the host's clock may be relied upon to delete.
    Clock {
        /// Confirmed by two peers with grants, a trusted system clock, or the operator.
        confirmed: bool,
    },
}

/// What topics ask of the node.
#[derive(Debug)]
pub enum Output {
    /// A frame for a link. It says something about this node's store: class held.
    Send {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: TopicId,
        /// The frame.
        frame: TopicFrame,
    },
    /// Other authors' verified envelopes, forwarded as they came: class verbatim.
    Forward {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: TopicId,
        /// The envelopes.
        forward: Forward,
    },
    /// Run [`Job::run`] anywhere and bring the result back as [`Input::Checked`]: class advisory.
    Check {
        /// The link that brought it.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// What to check.
        job: Job,
    },
    /// Lines were added; the last has this number.
    Changed {
        /// The topic.
        topic: Local,
        /// The number of the newest line.
        last: u64,
    },
    /// A control envelope was admitted: members, invites, cores or names may be new. Read it from
    /// the lace.
    Control {
        /// The topic.
        topic: Local,
        /// The envelope.
        id: EnvelopeId,
    },
    /// An envelope with blocks was admitted, or its body came late.
    Blocks {
        /// The topic.
        topic: Local,
        /// The envelope.
        id: EnvelopeId,
    },
    /// What became of [`Topics::audit`](crate::Topics::audit). Nothing is said where the link went meanwhile.
    Audited {
        /// Whom it was asked of.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The envelope whose body it was asked for.
        id: EnvelopeId,
        /// What it did.
        found: crate::audits::Found,
    },
    /// The body of an envelope came of which its device has said that its blocks may go.
    Unshared {
        /// The topic.
        topic: Local,
        /// The envelope.
        id: EnvelopeId,
    },
    /// Claims of invites, or answers to them, have come; or whoever may admit may be another.
    Claims {
        /// The topic.
        topic: Local,
    },
    /// A peer proved the topic by a device that takes part no more: its frames are taken no more, and
    /// it is sent none. It may prove the topic again.
    Unproven {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The device.
        device: PublicKey,
    },
    /// The evidence about envelopes of this home has changed.
    Receipts {
        /// The topic.
        topic: Local,
    },
    /// A peer showed a verified envelope of this home's own current author that this home does not
    /// have: the home is an old copy. A new incarnation has to begin before the next publish.
    OwnChainAhead {
        /// The topic.
        topic: Local,
        /// The author.
        author: PublicKey,
        /// The envelope's number.
        number: u64,
    },
    /// Something that a person should know.
    Problem {
        /// The topic.
        topic: Local,
        /// A short word for programs.
        code: &'static str,
        /// A sentence for people.
        text: String,
    },
    /// A peer broke a rule that is a function of the bytes it sent, or wastes this node's work.
    Misbehaved {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The rule.
        rule: Rule,
    },
}

/// Verified envelopes of other authors. Only this crate makes one, from what a lace admitted, so
/// that nothing else can leave before a commit.
#[derive(Debug)]
pub struct Forward(pub(crate) TopicFrame);

impl Forward {
    /// The frame that carries them.
    #[must_use]
    pub fn into_frame(self) -> TopicFrame {
        self.0
    }
}

/// Rules that a peer can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Bytes that do not decode, a wrong hash, or a signature that does not hold.
    BadEnvelope,
    /// Envelopes that no rule of the topic admits, again and again.
    Inadmissible,
    /// Claims to have what it does not give, again and again.
    Hollow,
    /// A body that was not asked for, or is not the one asked for.
    BadBody,
    /// A receipt whose bytes or signature do not hold.
    BadReceipt,
    /// A frame with more than its limit allows.
    TooMuch,
    /// A page of a cut that contradicts itself.
    BadCut,
    /// Evidence that proves nothing.
    BadEvidence,
    /// An invite's box that the device which it names did not sign.
    BadBox,
    /// A claim or an answer that was not signed by whom it names.
    BadClaim,
}
