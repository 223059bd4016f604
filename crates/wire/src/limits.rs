//! Every limit of the formats. Decoding refuses what exceeds one, with the place; nothing is
//! allocated for a length that is only claimed. Sizes are bytes unless said otherwise.

/// The format number of headers, genesis, receipts and adverts. Another one is refused.
pub const FORMAT: u64 = 0;

/// Lowest and highest version of the link protocol that this code speaks. Peers without a common
/// one say goodbye with [`Code::VERSION`](crate::Code::VERSION).
pub const VERSION_MIN: u16 = 0;
/// See [`VERSION_MIN`].
pub const VERSION_MAX: u16 = 0;

/// Nesting of arrays and maps. Deeper values are refused while they are scanned.
pub const MAX_DEPTH: usize = 16;

/// Header of an envelope; room for 16 deps, a manifest and [`MAX_EXTENSIONS_LEN`].
pub const MAX_HEADER: usize = 2_048;
/// Ids in `deps`. An author who wants to name more writes several envelopes.
pub const MAX_DEPS: usize = 16;
/// Number of extension fields in a header (keys 32 to 63, and 65 up).
pub const MAX_EXTENSIONS: usize = 16;
/// All extension values of a header together.
pub const MAX_EXTENSIONS_LEN: usize = 1_024;
/// Largest key of an extension field.
pub const MAX_EXTENSION_KEY: u64 = 65_535;
/// Messages in a body; for a control body the items.
pub const MAX_MESSAGES: u16 = 1_024;
/// Hops that a header may allow. A guess, to be measured.
pub const MAX_HOPS: u8 = 64;
/// Body of class content or live. What is larger travels as blocks.
pub const MAX_BODY: usize = 65_536;
/// Body of class control, unless it is boxes.
pub const MAX_CONTROL_BODY: usize = 16_384;
/// Body of class control that is one item of boxes.
pub const MAX_BOXES_BODY: usize = 65_536;
/// Items in a control body.
pub const MAX_ITEMS: usize = 64;
/// Bytes of blocks that a manifest may count (256 TiB).
pub const MAX_MANIFEST_BYTES: u64 = 1 << 48;
/// Blocks of one manifest that can be asked for. A manifest that counts more is of no content.
pub const MAX_MANIFEST_BLOCKS: u32 = 1 << 20;
/// Pages of one manifest, of 1,024 references each.
pub const MAX_MANIFEST_PAGES: u32 = MAX_MANIFEST_BLOCKS / 1_024;
/// Longest life of a content envelope (366 days), in milliseconds.
pub const MAX_LIFESPAN_MS: u64 = 366 * DAY_MS;
/// Longest life of a live envelope, in milliseconds.
pub const MAX_LIVE_LIFESPAN_MS: u64 = DAY_MS;
/// A day in milliseconds.
pub const DAY_MS: u64 = 86_400_000;
/// Times are at most this (the year 10889), so that sums of two never overflow.
pub const MAX_TIME_MS: u64 = (1 << 48) - 1;
/// Numbers and generations in topics are at most this, so that adding one never overflows.
pub const MAX_NUMBER: u64 = (1 << 63) - 1;

/// Plaintext of a content body, padding included: [`MAX_BODY`] less the 106 bytes of sealing.
pub const MAX_PLAIN: usize = MAX_BODY - SEALED_BODY_OVERHEAD;
/// What sealing adds to a body: version, epoch, slice, encapsulation, salt, commitment, tag.
pub const SEALED_BODY_OVERHEAD: usize = 1 + 16 + 1 + 32 + 24 + 16 + 16;

/// Sealed bytes in a control item (profile, cores, title): room for a NodeAdvert of full length.
pub const MAX_SEALED_ITEM: usize = 5_120;
/// Uses that an invite may allow.
pub const MAX_INVITE_USES: u32 = 1_000_000;

