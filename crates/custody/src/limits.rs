//! Every bound of this crate and what happens when it is reached.

use core::time::Duration;

/// Bytes that a client may have held when the operator named no other figure.
pub const DEFAULT_QUOTA: u64 = 1 << 30;

/// Topics that a client may have held when the operator named no other figure. The next is refused.
pub const DEFAULT_TOPICS: u32 = 1024;

/// Guests that may be linked at once on one client's account when the operator named no other
/// figure. The next is refused with a time after which to try again.
pub const DEFAULT_LINKS: u32 = 64;

/// How long a core node promises to hold when the operator named no other time.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest hold that an operator may set; a longer one is cut to it. The longest lifespan of an
/// envelope.
pub const MAX_HOLD: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longest that a mailbox holds a unicast envelope.
pub const MAIL_HOLD: Duration = Duration::from_secs(7 * 24 * 3600);

/// Free bytes on the disk below which new custody is refused.
pub const DEFAULT_FREE_FLOOR: u64 = 512 << 20;

/// Smallest quota an operator may give; a smaller one is refused as a mistake.
pub const MIN_QUOTA: u64 = 1 << 20;

/// Operator's invites that may be open at once. The next is refused until one is used up, revoked
/// or over.
pub const MAX_INVITES: usize = 4096;

/// Uses of one operator's invite.
pub const MAX_USES: u32 = 10_000;

/// Clients of one core node. The next claim is refused.
pub const MAX_CLIENTS: usize = 16_384;

/// Secrets of one topic that a client gave in turn by which a core node goes on knowing members; the oldest
/// is forgotten. As many as members keep to know one another by.
pub const MAX_CORE_SECRETS: usize = 8;

/// Clients on whose account one topic is held; what the next asks for is refused.
pub const MAX_SPONSORS: usize = 64;

/// Guest authors of one topic on one client's account. What the next deposits is refused.
pub const MAX_GUEST_AUTHORS: u32 = 16_384;

/// Longest genesis that is taken with an agreement.
pub const MAX_GENESIS: usize = 4096;

/// Other core nodes that one client may name for one topic; the rest of the list is refused with it.
pub const MAX_CORE_PEERS: usize = 16;

/// Longest address of another core node, in bytes.
pub const MAX_ADDRESS: usize = 384;

/// Longest ticket, in bytes.
pub const MAX_TICKET: usize = 1024;

/// Bytes of every invite box, and of every answer to a question for one.
pub const BOX_LEN: usize = 2048;

/// Boxes of one client. The next is refused.
pub const MAX_BOXES: usize = 64;

/// Questions for a box that one peer may ask in [`ASK_WINDOW`]; the next waits.
pub const ASKS: u32 = 4;

/// See [`ASKS`].
pub const ASK_WINDOW: Duration = Duration::from_secs(60);

/// Peers whose questions are counted at once. When full, the next peer waits a window.
pub const MAX_ASKERS: usize = 4096;

/// Mails in one mailbox, whatever their size. The next is refused.
pub const MAX_MAILS: u64 = 10_000;

/// Mails handed over before their receipts are awaited.
pub const HAND_OVER_MAILS: usize = 32;

/// Bytes handed over before receipts are awaited.
pub const HAND_OVER_BYTES: usize = 512 * 1024;

/// How long the receipts of mails handed over are awaited before they are handed over again on the
/// same link.
pub const HAND_OVER_PATIENCE: Duration = Duration::from_secs(30);

/// What a row costs beside the mail it holds, charged with it.
pub const MAIL_OVERHEAD: u64 = 256;

/// Promises over which one turn may find ended; the rest follows in the next turn.
pub const RELEASES_PER_TURN: usize = 512;

/// Promises end in steps of this length, never early.
pub const PROMISE_STEP: Duration = Duration::from_secs(3600);

/// How often ended promises are looked for, where anybody is served or invited.
pub const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// After how long somebody who was refused for want of room may ask again.
pub const RETRY_FULL: Duration = Duration::from_secs(600);

/// The same for envelopes of topics, for which the core node asks by itself as soon as it has room.
pub const RETRY_ENVELOPES: Duration = Duration::from_secs(3600);

/// How long after it was told what it uses a client is told again, unless a limit comes near.
pub const USAGE_EVERY: Duration = Duration::from_secs(60);

/// Topics of which a client is told what they use. Those that are nearly full come first, then the
/// largest; of the others it is told nothing.
pub const MAX_USAGE_TOPICS: usize = 16;

/// Topics of one client that are looked at for that. Further ones are not named.
pub const MAX_USAGE_LOOKED_AT: usize = 4096;

/// Clients that one turn tells what they use; the rest follows in the next turn.
pub const REPORTS_PER_TURN: usize = 16;

/// Reports of one core node that are taken in [`USAGE_EVERY`]. An honest one sends one, and one for
/// each limit that comes near; further ones are not heard.
pub const MAX_REPORTS: u32 = 40;

/// Core nodes that one client may use.
pub const MAX_MY_CORES: usize = 16;

/// Topics that a client asks its core nodes to serve.
pub const MAX_MY_TOPICS: usize = 4096;

/// Boxes that a client keeps deposited.
pub const MAX_MY_BOXES: usize = 64;

/// First wait before a core node that refused is asked again; doubles up to [`RETRY_MAX`].
pub const RETRY_FIRST: Duration = Duration::from_secs(10);

/// Longest wait before a core node is asked again.
pub const RETRY_MAX: Duration = Duration::from_secs(3600);
