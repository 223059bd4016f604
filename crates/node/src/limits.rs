//! The bounds of a node, and what happens when one is reached.

use core::time::Duration;

/// Longest message that one command may send, in bytes: what fits into one sealed body. A longer
/// one is refused with the figure.
pub const MAX_MESSAGE: usize = 60 * 1024;

/// Messages in one command. More are refused; a caller sends another command.
pub const MAX_MESSAGES: usize = 1024;

/// Rounds of tags kept for a link. A show under an older one is not understood; the peer's next
/// round heals it.
pub const MAX_ROUNDS: usize = 8;

/// Rounds that a peer may begin on one link before it is taken to be wasting work.
pub const MAX_ROUND_NUMBER: u32 = 4096;

/// Shows on one link that wait for the proof of their grant. Beyond that the oldest is dropped and not
/// remembered: the grant that comes later proves nothing on this link, until the peer shows itself there anew, with
/// its next round, or on its next link. All shows of a link are one peer's, so that it delays itself alone.
pub const MAX_PENDING_SHOWS: usize = 16;

/// How often grants are asked for on one link, and how often they are proved on it. Further unknown
/// ones have to come by sync. What one answer may cost is bounded by `rights::chain`.
pub const MAX_GRANT_ASKS: usize = 64;

/// Bytes of a link that may be out for checking before no more is read from it.
pub const MAX_CHECKING: usize = 1024 * 1024;

/// Bytes that a new link takes before it has said that it takes more.
pub const FIRST_WINDOW: u64 = 128 * 1024;

/// Gifts of this node that wait for their time, in all topics. The next is refused until one has been made or was
/// taken back.
pub const MAX_RELEASES: usize = 256;

/// When a gift is tried again that could not be made at its time, in milliseconds.
pub const RELEASE_AGAIN_MS: u64 = 60 * 60 * 1000;

/// Invites that are being taken up at once. The next displaces one whose box is here already, or is
/// refused.
pub const MAX_JOINS: usize = 64;

/// Public topics that are looked for at once. The next is refused.
pub const MAX_SOUGHT: usize = 3;

/// How long a public topic is looked for of which nothing comes. Then somebody has to ask for it again.
pub const LOOKED_FOR: Duration = Duration::from_secs(3_600);

/// Whom one goes by of those that answer for it, between two times of asking around. Others are asked for the
/// topic itself, and where they send one is not gone.
pub const MAX_ANSWERS: usize = 8;

/// How often all who are linked are asked for it. Each is asked once more when its link opens.
pub const ASKED_AROUND: Duration = Duration::from_secs(120);

/// How long a link for another device of the person stands, in milliseconds: who finds it later
/// finds nothing.
pub const DEVICE_LINK_MS: u64 = 10 * 60 * 1000;

/// Links for other devices that are open at once. The next one voids the oldest.
pub const MAX_DEVICE_LINKS: usize = 4;

/// Links of other devices that are being used at once. The next is refused.
pub const MAX_DEVICE_JOINS: usize = 4;

/// Other devices of the person that are known. The next is refused. A member has at most 16
/// devices.
pub const MAX_PAIRS: usize = 64;

/// Messages of a device on one link that do not open. What comes after them is not looked at.
pub const MAX_PAIR_TRIES: u8 = 3;

/// How long after a change the next topic is offered to another device.
pub const PAIR_AGAIN: Duration = Duration::from_millis(20);

/// Acts that are proposed for one topic on one link, because the member has changed meanwhile. Then
/// the topic waits for the next link.
pub const MAX_PROPOSALS_TRIED: u8 = 4;

/// Epochs whose keys are handed to another device, the newest. Members hand it the others.
pub const MAX_PAIRED_EPOCHS: usize = 16;

/// Within how many milliseconds whoever may close a grant does so once it may be closed: each draws
/// a moment.
pub const CLOSE_WITHIN_MS: u64 = 3_600_000;

/// Most envelopes that the cut of an act or a close names. A device that has written under more
/// keys is removed by whoever stands above its member, with its grant.
pub const MAX_CUT_NAMED: usize = 96;

