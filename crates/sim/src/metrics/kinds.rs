//! The kinds of what is counted: of frames, of turns, of nodes.

use crate::plan::Role;

/// The number of a frame that is not about a topic, beyond which no frame has one.
const FRAMES: [&str; 31] = [
    "hello",
    "bye",
    "ping",
    "pong",
    "advert",
    "advert-ask",
    "tags",
    "show",
    "grant-ask",
    "grant-proof",
    "at-core",
    "invite-get",
    "invite-box",
    "box-put",
    "core-claim",
    "core-agreed",
    "core-refused",
    "core-serve",
    "core-serving",
    "core-unserve",
    "core-peers",
    "topic",
    "mail",
    "mail-receipt",
    "refused",
    "identify",
    "claim-put",
    "claim-answer",
    "claim-ask",
    "core-usage",
    "pair",
];

/// The frames about a topic, by their own numbers.
const TOPIC_FRAMES: [&str; 27] = [
    "topic-hello",
    "topic-cut",
    "topic-want",
    "topic-envelopes",
    "topic-body-want",
    "topic-bodies",
    "topic-receipts",
    "topic-evidence",
    "topic-box",
    "topic-genesis-ask",
    "topic-genesis",
    "topic-refused",
    "topic-slots",
    "topic-differences",
    "topic-receipt-ask",
    "topic-keys-ask",
    "topic-keys",
    "topic-claim",
    "topic-answer",
    "topic-reserved-19",
    "topic-proposal",
    "topic-blocks-ask",
    "topic-blocks-here",
    "topic-block-want",
    "topic-blocks",
    "topic-meet",
    "topic-met",
];

/// Where the numbers of frames about a topic begin.
const TOPIC_BASE: u8 = 32;
/// The number of what is no frame.
const UNKNOWN: u8 = TOPIC_BASE + TOPIC_FRAMES.len() as u8;
/// How many kinds of frames are told apart.
pub(crate) const KINDS: usize = UNKNOWN as usize + 1;

/// The kind of an encoded frame, from a look at its first bytes alone: the number of its type; for
/// a frame about a topic 32 and the number of that type; the last of all for what is no frame.
#[must_use]
pub fn frame_kind(frame: &[u8]) -> u8 {
    // What every encoder writes: an array of two, the number, and then for a topic a map of two
    // with 32 bytes under 0 and again an array of two, beginning with a number, under 1.
    match frame {
        [0x82, 21, 0xa2, 0x00, 0x58, 0x20, rest @ ..] => match rest.get(32..) {
            // As CBOR writes numbers: from 24 on in a byte more.
            Some([0x01, 0x82, kind @ 0..24, ..] | [0x01, 0x82, 0x18, kind @ 24..=255, ..])
                if usize::from(*kind) < TOPIC_FRAMES.len() =>
            {
                TOPIC_BASE + kind
            }
            _ => UNKNOWN,
        },
        [0x82, kind @ 0..=20, ..] | [0x82, kind @ 22..=23, ..] => *kind,
        [0x82, 0x18, kind @ 24..=30, ..] => *kind,
        _ => UNKNOWN,
    }
}

/// The name of a kind of frames.
#[must_use]
pub fn frame_name(kind: u8) -> &'static str {
    let topic = kind.checked_sub(TOPIC_BASE);
    let topic = topic.and_then(|kind| TOPIC_FRAMES.get(usize::from(kind)));
    let name = topic.or_else(|| FRAMES.get(usize::from(kind)));
    name.copied().unwrap_or("no-frame")
}

/// Where a kind is counted.
pub(crate) fn frame_slot(kind: u8) -> usize {
    usize::from(kind.min(UNKNOWN))
}

/// What a turn of a node began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TurnKind {
    /// A frame came.
    Frame,
    /// A link takes more.
    Writable,
    /// A time was reached.
    Deadline,
    /// Signatures were checked.
    Checked,
    /// A person or program asked for something.
    Command,
    /// A link came up or ended, or a dial failed.
    Link,
    /// Anything else: a commit is durable, a content effect is complete, a life begins.
    Other,
}

impl TurnKind {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Frame,
        Self::Writable,
        Self::Deadline,
        Self::Checked,
        Self::Command,
        Self::Link,
        Self::Other,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Writable => "writable",
            Self::Deadline => "deadline",
            Self::Checked => "checked",
            Self::Command => "command",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

/// Both classes of nodes, in the order in which they are counted.
pub(crate) const ROLES: [Role; 2] = [Role::Person, Role::Core];

/// Where a class of nodes is counted.
pub(crate) const fn role_slot(role: Role) -> usize {
    match role {
        Role::Person => 0,
        Role::Core => 1,
    }
}

/// The name of a class of nodes.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Person => "person",
        Role::Core => "core",
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS, frame_kind, frame_name, frame_slot};
    use identity::TopicId;
    use wire::frame::Subject;
    use wire::{Code, Frame, TopicFrame};

    fn about(frame: TopicFrame) -> Vec<u8> {
        let topic = TopicId::from_bytes([7; 32]);
        Frame::Topic { topic, frame }.encode()
    }

    #[test]
    fn frames_are_known_by_their_first_bytes() {
        let plain = [
            (Frame::Ping { nonce: 5 }, "ping"),
            (Frame::AdvertAsk, "advert-ask"),
            (
                Frame::Refused {
                    subject: Subject::Link,
                    code: Code::RATE,
                    text: "too much".into(),
                    retry: 9,
                },
                "refused",
            ),
            (
                Frame::CoreUsage {
                    quota: 9,
                    used: 1,
                    headers: 2,
                    header_quota: 3,
                    topics: Vec::new(),
                },
                "core-usage",
            ),
        ];
        for (frame, name) in plain {
            assert_eq!(frame_kind(&frame.encode()), frame.kind());
            assert_eq!(frame_name(frame.kind()), name);
        }
        let manifest = wire::Manifest {
            root: [1; 32],
            count: 1,
            bytes: 1_024,
        };
        let topic = [
            (TopicFrame::GenesisAsk, "topic-genesis-ask"),
            (TopicFrame::BodyWant { ids: Vec::new() }, "topic-body-want"),
            (
                TopicFrame::Cut {
                    entries: Vec::new(),
                    first: true,
                    last: true,
                },
                "topic-cut",
            ),
            (
                TopicFrame::ReceiptAsk { slots: Vec::new() },
                "topic-receipt-ask",
            ),
            (
                TopicFrame::Blocks {
                    manifest,
                    part: wire::Part::List,
                    bytes: Vec::new(),
                },
                "topic-blocks",
            ),
        ];
        for (frame, name) in topic {
            let own = frame.kind();
            let kind = frame_kind(&about(frame));
            assert_eq!(kind, 32 + own);
            assert_eq!(frame_name(kind), name);
        }
    }

    #[test]
    fn what_is_no_frame_is_counted_too() {
        let mut garbled = about(TopicFrame::GenesisAsk);
        garbled[40] = 99;
        let mut short = about(TopicFrame::GenesisAsk);
        short.truncate(20);
        for bytes in [&garbled[..], &short, &[], &[0x82], &[0x82, 21], &[1, 2, 3]] {
            let kind = frame_kind(bytes);
            assert_eq!(frame_name(kind), "no-frame", "{bytes:?}");
            assert!(frame_slot(kind) < KINDS);
        }
        assert_eq!(frame_slot(255), KINDS - 1);
    }
}
