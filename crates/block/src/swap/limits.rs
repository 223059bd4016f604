//! Every bound of fetching and serving. Sizes are bytes unless said otherwise.

use core::time::Duration;

/// Contents that are fetched at the same time. Others wait until one is whole, or until nobody is there to
/// give any of these.
pub const MAX_FETCHES: usize = 64;

/// Bytes that a node has asked for, or is writing, at a time, in all contents together: what fetching
/// costs in memory. Beyond, nothing more is asked for until something has been written.
pub const MAX_IN_FLIGHT: usize = 12 << 20;

/// Bytes that one link is asked for at a time: what a link with much delay may carry each way there and
/// back. More is asked for as answers come.
pub const LINK_WINDOW: usize = 2 << 20;

/// Bytes that a link is asked for, beyond which it is asked for no more until some have come: so that it is asked
/// for several parts at a time, and not for one whenever one has come.
pub const ASK_BELOW: usize = LINK_WINDOW / 4 * 3;

/// Pages of a content whose blocks are being fetched at a time, each 32 KiB in memory. Others wait.
pub const MAX_PAGES_AT_WORK: usize = 4;

/// Peers from which one content is fetched at a time. Further ones are asked when one of these has
/// gone.
pub const MAX_SOURCES: usize = 16;

/// Wanted contents looked at in one turn for some that may be fetched.
pub const LOOKED_AT: usize = 256;

/// How often other contents take the place of those that nobody has, where more are wanted than
/// [`MAX_FETCHES`].
pub const LOOK_AROUND: Duration = Duration::from_secs(10);

/// How long a peer may keep silent that was asked for blocks. Afterwards others are asked, and this one not
/// before [`ASK_AGAIN`].
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a peer that did not answer is left alone.
pub const ASK_AGAIN: Duration = Duration::from_secs(60);

/// How long a peer may keep silent that was asked for a part of what it says it holds, before that counts.
pub const CHALLENGE_PATIENCE: Duration = Duration::from_secs(120);

/// How often a peer is asked for a part of what it says it holds, before its silence counts.
pub const CHALLENGE_TRIES: u32 = 4;

/// Contents among which one is drawn that a peer is asked for a part of.
pub const CHALLENGE_LOOKS: usize = 64;

/// How fast a near peer has to give, in bytes a second, for others not to be asked as well.
pub const NEAR_RATE: u64 = 1 << 20;

/// How long it is counted how much a near peer gives.
pub const NEAR_SPELL: Duration = Duration::from_secs(4);

/// How long fetching rests after the disk has failed, or was full.
pub const DISK_RETRY: Duration = Duration::from_secs(30);

/// Parts that a peer may have asked for and not got. What it asks beyond is dropped: an honest one waits.
pub const MAX_OWED: usize = 1_024;

/// Frames with blocks that wait for one link, being read or sent. More are read when these have left.
pub const MAX_FRAMES_OUT: usize = 4;

/// Bytes being read for peers at a time. More are read when these have been put out.
pub const MAX_READ_FOR_PEERS: usize = 8 << 20;

/// Contents of which one link is told what comes. Of others it is told once, when it asks.
pub const MAX_TOLD: usize = 256;

/// How often a peer is told that there is more of a content here.
pub const TELL_EVERY: Duration = Duration::from_millis(500);

/// Envelopes that name one manifest, listed at a time.
pub const MAX_USES: usize = 256;

/// Uses that one turn ends because they have expired. More are ended in the next.
pub const EXPIRED_PER_TURN: usize = 64;

/// How often it is looked for what has expired.
pub const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Contents that one turn removes of a topic that is forgotten. More are removed in the next.
pub const FORGET_PER_TURN: usize = 16;

/// Contents of which one link gave something else than was asked for, before it is cut off. Of the first its
/// disk may be at fault.
pub const MAX_BAD: u32 = 2;

/// How long nothing may come of a content before other peers are asked whether they have it by now, and before it
/// makes room for others that are wanted.
pub const REST: Duration = Duration::from_secs(60);

/// The longest time after which other peers are asked again: the wait doubles each time, and is [`REST`] again
/// when something has come.
pub const REST_MAX: Duration = Duration::from_secs(3_600);

/// Parts that one link is given, or told are not here, in one turn. More follow in the next.
pub const PARTS_PER_TURN: usize = 64;
