//! Every bound of this crate and what happens when it is reached.

use core::time::Duration;

/// Lowest version of the protocol between two nodes that is spoken here.
pub const VERSION_MIN: u16 = 0;
/// Highest version of the protocol between two nodes that is spoken here.
pub const VERSION_MAX: u16 = 0;

/// Bytes that a peer may send before it is known. One more closes the link.
pub const STRANGER_BYTES: u64 = 16 * 1024;
/// Time that a peer has to become known. Then the link is closed.
pub const STRANGER_TIME: Duration = Duration::from_secs(10);
/// Time that the node may give a peer which takes up an invite. Then the link is closed.
pub const CLAIM_TIME: Duration = Duration::from_secs(60);
/// Bytes that a peer which takes up an invite may send.
pub const CLAIM_BYTES: u64 = 64 * 1024;
/// Strangers with a link at once. The next has the oldest stranger of the host with the most closed
/// with a reason.
pub const MAX_STRANGERS: usize = 32;
/// Peers that take up invites at once, beside the strangers. The next has one closed in the same way.
pub const MAX_CLAIMING: usize = 32;
/// Peers at once that read public topics and are not known otherwise, beside the others. The next has
/// the oldest of them, of the host with the most, closed with a reason: it finds others that have the
/// topic.
pub const MAX_READERS: usize = 128;
/// Strangers at once from one host, an IPv6 network of 64 bits counting as one, and as many that take
/// up invites: many nodes may share an address. The next has the oldest of them closed with a reason.
pub const MAX_STRANGERS_PER_HOST: usize = 16;
/// Whatever a peer that is not known provokes is answered a whole number of these after its link was
/// up, so that the time of the answer does not tell its reason. Longer than a turn takes and a frame
/// travels; short beside [`STRANGER_TIME`].
pub const SORRY_EVERY: Duration = Duration::from_millis(250);
/// Refusals that wait on one link for that time; further ones are not said.
pub const MAX_SORRY: usize = 16;
/// Links that were closed and wait for that time to say so. Of more the oldest says it at once.
pub const MAX_LINGERING: usize = 256;
/// The time over which a rate rule counts. It begins with the first message after the last one.
pub const ACL_MINUTE: Duration = Duration::from_secs(60);
/// Rate rules. With more the whole list is refused, and the old one stays in force.
pub const MAX_RULES: usize = 256;
/// Keys in one rate rule; as [`MAX_RULES`].
pub const MAX_RULE_KEYS: usize = 1_024;
/// Peers and authors that rate rules count alone at once. All others under one rule count as one.
pub const MAX_COUNTED: usize = 4_096;
/// How often those whose minute is over are looked for when there is no place left.
pub const ACL_SWEEP: Duration = Duration::from_secs(1);
/// Links with one node at once; a third closes the oldest.
pub const MAX_LINKS_PER_NODE: usize = 2;
/// Time after which the other side's hello must be here. Then the link is closed.
pub const HELLO_TIME: Duration = Duration::from_secs(10);
/// Links that are younger than this may have been dialled by both sides at once. Of older ones the
/// new one counts: its dialler would not have dialled if the old one still lived at its end.
pub const SIMULTANEOUS: Duration = Duration::from_secs(10);
/// Time in which a peer with two links says which of them it keeps, and answers a ping on the first:
/// a slow round trip. If it has not answered, the second is kept.
pub const DECIDE_TIME: Duration = Duration::from_secs(2);

/// Silence after which a link that has just opened is asked whether it lives.
pub const PING_FIRST: Duration = Duration::from_secs(20);
/// Silence after which a link that has lived for long is asked whether it lives. Transports notice
/// by themselves when the way to a peer is gone, and keep address translators awake; a ping asks
/// whether the program at the other end still runs.
pub const PING_LONGEST: Duration = Duration::from_secs(600);
/// By how much the silence before a ping grows with each answer.
pub const PING_GROWTH: u32 = 4;
/// Time in which a ping must be answered.
pub const PING_PATIENCE: Duration = Duration::from_secs(10);
/// Pings without an answer after which the link is closed.
pub const PINGS: u32 = 2;