/// Proposals that one owner's signature keeps here, in one topic. What it signs beyond them is not kept,
/// so that a thief of one owner's device takes the room of that owner alone.
pub const MAX_SIGNED_PROPOSALS: usize = 8;

/// Proposals of one topic that are kept: as many as all owners may sign, none of them the same.
pub const MAX_PROPOSALS: usize = MAX_SIGNED_PROPOSALS * identity::limits::MAX_DEVICES;

/// Proposals with something new that one link may bring in [`PROPOSALS_HEARD_IN`]: each costs up to 32
/// checks of signatures. What comes then is not looked at; it is told again.
pub const MAX_PROPOSALS_HEARD: u32 = 256;

/// In what time.
pub const PROPOSALS_HEARD_IN: Duration = Duration::from_secs(3_600);

/// How long a proposal waits for signatures, in milliseconds. Then it is dropped, and has to be made anew.
pub const PROPOSAL_MS: u64 = 14 * 24 * 3600 * 1000;

/// How long after its last signature a proposal is told again, at first; doubles.
pub const PROPOSALS_AGAIN: Duration = Duration::from_secs(60);

/// The longest time between two such tellings.
pub const PROPOSALS_AGAIN_MAX: Duration = Duration::from_secs(3_600);

/// Topics of a home beyond which it takes no more from another device.
pub const MAX_PAIRED_TOPICS: usize = 1024;

/// Nodes whose answers to one claim of this device are looked at, of those where it is put. Those of
/// others are not.
pub const MAX_ANSWERERS: usize = 8;

/// Answers of one node that are kept side by side, as many as a node keeps to a claim. Of more the
/// oldest goes.
pub const MAX_ANSWERS_OF_NODE: usize = topic::limits::MAX_ANSWERS;

/// How often a node may answer a claim with another grant than before. Later ones are not looked at: whoever
/// changes its mind more often is no help.
pub const MAX_ANSWER_TURNS: usize = 16;

/// Questions about claims, on links that are open, whose answers go out as soon as they come.
/// Whoever asked beyond that asks again.
pub const MAX_ASKING: usize = 256;

/// Within how many milliseconds whoever may admit welcomes somebody whom the inviter has not: each
/// draws a moment, so that the first one's grant is heard of before others give theirs.
pub const WELCOME_WITHIN_MS: u64 = 3_000;

/// How long after a welcome that failed it is tried again.
pub const WELCOME_AGAIN: Duration = Duration::from_secs(300);

/// Claimers that a node welcomes in one topic at once, each with an envelope and keys. The others have to
/// wait for [`WELCOME_NEXT`].
pub const MAX_WELCOMES: usize = 8;

/// How long after so many welcomes the next ones come.
pub const WELCOME_NEXT: Duration = Duration::from_secs(1);

/// Grants to guests, that stand, of one author key of this device: half of what the rules allow it to
/// give at all. Who comes beyond that waits for `way grant`, so that a link in too many hands takes nothing
/// from what its inviter can say.
pub const MAX_GUEST_GRANTS: usize = rights::eff::limits::MAX_GRANTS / 2;

/// Guests of one topic that a node notes, of all its invites of the kind while away. Whoever comes beyond
/// that is not welcomed by itself, and waits for `way grant`.
pub const MAX_GUESTS: usize = 4_096;

/// Envelopes that a device may write under an invite of the kind while away before somebody welcomes it. More
/// are refused. What a leaked link costs, together with the next.
pub const GUEST_ENVELOPES: u64 = 64;

/// Bytes of headers, proofs and bodies, likewise.
pub const GUEST_BYTES: u64 = 1 << 20;

/// Invites of this device in one topic that are looked through when one may have ended. The boxes
/// of more stay at core nodes until their time.
pub const MAX_INVITES: usize = 1_024;

/// Commands that may wait for something at once. The next is refused.
pub const MAX_WAITS: usize = 4096;

/// How often a topic is shown again to a core node that has not answered, at first; doubles.
pub const SHOW_AGAIN: Duration = Duration::from_secs(5);

/// The longest time between two such attempts.
pub const SHOW_AGAIN_MAX: Duration = Duration::from_secs(300);