/// Devices of a composition, and signatures under one act or item. Who wants more removes one first.
pub const MAX_DEVICES: usize = identity::limits::MAX_DEVICES;
/// Envelope ids in the cut of a revocation, a close or an act. Of authors for whom there is no room
/// nothing would stand, so who has more of them under a grant revokes the grants below it first.
pub const MAX_CUT_IDS: usize = 256;
/// Grants that one grant carries at a time. Further ones are inadmissible.
pub const MAX_GRANTS: usize = 64;
/// Grants between the topic's own and any other, itself included. Deeper ones are inadmissible.
pub const MAX_GRANT_DEPTH: usize = 8;
/// Signatures that are checked of the chain of grants which a stranger shows. Who shows a longer one
/// is not believed.
pub const MAX_CHAIN_SIGNATURES: usize = 32;
/// Epochs that an epoch follows. Further ones stay unmerged until the next.
pub const MAX_FOLLOWED_EPOCHS: usize = 8;
/// Boxes of devices in one item. A topic with more takes several envelopes.
pub const MAX_BOXES: usize = 600;
/// Boxes of core nodes in one item.
pub const MAX_CORE_BOXES: usize = 64;
/// Sealed bytes in a box, at least: a kind and the tag.
pub const MIN_BOX_SEALED: usize = 17;
/// Sealed bytes in a box, at most: room for the seeds of all slices.
pub const MAX_BOX_SEALED: usize = 1_200;

/// Genesis of a topic.
pub const MAX_GENESIS: usize = 4_096;
/// Days of history whose keys a topic may keep, short of all.
pub const MAX_HISTORY_DAYS: u64 = 36_500;
/// Slices (and so public keys) of an epoch.
pub const MAX_SLICES: usize = 32;

/// Entries of the cut in a receipt. A topic with more authors takes several receipts, or leaves
/// the oldest authors out.
pub const MAX_RECEIPT_CUT: usize = 256;
/// Ids of one author in a cut (a forked author has more than one).
pub const MAX_BRANCHES: usize = 8;
/// Exceptions in a receipt.
pub const MAX_RECEIPT_EXCEPTIONS: usize = 256;
/// Longest signed statement of any kind, without its signature.
pub const MAX_STATEMENT: usize = MAX_RECEIPT;
/// Receipt without its signature.
pub const MAX_RECEIPT: usize = 32_768;
/// Ids in a receipt about unicast.
pub const MAX_MAIL_RECEIPT_IDS: usize = 64;
/// Receipt about unicast without its signature.
pub const MAX_MAIL_RECEIPT: usize = 4_096;

/// NodeAdvert without its signature.
pub const MAX_ADVERT: usize = 4_096;
/// Addresses in a NodeAdvert.
pub const MAX_ADDRESSES: usize = 8;
/// Text of an address.
pub const MAX_URI: usize = 384;
/// Core nodes that a node or a topic's member names.
pub const MAX_CORES: usize = 4;
/// Name of a file or folder that is shared, in bytes of UTF-8.
pub const MAX_FILE_NAME: usize = 255;
/// Name of a node, a member or a topic, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;
/// Name of the software in a hello.
pub const MAX_SOFTWARE: usize = 32;
/// Text for people in a refusal or a goodbye.
pub const MAX_TEXT: usize = 128;