/// Peers added by hand. The next is refused.
pub const MAX_PEERS: usize = 256;
/// Nodes that are dialled, for whatever reason. Beyond it those with the least reason are dropped.
pub const MAX_TARGETS: usize = 512;
/// Addresses of one node that are tried. The rest is ignored.
pub const MAX_TARGET_ADDRESSES: usize = 8;
/// Longest address. Longer ones are ignored.
pub const MAX_ADDRESS: usize = 384;
/// Dials in progress at once. Others wait their turn.
pub const MAX_DIALS: usize = 32;
/// Of these, kept for core nodes and for peers that were added by hand.
pub const KEPT_DIALS: usize = 8;
/// Head start of one address over the next (the idea of RFC 8305, which has 250 ms).
pub const DIAL_STAGGER: Duration = Duration::from_millis(250);
/// Time after which a dial without any answer is given up.
pub const DIAL_PATIENCE: Duration = Duration::from_secs(30);
/// First wait after a failed dial.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between dials.
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(300);
/// A link that lasted so long was a good one: what ended soon before it is forgotten.
pub const LINK_LASTS: Duration = Duration::from_secs(60);
/// What links that end soon, though nobody refuses them, count in doublings at most: 16 s.
pub const BACKOFF_BRIEF: u32 = 5;
/// What a refusal by the peer counts in doublings: about a minute.
pub const BACKOFF_REFUSED: u32 = 6;
/// First wait after a failed dial of a member whom a linked core node reaches too. Grows by
/// [`SHORTCUT_GROWTH`], and ends when the last link with a core node does.
pub const SHORTCUT_FIRST: Duration = Duration::from_secs(1_800);
/// See [`SHORTCUT_FIRST`].
pub const SHORTCUT_GROWTH: u32 = 4;
/// Longest such wait.
pub const SHORTCUT_LONGEST: Duration = Duration::from_secs(4 * 3600);
/// Such dials are put off to the next whole multiple of this, so that one turn does many of them.
pub const SHORTCUT_STEP: Duration = Duration::from_secs(600);
/// How long a new shortcut waits for a link with a core node, which makes it less urgent.
pub const SHORTCUT_PATIENCE: Duration = Duration::from_secs(2);
/// Shortcuts that are dialled at once while a core node is linked; the next waits its turn.
pub const SHORTCUTS_AT_ONCE: usize = 4;
/// Shortcuts that may fail one after another: then this network holds none of these members, and
/// the others are put off as if they had failed too, until one succeeds, the network changes or the
/// last link with a core node ends.
pub const SHORTCUTS_IN_VAIN: u32 = 8;
/// First wait after a failed dial of a member while the core nodes that a node knows are away. They
/// come back as a rule, and whoever stands behind an address translator is dialled in vain.
pub const ALONE_FIRST: Duration = Duration::from_secs(120);
/// Longest such wait; it grows by [`SHORTCUT_GROWTH`].
pub const ALONE_LONGEST: Duration = Duration::from_secs(900);
/// Members that are dialled at once meanwhile; the next waits its turn.
pub const ALONE_AT_ONCE: usize = 8;
/// First wait after a rendezvous with a node was asked for, before another is. A core node does not say
/// whether the other is there.
pub const MEETING_FIRST: Duration = Duration::from_secs(600);
/// By how much that wait grows each time, until there is a good link.
pub const MEETING_GROWTH: u32 = 4;
/// Longest such wait.
pub const MEETING_LONGEST: Duration = Duration::from_secs(4 * 3600);
/// Between two addresses of one node that core nodes tell and that are dialled: longer than a dial
/// takes, and than a transport remembers an address. One that is told before is passed over.
pub const MEETING_PAUSE: Duration = Duration::from_secs(90);
/// What comes up so soon after a rendezvous was agreed to came about by it.
pub const MEETING_TIME: Duration = Duration::from_secs(30);
/// Addresses that core nodes tell and that are dialled in [`MEETINGS_TIME`]: what a core node that lies
/// can make this node send to others is so many times the first packets of a handshake, about 6 KB
/// each. Further ones are passed over, and what waits for them goes through core nodes.
pub const MEETINGS: usize = 64;
/// See [`MEETINGS`].
pub const MEETINGS_TIME: Duration = Duration::from_secs(3_600);
/// Lowest port that is dialled because a core node told it. Translators give out none below, and there
/// are the services that others could be made to bother.
pub const MEETING_PORT_MIN: u16 = 1_024;
/// A link that we dialled and nobody needs is closed after so much silence.
pub const UNNEEDED_TIME: Duration = Duration::from_secs(300);

/// How long a node that is within reach of its core nodes alone stays linked with one that is none any more: what was
/// said last leaves meanwhile.
pub const PARTING_TIME: Duration = Duration::from_secs(2);

/// Adverts of others that are kept. Beyond it one of a node goes that is neither linked nor dialled,
/// and to which no mail waits; if none such is among [`ADVERTS_LOOKED_AT`], the new one is not kept.
pub const MAX_ADVERTS: usize = 16_384;
/// Adverts among which one is chosen that goes; the next time it is among those that follow.
pub const ADVERTS_LOOKED_AT: usize = 256;
/// Age at which the own sealing key is replaced.
pub const SEALING_TURN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a replaced sealing key still opens: two lifespans of mail.
pub const SEALING_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// Sealing keys kept. Beyond it the own key is not replaced until a confirmed clock lets old ones go.
pub const MAX_SEALING_KEYS: usize = 8;