/// Members of a topic, about, that keep a link with a core node of it that is not their own.
pub const BRIDGES: u64 = 8;

/// How long a core node of one's own may be away before the other core nodes of its topics are
/// dialled.
pub const CORE_PATIENCE: Duration = Duration::from_secs(10);

/// How long after a core node of one's own gives a topic the others are let go: it may only just
/// have been asked to hold it.
pub const CORE_SETTLED: Duration = Duration::from_secs(30);

/// How long after it came a new topic is listed on links.
pub const ROUND_AFTER: Duration = Duration::from_millis(50);

/// How long after a change its members are told new names, addresses and cores: changes come in
/// groups.
pub const TELL_AFTER: Duration = Duration::from_millis(300);

/// Rows of what members of a dropped topic said that are removed in one turn; the rest follows in
/// turns of their own.
pub const FORGOTTEN_PER_TURN: usize = 512;

/// Members whose word of one node's advert is looked at when the router needs it: the newest of
/// these is taken. Who is in so many topics, with so many devices, is found by an older one at
/// worst.
pub const TOLD_LOOKED_AT: usize = 64;

/// For how long a ticket lets a core node fetch at another, in milliseconds. Renewed every
/// [`TICKETS_EVERY`].
pub const TICKET_MS: u64 = 30 * 24 * 3600 * 1000;

/// How often tickets are made anew.
pub const TICKETS_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Questions by which a peer may identify itself that are answered on one link, and topics that it
/// is asked about. What comes after them is not answered, and not asked.
pub const MAX_IDENTIFIES: usize = 32;

/// When such a question is answered, counted from when it came. The same for whoever asks: longer
/// than a turn takes, so that what was looked up for the answer does not show.
pub const IDENTIFY_AFTER: Duration = Duration::from_millis(250);

/// Longest time that an invite may stand, in milliseconds.
pub const MAX_INVITE_MS: u64 = 366 * 24 * 3600 * 1000;

/// How long an invite stands when nobody says otherwise, in milliseconds.
pub const DEFAULT_INVITE_MS: u64 = 30 * 24 * 3600 * 1000;

/// Addresses of its own that a node tells.
pub const MAX_ADDRESSES: usize = 8;

/// Problems listed at once; the oldest goes.
pub const MAX_PROBLEMS: usize = 64;

/// How long after a change that epochs depend on a topic is surveyed, unless something is to be
/// written: a look at all that control has said of rights.
pub const SURVEY_AFTER: Duration = Duration::from_millis(200);

/// Within how many milliseconds whoever may begin an epoch does so once one is due: each draws a
/// moment, so that the first one's is heard of before others begin theirs.
pub const BEGIN_WITHIN_MS: u64 = 5_000;

/// How long an epoch that somebody else has announced is waited for while boxes of it are missing;
/// and how long before boxes of an own one that were refused are tried again.
pub const UNFINISHED: Duration = Duration::from_secs(10);

/// Ends of authors that one envelope names beside the heads, where nobody else names them. More of them
/// take further envelopes.
pub const UNNAMED_AT_ONCE: usize = wire::limits::MAX_DEPS / 2;

/// Envelopes that name such ends alone before an epoch is begun: 64 ends with the epoch's own. More than
/// those wait for the next look.
pub const NAMED_BEFORE: usize = 8;

/// When it is looked anew whether an epoch can be begun, where what would be announced is not clean whatever
/// is named. Sooner where something comes.
pub const UNCLEAN: Duration = Duration::from_secs(600);

/// Of the epochs that a device may begin a day ([`rights::limits::EPOCHS_PER_DAY`]), how many are left for
/// removals: without a new one nothing can be written after them. Whoever comes by an
/// invite for which there is none reads nothing until a member hands the keys over.
pub const EPOCHS_FOR_REMOVALS: usize = 2;

/// How often boxes are tried that are refused. Then the epoch is given up, and another one is due.
pub const BOXES_TRIED: u32 = 64;

/// Envelopes with boxes that are published at once where somebody waits to write. The rest follows
/// in turns of their own, and until then nothing can be written.
pub const BOXES_AT_ONCE: usize = 4;

