//! Reasons as numbers; those that this version does not know are kept.

use core::fmt;

/// Why something was refused or ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// A short name, for people and `--json`.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => $text,)*
                    _ => "other",
                }
            }
        }
    };
}

codes! {
    /// The node is going down or the link is no longer wanted.
    CLOSING = 0, "closing";
    /// No common version.
    VERSION = 1, "version";
    /// The peer sent bytes that are no frame.
    MALFORMED = 2, "malformed";
    /// The peer broke a rule that it could have known.
    MISBEHAVED = 3, "misbehaved";
    /// The sender of this does not know the peer and takes no strangers.
    STRANGER = 4, "stranger";
    /// Too much at once; come again at the time given.
    RATE = 5, "rate";
    /// The quota is used up.
    QUOTA = 6, "quota";
    /// The disk is full.
    FULL = 7, "full";
    /// The operator has refused this node.
    DENIED = 8, "denied";
    /// The invite is unknown, used up or over.
    INVITE = 9, "invite";
    /// The sender of this is no core node, or does not serve this.
    NOT_SERVED = 10, "not-served";
    /// The grant is unknown here.
    GRANT = 11, "grant";
    /// Too large for what this node takes.
    TOO_LARGE = 12, "too-large";
    /// It has expired.
    EXPIRED = 13, "expired";
    /// Its lifespan is longer than this node holds.
    TOO_LONG = 14, "too-long";
    /// The rules of the topic do not admit it.
    INADMISSIBLE = 15, "inadmissible";
    /// Its past is missing here.
    MISSING_PAST = 16, "missing-past";
    /// The recipient is not known here.
    NO_RECIPIENT = 17, "no-recipient";
    /// It needs a version that this node does not have.
    NEEDS_VERSION = 18, "needs-version";
    /// A second link between the same nodes took its place.
    DUPLICATE_LINK = 19, "duplicate-link";
    /// Too many links or topics.
    TOO_MANY = 20, "too-many";
    /// It is sealed to a key that the recipient does not have, or no longer.
    SEALING_KEY = 21, "sealing-key";
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