/// Two clocks agree when they differ by at most this.
pub const CLOCK_AGREES: Duration = Duration::from_secs(300);
/// By how many milliseconds the host's clock may go wrong between two turns before it is compared
/// with those of peers at once, and not only at the next deadline.
pub const CLOCK_JUMP_MS: u64 = 1_000;
/// Peers that must agree for the clock to be confirmed.
pub const CLOCK_PEERS: usize = 2;
/// How long what a peer's clock said counts.
pub const CLOCK_SAMPLE_AGE: Duration = Duration::from_secs(24 * 3600);
/// Peers whose clocks are remembered. Beyond it the oldest is forgotten.
pub const MAX_CLOCK_SAMPLES: usize = 64;

/// Default lifespan of mail.
pub const MAIL_LIFESPAN: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest lifespan of mail; longer ones are cut to it.
pub const MAX_MAIL_LIFESPAN: Duration = Duration::from_secs(366 * 24 * 3600);
/// Longest payload of one mail. A longer one is refused: it would be a file.
pub const MAX_PAYLOAD: usize = 60_000;
/// Longest name of an engine, in bytes.
pub const MAX_ENGINE: usize = 32;
/// Mails that wait, for all nodes together. The next is refused.
pub const MAX_QUEUED: u64 = 20_000;
/// Nodes for which mails wait. Mail for the next is refused.
pub const MAX_DESTINATIONS: usize = 1_024;
/// Mails on their way to one peer before receipts are awaited.
pub const LANE_MAILS: usize = 16;
/// Bytes on their way to one peer before receipts are awaited.
pub const LANE_BYTES: usize = 256 * 1024;
/// Time in which receipts must come before mails are sent again on the same link.
pub const LANE_PATIENCE: Duration = Duration::from_secs(30);
/// Longest such time.
pub const LANE_PATIENCE_LONGEST: Duration = Duration::from_secs(3600);
/// Core nodes of a recipient to which one mail is handed.
pub const MAX_HOLDERS: usize = 2;
/// Custodians of one mail that are remembered: twice the core nodes that an advert names. Of more the
/// one that promised first is forgotten.
pub const MAX_HELD: usize = 8;
/// Times that one mail is sealed, because its recipient could not open it or has another key. Then it
/// fails when it is refused for that reason once more, and is left as it is when the key turns again;
/// as many of its envelopes are known by their ids until its end.
pub const MAX_SEALS: u32 = 8;
/// Mails of one recipient that are sealed anew in the turn in which its new key becomes known. The
/// others are when they are sent next.
pub const RESEALED_AT_ONCE: usize = 256;
/// Mails whose end is known (delivered, expired, failed) that are remembered for questions.
pub const MAX_DONE: usize = 10_000;
/// Best-effort mails that wait for a link. The next pushes out the oldest.
pub const MAX_BEST_EFFORT: usize = 64;
/// How long a best-effort mail waits for a link or an answer.
pub const BEST_EFFORT_TIME: Duration = Duration::from_secs(20);
/// Numberings remembered at once, one for each destination. Beyond it all begin anew.
pub const MAX_NUMBERINGS: usize = 4_096;

/// Mails in the inbox. The next is refused for now, unless confirmed ones can go.
pub const MAX_INBOX: u64 = 100_000;
/// Bytes in the inbox; as [`MAX_INBOX`].
pub const MAX_INBOX_BYTES: u64 = 256 << 20;
/// Windows (starts of a source) remembered for one source. Mail of the next is refused for now.
pub const MAX_WINDOWS: usize = 1_024;
/// Gaps in one window. A mail that would open one more is refused for now.
pub const MAX_INTERVALS: usize = 1_024;
/// How far ahead of a confirmed clock mail may claim to have been written. Later mail is refused
/// for now.
pub const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// Answers to echo that one peer gets in [`ECHO_WINDOW`]. Further questions are ignored.
pub const MAX_ECHOES: u32 = 60;
/// See [`MAX_ECHOES`].
pub const ECHO_WINDOW: Duration = Duration::from_secs(60);

/// How often what is over is looked for while there is mail that can be over.
pub const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// How often the sealing key and the clock are looked at when there is no mail.
pub const SWEEP_IDLE: Duration = Duration::from_secs(3600);
/// Rows that one sweep removes in one turn; the rest follows in the next.
pub const SWEEP_ROWS: usize = 512;
