//! Every bound of topics, and what happens when it is reached.

use core::time::Duration;

/// Control envelopes that are looked at for the name or title that stands after another has fallen.
/// Beyond, older names are not found, and there is none.
pub const MAX_CONTROL_READ: usize = 1024;

/// What envelopes of one reader of a public topic that wait for their past may weigh, in bytes. What
/// comes beyond is dropped, and asked for again after its past.
pub const MAX_PARKED_OF_READER: usize = 64 * 1024;

/// The same of all readers of a topic together: an eighth of what the lace keeps.
pub const MAX_PARKED_OF_READERS: usize = 512 * 1024;

/// The least that such an envelope weighs, however short: so they are few as well.
pub const LEAST_PARKED: usize = 4096;

/// Envelopes in one frame. More go into the next frame.
pub const MAX_ENVELOPES_PER_FRAME: usize = 64;

/// Bytes of envelopes in one frame, unless a single envelope is larger. More go into the next.
pub const MAX_BYTES_PER_FRAME: usize = 192 * 1024;

/// Credit that a link must have before a large frame is made for it: room for the largest single
/// envelope and [`RESERVE`]. With less, what is due waits until the link says that it takes more.
pub const MIN_ROOM: i64 = 96 * 1024;

/// What a frame costs of a link's credit beside its bytes: the same as in the transports.
pub const FRAME_COST: usize = 64;

/// Credit that large frames leave for small ones (hellos, wants, refusals).
pub const RESERVE: i64 = 16 * 1024;

/// Frames that carry envelopes, bodies or pages of a cut and that one turn sends. The rest waits
/// for another turn, which is asked for at once.
pub const MAX_FRAMES_PER_TURN: usize = 8;

/// Envelopes that one turn delivers to the application. The rest waits for another turn.
pub const MAX_DELIVERIES_PER_TURN: usize = 256;

/// Ranges in one want. Authors beyond are wanted after these have come.
pub const MAX_RANGES: usize = 256;

/// Authors of a peer's cut that this node does not know and nevertheless remembers for the peer.
/// What a peer names beyond is not remembered: it costs that peer another exchange.
pub const MAX_STRANGE_AUTHORS: usize = 4096;

/// Chains that are wanted of one peer at once. What its cut names beyond is found by the next
/// exchange.
pub const MAX_WANTED: usize = 65_536;

/// Bodies asked for, or given, in one frame. More follow when these have been answered.
pub const MAX_BODIES_PER_FRAME: usize = 64;

/// Bodies that a peer may have asked for and not yet got. What it asks beyond is dropped: an
/// honest peer waits for the answer.
pub const MAX_BODIES_OWED: usize = 128;

/// Envelopes with a missing body, and what depends on them, whose lines wait. Beyond, the oldest
/// becomes a gap at once.
pub const MAX_WAITING: usize = 4096;

/// How long a missing body holds back the lines of its author and of what depends on it, while at
/// least one peer of the topic is proven.
pub const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// How long the answer to a want or to a question for bodies may keep silent. Afterwards others
/// are asked, and this peer again only after [`ASK_AGAIN`].
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// How long a custodian may keep silent that is asked for something only to see whether it holds it.
pub const AUDIT_PATIENCE: Duration = Duration::from_secs(120);

/// How long before a custodian keeps silent about what it was asked it must have said something else in the topic for
/// that to count: nobody serves who was removed, and nobody tells them.
pub const AUDIT_HEARD: Duration = Duration::from_secs(900);

/// How often a custodian that is asked so may say that it may not give anything now, and gets as much time again.
pub const AUDIT_WAITS: u8 = 3;

/// How long, in milliseconds, an envelope and the promise to hold it must still last for a custodian to be asked,
/// and blamed: more than the clocks of two nodes may differ.
pub const AUDIT_MARGIN_MS: u64 = 3_600_000;

/// Envelopes that are drawn to find one that may be asked for. If none of them may be, nothing is asked.
pub const AUDIT_DRAWS: usize = 16;