/// Envelopes that are opened in one turn since their key has come; the rest follows in turns of
/// their own.
pub const OPENED_PER_TURN: usize = 64;

/// How long a member that was asked for keys has to answer before another one is asked, at first;
/// doubles.
pub const KEYS_ASKED_EVERY: Duration = Duration::from_secs(60);

/// The longest time between two such questions, when nobody has the keys.
pub const KEYS_ASKED_EVERY_MAX: Duration = Duration::from_secs(3_600);

/// How often one device is given keys of a topic. What it asks meanwhile is not answered.
pub const KEYS_GIVEN_EVERY: Duration = Duration::from_secs(50);

/// Rendezvous that this node wants at once. Others are not asked for, and not agreed to.
pub const MAX_MEETINGS: usize = 64;

/// How long a rendezvous that was asked for may take to be agreed to. What comes later is looked at as
/// if the other had asked, who may have come only now; until then none with the same node is asked for.
pub const MEETING_ANSWER: Duration = Duration::from_secs(5);

/// How often it is looked in [`MEETS_TIME`] whether one peer's wish for a rendezvous can be passed on.
/// Further ones are not.
pub const MEETS_ASKED: u32 = 32;

/// How often one peer is told of such a wish in that time: a few peers who ask for it all the time leave
/// room for others.
pub const MEETS_TOLD: u32 = 128;

/// See [`MEETS_ASKED`].
pub const MEETS_TIME: Duration = Duration::from_secs(60);

/// Rounds of translation between engines in one turn: a bound on what is a bug when it is reached.
pub const MAX_SETTLE: usize = 100_000;

/// Grants of one topic under which the rules refuse what this device writes, though they stand by all that is
/// held. Of more the first is tried once more.
pub const MAX_SHUNNED: usize = 16;

/// Files that are being made into contents, or written out, at a time. A further one is refused until one of
/// these is done.
pub const MAX_FILE_JOBS: usize = 8;

/// How often it is looked whether another core node holds what one holds that is being left.
pub const HAND_OVER_AGAIN: Duration = Duration::from_secs(5);

/// Topics of core nodes that are being left that are looked at in one turn. Others are in the next.
pub const MAX_HANDED_OVER_PER_TURN: usize = 8;

/// How long the link with a core node must have been up before its receipts are taken for its newest, when that
/// decides whether another one is let go.
pub const SETTLED: Duration = Duration::from_secs(30);

/// How often, on average, a core node is asked for something that it says it holds.
pub const AUDIT_EVERY: Duration = Duration::from_secs(1_800);

/// Topics in which something is looked for that a core node may be asked for. If there is nothing in these, it
/// is not asked this time.
pub const TOPICS_TRIED: usize = 8;

/// How often a core node may keep silent when it is asked, one time after another, before its word counts
/// no more.
pub const MAX_SILENCES: u32 = 3;

/// How long it is remembered that a core node did not give a block that it says it holds, or gave another. Within
/// this time a second one means that it is believed no more.
pub const AUDIT_MEMORY: Duration = Duration::from_secs(7 * 86_400);

/// Damaged parts of a content that are told one by one. With more of them all of it is fetched anew.
pub const MAX_DAMAGED: usize = 4_096;

/// How long after a content is first there contents are read through.
pub const SCRUB_FIRST: Duration = Duration::from_secs(600);

/// How much of contents is read through at most, on average. A terabyte takes a day.
pub const SCRUB_BYTES_PER_SECOND: u64 = 12_000_000;

/// The least pause between two contents that are read through.
pub const SCRUB_PAUSE: Duration = Duration::from_secs(10);

/// Topics whose receipts are looked at for what a core node says of its operator, when core nodes are
/// listed. It says the same in all of them; in others it may have said something else before.
pub const MAX_OPERATOR_LOOKS: usize = 64;

/// How long it rests after all contents have been read through.
pub const SCRUB_ROUND: Duration = Duration::from_secs(7 * 86_400);

/// Files of a topic that are looked at when they are listed. Of more some are not found.
pub const MAX_FILES_LOOKED_AT: usize = 16_384;

/// Files of a topic that are listed: the newest of them.
pub const MAX_FILES_LISTED: usize = 1_000;