/// One frame of a link. A peer that sends a longer one is cut off before it is read.
pub const MAX_FRAME: usize = 262_144;
/// Fewest tags in a frame; random ones fill it up.
pub const MIN_TAGS: usize = 16;
/// Tags in a frame. Whoever shares more topics takes further rounds.
pub const MAX_TAGS: usize = 512;
/// Envelopes in a frame.
pub const MAX_ENVELOPES: usize = 64;
/// One envelope as it travels: header, proof, body and their heads.
pub const MAX_RAW: usize = MAX_HEADER + 64 + MAX_BODY + 16;
/// Signatures inside one control body. Each costs as much as the envelope's own.
pub const MAX_INNER_SIGNATURES: usize = 16;
/// Grants and revocations that are proposed together. More are proposed in several steps.
pub const MAX_PROPOSED: usize = 8;
/// Signatures inside one proposal, as many as a stranger may have checked for a whole chain. Where a
/// composition takes many, fewer items are proposed together.
pub const MAX_PROPOSAL_SIGNATURES: usize = MAX_CHAIN_SIGNATURES;
/// Bytes of a proposal, as many as of a control body.
pub const MAX_PROPOSAL: usize = MAX_CONTROL_BODY;
/// Certificates and claims in one control body.
pub const MAX_SIGNED_ITEMS: usize = 4;
/// Bytes of envelopes that a sender puts into one frame; a single larger envelope goes alone.
pub const MAX_ENVELOPES_LEN: usize = 196_608;
/// Envelopes in the proof of a grant.
pub const MAX_PROOF_ENVELOPES: usize = 16;
/// Entries in one page of a cut.
pub const MAX_CUT_PAGE: usize = 512;
/// Ranges in one want.
pub const MAX_RANGES: usize = 256;
/// Bodies asked for, or answered, in one frame.
pub const MAX_BODIES: usize = 64;
/// Receipts in one frame.
pub const MAX_RECEIPTS: usize = 16;
/// Receipts told as differences in one frame. More go into the next frame.
pub const MAX_DIFFERENCES: usize = 64;
/// A difference between receipts, with the signature. No receipt has longer ones.
pub const MAX_DIFFERENCE: usize = 32_768;
/// Receipts asked for in one frame. More are asked for in the next frame.
pub const MAX_RECEIPT_ASK: usize = 64;
/// Epochs whose keys are asked for in one frame. More are asked for with the next one.
pub const MAX_KEYS_ASKED: usize = 8;
/// Sealed bytes in an answer with keys, at most. What does not fit comes with the next one.
pub const MAX_KEYS_SEALED: usize = 4_096;
/// Receipts named in one page of a list of them.
pub const MAX_SLOT_PAGE: usize = 512;
/// Ranges of slots in one frame that says what is here. What lies beyond is told later.
pub const MAX_SLOT_RANGES: usize = 512;
/// Parts of a manifest asked for in one frame. More are asked for in the next frame.
pub const MAX_PARTS: usize = 64;
/// Blocks asked for, and given, together.
pub const MAX_RUN: u32 = 4;
/// Bytes of a part of a manifest: a run of the largest blocks.
pub const MAX_PART: usize = MAX_RUN as usize * 32_768;
/// Pairs of evidence in one frame.
pub const MAX_EVIDENCE: usize = 16;
/// Peers that hold a topic, told to a core node in one frame.
pub const MAX_CORE_PEERS: usize = 16;
/// Topics in one report to a client about what it uses. The largest ones are named.
pub const MAX_USAGE_TOPICS: usize = 16;
/// Sealed proof towards a core node: 32 + 32 + 64 and the tag, with room for a ticket.
pub const MAX_AT_CORE: usize = 512;
/// What two members who hold no common newest secret identify themselves by: always exactly this long,
/// also when there is nobody to be identified. A salt and four topics' worth.
pub const IDENTIFY_LEN: usize = 3_608;
/// Sealed message between two devices of a person.
pub const MAX_PAIR: usize = 16_384;
/// What is sealed in it: [`MAX_PAIR`] less a salt of 16 bytes and the tag.
pub const MAX_PAIR_PLAIN: usize = MAX_PAIR - 32;
/// Epochs in one message between two devices. More go into several.
pub const MAX_PAIR_EPOCHS: usize = 4;
/// What a device holds of an epoch's secret, handed to another one: as in a vault.
pub const MAX_PAIR_ACCESS: usize = 1_152;
/// Ticket for a core node.
pub const MAX_TICKET: usize = 256;
/// The sealed box of an invite: always exactly this long, also when there is none.
pub const BOX_LEN: usize = 2_048;
/// Plaintext of that box: less nonce 24 and tag 16.
pub const BOX_PLAIN_LEN: usize = BOX_LEN - 24 - 16;
/// How much of an epoch's secret the box of an invite hands over: its kind and one secret.
pub const BOX_ACCESS: usize = 33;

/// Characters of an invite link, at least and at most.
pub const MIN_LINK: usize = 128;
/// Shortest link to a public topic, which need not name a node.
pub const MIN_TOPIC_LINK: usize = 71;
/// See [`MIN_LINK`].
pub const MAX_LINK: usize = 281;
/// Node addresses in an invite link.
pub const MAX_LINK_ADDRESSES: usize = 2;
/// Bytes of an address in a link.
pub const MAX_LINK_ADDRESS: usize = 40;
/// Characters of a host name (RFC 1035 §2.3.4).
pub const MAX_HOST: usize = 253;