/// How often a peer that waits for what may not be given yet is told that the answer goes on: well
/// within [`ANSWER_PATIENCE`].
pub const PATIENCE_EVERY: Duration = Duration::from_secs(15);

/// How long a peer that did not answer is left alone.
pub const ASK_AGAIN: Duration = Duration::from_secs(120);

/// How long an envelope waits for its past to come by itself before its giver is asked for it.
/// Frames of different classes may overtake one another on their way out of a node.
pub const PARKED_PATIENCE: Duration = Duration::from_millis(200);

/// How long a core node is not told of what another core node gave: as a rule it has it from there.
/// Twice as long at most, by chance.
pub const HOLD_BACK: Duration = Duration::from_secs(1);

/// How long `delivered` and `held` receipts wait for more to acknowledge, and for the receipts of
/// others that go the same way: a third of this for each holder, but at least this. Four times as
/// long while receipts follow one another closely.
pub const RECEIPT_DELAY: Duration = Duration::from_millis(100);

/// The longest such wait of a topic that is not busy.
pub const RECEIPT_DELAY_MAX: Duration = Duration::from_secs(2);

/// How long a receipt waits before it is passed on to peers who have written nothing that it
/// acknowledges anew: this for the square of the number of holders. What a window costs grows with
/// that square, and whoever was away finds out by a list what it lacks.
pub const PASS_LATER: Duration = Duration::from_secs(3);

/// The longest such wait.
pub const PASS_LATER_MAX: Duration = Duration::from_secs(3600);

/// The least time between two cuts sent to one peer about one topic.
pub const CUT_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two hellos on one link about one topic. The second is sent only when
/// something was lost on the way in, or waits for a past that nobody announced.
pub const HELLO_AGAIN: Duration = Duration::from_secs(5);

/// Milliseconds that the time in a refusal, one's own or a peer's, lies ahead at least. A time that
/// has passed would be an invitation to ask without end.
pub const MIN_RETRY_MS: u64 = 5_000;

/// Receipt slots of one topic. Beyond, receipts of unknown holders are dropped.
pub const MAX_SLOTS: usize = 4096;

/// Receipts in one frame. More go into the next frame.
pub const MAX_RECEIPTS_PER_FRAME: usize = 16;

/// Authors remembered for each slot whom its receipts do not name any more. Beyond, receipts from
/// before the oldest of them went are told in full.
pub const MAX_GONE_AUTHORS: usize = 32;

/// Rebuilt receipts of one link that did not hold. Beyond, nothing is rebuilt of what the link
/// gives, and the receipts themselves are asked for.
pub const MAX_WRONG_DIFFERENCES: u32 = 64;

/// Slots whose receipts are asked for in full of one peer of a topic. Differences of further ones
/// that are of no use are dropped: an honest peer has no more slots.
pub const MAX_RECEIPT_ASKS: usize = MAX_SLOTS;

/// Invite boxes of one topic. Beyond, the one that ends first is dropped.
pub const MAX_BOXES: usize = 64;

/// Claims of one invite beyond its uses. A claim that comes later is not kept: somebody else was
/// faster, or the link is in too many hands.
pub const SPARE_CLAIMS: usize = 8;

/// Uses of one invite for which claims are kept. Whoever wants to welcome more gives several
/// invites.
pub const MAX_CLAIMED_USES: usize = 256;

/// Claims of one topic's invites. Of more the latest is not kept, unless its inviter has fewer than
/// another: then the latest of that one's that wait goes.
pub const MAX_CLAIMS: usize = 512;

/// Answers to one claim, of a device each. Of more the inviter's is kept, then those of whoever has given as
/// much as the invite, nearest to the topic's own grant first: the claimer needs one.
pub const MAX_ANSWERS: usize = 2;

/// How often a device may replace its answer to a claim while a node runs. Later ones are not kept: each
/// costs everybody a signature and a row.
pub const MAX_ANSWER_CHANGES: u32 = 4;

/// Answers kept in memory, unchecked, until their claim is here and a grant by which their device has
/// welcomed the claimer. Of more the oldest goes, and comes again with a later greeting.
pub const MAX_EARLY_ANSWERS: usize = 32;

/// The same of one link.
pub const MAX_EARLY_ANSWERS_OF_LINK: usize = 16;

/// Claims kept in memory whose invite is not here yet. Of more the oldest goes, and comes again
/// with the next greeting.
pub const MAX_EARLY_CLAIMS: usize = 16;

/// For how long after its invite's end a claim is kept and can still be welcomed, in milliseconds.
pub const CLAIM_GRACE_MS: u64 = 7 * wire::limits::DAY_MS;

/// How far the end of an invite box may lie ahead, in milliseconds. One that ends later is dropped
/// where the clock is confirmed; no invite stands longer than a year.
pub const MAX_BOX_AHEAD_MS: u64 = 400 * wire::limits::DAY_MS;

/// Longest contents of an invite box, in bytes. A longer one is refused.
pub const MAX_BOX: usize = 2048;

/// Bytes given out for checking that one link may have at once. What a link sends beyond is
/// dropped, as if the link had lost it; [`crate::Topics::checking`] tells the node to stop reading
/// long before.
pub const MAX_CHECKING: usize = 4 * 1024 * 1024;

/// Answers of one link that did not hold what the link had claimed to have, before the link is
/// reported.
pub const MAX_HOLLOW_ANSWERS: u32 = 8;

/// Envelopes of one link that no rule of the topic admits, before the link is reported.
pub const MAX_INADMISSIBLE: u32 = 64;

/// Of those the first so many are answered with the rule that they broke. The others are counted.
pub const MAX_INADMISSIBLE_TOLD: u32 = 16;

/// Messages in one envelope.
pub const MAX_MESSAGES: usize = 1024;

/// Lines that one call of [`crate::Topics::read`] gives back.
pub const MAX_READ: usize = 1024;

/// Bytes of messages that one call of [`crate::Topics::read`] gives back, unless one is larger.
pub const MAX_READ_BYTES: usize = 4 * 1024 * 1024;

/// Rows that one turn removes while a topic is being forgotten.
pub const MAX_FORGET_PER_TURN: usize = 1024;

/// Bodies that one turn removes because they have expired.
pub const MAX_EXPIRE_PER_TURN: usize = 256;

/// Topics that one turn looks through for expired bodies. The rest waits for another turn.
pub const MAX_SWEPT_PER_TURN: usize = 16;

/// The least time between two searches for expired bodies: what expires in between goes together.
pub const EXPIRE_INTERVAL: Duration = Duration::from_secs(60);

/// The longest such time, should nothing be known to expire before: clocks may be set.
pub const EXPIRE_LONGEST: Duration = Duration::from_secs(3600);

/// How long a topic without a peer and without work stays in memory.
pub const IDLE_PATIENCE: Duration = Duration::from_secs(60);

/// Boxes kept in memory whose devices are not known here to let anybody in: the grant that they do
/// by may be on its way. Of more the oldest goes, and comes again with the next greeting.
pub const MAX_EARLY_BOXES: usize = 8;

/// Newest facts that take something away whose envelopes are given to a peer that takes part no
/// more. Where more were needed, it learns of it from others or not at all.
pub const MAX_LAST_WORDS: usize = 4;

/// Bodies of which one peer may say that they are gone. Beyond, it is not asked for bodies any more
/// on that link.
pub const MAX_GONE: usize = 4096;

/// Receipt slots of holders that the lace does not know. Beyond, such receipts are dropped; and beyond
/// half of it those that readers of a public topic give.
pub const MAX_STRANGE_SLOTS: usize = 64;

/// Authors in a receipt. In a topic with more, those that changed last are named.
pub const MAX_RECEIPT_AUTHORS: usize = 256;

/// Missing bodies looked at for a receipt. With more, no receipt is issued until some have come.
pub const MAX_MISSING_FOR_RECEIPT: usize = 4096;

/// Deadlines that one turn handles. The rest comes in the next turn.
pub const MAX_DEADLINES_PER_TURN: usize = 64;
