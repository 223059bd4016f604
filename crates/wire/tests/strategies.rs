//! Legal values at random.

use core::net::IpAddr;

use identity::{
    EnvelopeId, EpochId, Form, GrantId, Id, Kind, NodeId, OperatorTag, PublicKey, Scheme,
    SealingKey, Secret, Signature, TopicId,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use wire::frame::{CorePeer, IdentifyStep, PairStep, Subject, TopicUsage};
use wire::{
    AdvertAddress, AdvertCore, Answer, Certificate, Claim, Class, Code, CutEntry, Difference,
    EpochItem, Frame, Genesis, Gift, Header, Host, Invite, InviteKind, Item, Manifest, NodeAddress,
    NodeAdvert, Parameters, Part, Range, Raw, RawHeader, RawStatement, Receipt, ReceiptKind,
    SealedTo, Slot, SlotRange, Ticket, TopicBox, TopicFrame, TopicPolicy, UriScheme, limits,
};

use crate::rights_strategies::{self, budget, form, terms};

pub(crate) type Bytes = [u8; 32];

pub(crate) fn time() -> impl Strategy<Value = u64> {
    0..=limits::MAX_TIME_MS
}

pub(crate) fn id() -> impl Strategy<Value = EnvelopeId> {
    any::<Bytes>().prop_map(EnvelopeId::from_bytes)
}

pub(crate) fn key() -> impl Strategy<Value = PublicKey> {
    any::<Bytes>().prop_map(PublicKey::from_bytes)
}

pub(crate) fn topic() -> impl Strategy<Value = TopicId> {
    any::<Bytes>().prop_map(TopicId::from_bytes)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<Bytes>().prop_map(NodeId::from_bytes)
}

pub(crate) fn sealing() -> impl Strategy<Value = SealingKey> {
    any::<Bytes>().prop_map(SealingKey::from_bytes)
}

pub(crate) fn grant() -> impl Strategy<Value = GrantId> {
    any::<Bytes>().prop_map(GrantId::from_bytes)
}

pub(crate) fn signature() -> impl Strategy<Value = Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| Signature::from_bytes(bytes.try_into().unwrap()))
}

pub(crate) fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..max)
}

fn shown(max: usize) -> impl Strategy<Value = String> {
    let text = proptest::string::string_regex(&format!("[ -~é☃]{{0,{}}}", max / 3)).unwrap();
    text.prop_filter("shown", |text| wire::is_shown_text(text))
}

fn uri() -> impl Strategy<Value = String> {
    "[a-z]{1,8}://[!-~]{0,40}"
}

pub(crate) fn any_address() -> impl Strategy<Value = NodeAddress> {
    let host = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Host::Ip(IpAddr::from(ip))),
        any::<[u8; 16]>().prop_map(|ip| Host::Ip(IpAddr::from(ip).to_canonical())),
        "[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z]{1,12}){0,3}".prop_map(Host::Name),
    ];
    (node(), host, 1_u16..).prop_map(|(node, host, port)| NodeAddress {
        scheme: UriScheme::Quic,
        node,
        host,
        port,
    })
}

fn manifest() -> impl Strategy<Value = Manifest> {
    (any::<Bytes>(), 1_u32.., 1..=limits::MAX_MANIFEST_BYTES)
        .prop_map(|(root, count, bytes)| Manifest { root, count, bytes })
}

/// Fields that mean the same in every class, content in a topic for the rest.
fn content() -> impl Strategy<Value = Header> {
    let who = (
        topic(),
        key(),
        1..=limits::MAX_NUMBER,
        any::<Bytes>(),
        any::<u64>(),
    );
    let when = (0..limits::MAX_TIME_MS / 2, 1..=limits::MAX_LIFESPAN_MS);
    let body = (
        1..=limits::MAX_BODY as u32,
        any::<Bytes>(),
        1..=limits::MAX_MESSAGES,
    );
    let rest = (
        grant(),
        0..=limits::MAX_HOPS,
        btree_set(id(), 0..=limits::MAX_DEPS),
        prop::option::of(manifest()),
        any::<bool>(),
        btree_map(
            prop_oneof![32_u64..64, 65..=limits::MAX_EXTENSION_KEY],
            crate::cbor::any_value().prop_filter("short", |value| value.len() < 60),
            0..4,
        ),
    );
    (who, when, body, rest).prop_map(|(who, when, body, rest)| {
        let (topic, author, number, previous, above) = who;
        let deps: Vec<EnvelopeId> = rest.2.into_iter().collect();
        let alone = number == 1 && deps.is_empty();
        let generation = if alone {
            1
        } else {
            number.max(2) + above % (limits::MAX_NUMBER - number + 1)
        };
        Header {
            destination: topic.to_id(),
            author,
            number,
            previous: if number == 1 {
                topic.to_bytes()
            } else {
                previous
            },
            generation: generation.min(limits::MAX_NUMBER),
            created: when.0,
            expires: when.0 + when.1,
            body_len: body.0,
            body_hash: body.1,
            count: body.2,
            class: Class::Content,
            grant: rest.0,
            hops: rest.1,
            deps,
            manifest: rest.3,
            clock_unconfirmed: rest.4,
            extensions: rest.5,
        }
    })
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    (content(), 0_u8..4, any::<(u64, Bytes)>()).prop_map(
        |(header, class, (number, to))| match class {
            0 => header,
            1 => Header {
                class: Class::Control,
                expires: 0,
                body_len: header.body_len.min(limits::MAX_CONTROL_BODY as u32),
                count: header.count.min(limits::MAX_ITEMS as u16),
                manifest: None,
                ..header
            },
            2 => Header {
                class: Class::Live,
                expires: header.created + 1 + header.created % limits::MAX_LIVE_LIFESPAN_MS,
                deps: vec![],
                manifest: None,
                generation: header.generation,
                ..header
            },
            _ => Header {
                destination: Id::new(Kind::Node, Scheme::Key, to),
                number,
                previous: [0; 32],
                generation: 1,
                deps: vec![],
                ..header
            },
        },
    )
}

pub(crate) fn item() -> impl Strategy<Value = Item> {
    let certificate = (
        key(),
        key(),
        any::<u32>(),
        signature(),
        cut_ids(limits::MAX_BRANCHES),
    )
        .prop_map(|(device, author, index, signature, branches)| {
            Item::Certificate(Certificate {
                device,
                author,
                index,
                signature,
                branches,
            })
        });
    let gift = || (terms(), grant()).prop_map(|(terms, parent)| Gift { terms, parent });
    let kind = prop_oneof![
        gift().prop_map(InviteKind::WhileAway),
        gift().prop_map(InviteKind::Attended),
        Just(InviteKind::Device),
    ];
    let invite = (key(), sealing(), 1..=limits::MAX_INVITE_USES, time(), kind).prop_map(
        |(key, sealing, uses, until, kind)| {
            Item::Invite(Invite {
                key,
                sealing,
                uses,
                until,
                kind,
            })
        },
    );
    prop_oneof![
        certificate,
        claim().prop_map(Item::Claim),
        invite,
        Just(Item::Leave),
        sealing().prop_map(Item::Sealing),
        bytes(300).prop_map(Item::Profile),
        bytes(300).prop_map(Item::Cores),
        bytes(300).prop_map(Item::Title),
        rights_strategies::item(),
    ]
}

pub(crate) fn cut_ids(max: usize) -> impl Strategy<Value = Vec<EnvelopeId>> {
    btree_set(id(), 0..=max).prop_map(|ids| ids.into_iter().collect())
}

fn claim() -> impl Strategy<Value = Claim> {
    (key(), grant(), key(), sealing(), time(), signature()).prop_map(
        |(invite, grant, device, sealing, time, signature)| Claim {
            invite,
            grant,
            device,
            sealing,
            time,
            signature,
        },
    )
}

pub(crate) fn epoch() -> impl Strategy<Value = EpochItem> {
    (
        time(),
        1..=limits::MAX_TIME_MS,
        vec(sealing(), 1..=limits::MAX_SLICES),
    )
        .prop_map(|(start, slice, keys)| {
            let slice = if keys.len() == 1 { 0 } else { slice };
            EpochItem {
                suite: 1,
                start,
                slice,
                keys,
            }
        })
}

pub(crate) fn genesis() -> impl Strategy<Value = Genesis> {
    let parameters =
        (0_u32..=36_500, 1..=limits::MAX_LIFESPAN_MS).prop_map(|(history_days, lifespan)| {
            Parameters {
                history_days,
                lifespan,
            }
        });
    let root = prop_oneof![key().prop_map(Form::one), form()];
    let policy =
        (any::<bool>(), budget()).prop_map(|(public, budget)| TopicPolicy { public, budget });
    (any::<Bytes>(), root, policy, epoch(), parameters).prop_map(
        |(random, root, policy, epoch, parameters)| Genesis {
            random,
            root,
            policy,
            epoch,
            parameters,
        },
    )
}

fn cut(max: usize) -> impl Strategy<Value = Vec<CutEntry>> {
    let entry = (key(), 1..=limits::MAX_NUMBER, id()).prop_map(|(author, number, id)| CutEntry {
        author,
        number,
        id,
    });
    btree_set(entry, 0..max).prop_map(|cut| cut.into_iter().collect())
}

fn receipt_kind() -> impl Strategy<Value = ReceiptKind> {
    prop_oneof![
        Just(ReceiptKind::Held),
        Just(ReceiptKind::Carried),
        Just(ReceiptKind::Delivered),
        Just(ReceiptKind::Read),
    ]
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> {
    let kind = receipt_kind();
    let marks = btree_set(any::<(u16, u64)>(), 0..20);
    (
        topic(),
        key(),
        any::<u64>(),
        kind,
        cut(20),
        marks,
        time(),
        (time(), operator()),
    )
        .prop_map(|(topic, holder, counter, kind, cut, marks, until, rest)| {
            let (time, operator) = rest;
            let exceptions: std::collections::BTreeSet<(u16, u64)> = marks
                .into_iter()
                .filter(|_| !cut.is_empty())
                .map(|(index, number)| {
                    let index = usize::from(index) % cut.len();
                    (index as u16, 1 + number % cut[index].number)
                })
                .collect();
            let held = kind == ReceiptKind::Held;
            let until = if held { until } else { 0 };
            let operator = operator.filter(|_| held);
            let exceptions = exceptions.into_iter().collect();
            Receipt {
                topic,
                holder,
                counter,
                kind,
                cut,
                exceptions,
                until,
                time,
                operator,
            }
        })
}

fn operator() -> impl Strategy<Value = Option<OperatorTag>> {
    prop::option::of(any::<[u8; 16]>().prop_map(OperatorTag::from_bytes))
}

pub(crate) fn advert() -> impl Strategy<Value = NodeAdvert> {
    let address = (uri(), any::<u8>()).prop_map(|(uri, weight)| AdvertAddress { uri, weight });
    let core = (node(), uri()).prop_map(|(node, uri)| AdvertCore { node, uri });
    (
        node(),
        vec(address, 0..=limits::MAX_ADDRESSES),
        shown(limits::MAX_NAME),
        any::<u32>(),
        time(),
        sealing(),
        prop::option::of(sealing()),
        vec(core, 0..=limits::MAX_CORES),
    )
        .prop_map(
            |(node, addresses, name, version, created, sealing, sealing_before, cores)| {
                NodeAdvert {
                    node,
                    addresses,
                    name,
                    version,
                    created,
                    sealing,
                    sealing_before,
                    cores,
                }
            },
        )
}

fn ticket() -> impl Strategy<Value = Ticket> {
    (topic(), node(), time(), key(), signature()).prop_map(
        |(topic, core, until, device, signature)| Ticket {
            topic,
            core,
            until,
            device,
            signature,
        },
    )
}

pub(crate) fn raw() -> impl Strategy<Value = Raw> {
    (bytes(300), signature(), prop::option::of(bytes(300))).prop_map(
        |(header_bytes, proof, body)| Raw {
            header_bytes,
            proof,
            body,
        },
    )
}

fn raw_header() -> impl Strategy<Value = RawHeader> {
    (bytes(300), signature()).prop_map(|(header_bytes, proof)| RawHeader {
        header_bytes,
        proof,
    })
}

fn statement() -> impl Strategy<Value = RawStatement> {
    (bytes(300), signature()).prop_map(|(bytes, signature)| RawStatement { bytes, signature })
}

fn code() -> impl Strategy<Value = Code> {
    any::<u16>().prop_map(Code)
}

fn sealed_box() -> impl Strategy<Value = Vec<u8>> {
    any::<u8>().prop_map(|fill| vec![fill; limits::BOX_LEN])
}

fn topic_frame() -> impl Strategy<Value = TopicFrame> {
    let range =
        (key(), 1..=limits::MAX_NUMBER, 1..=limits::MAX_NUMBER).prop_map(|(author, a, b)| Range {
            author,
            from: a.min(b),
            to: a.max(b),
        });
    prop_oneof![
        any::<[Bytes; 4]>().prop_map(|[cut, evidence, receipts, invites]| TopicFrame::Hello {
            cut,
            evidence,
            receipts,
            invites
        }),
        (cut(40), any::<(bool, bool)>()).prop_map(|(entries, (first, last))| TopicFrame::Cut {
            entries,
            first,
            last
        }),
        (vec(range, 0..9), any::<bool>()).prop_map(|(ranges, control_only)| TopicFrame::Want {
            ranges,
            control_only
        }),
        (vec(raw(), 0..9), any::<bool>())
            .prop_map(|(envelopes, last)| TopicFrame::Envelopes { envelopes, last }),
        vec(id(), 0..9).prop_map(|ids| TopicFrame::BodyWant { ids }),
        vec((id(), prop::option::of(bytes(99))), 0..9)
            .prop_map(|bodies| TopicFrame::Bodies { bodies }),
        vec(statement(), 0..9).prop_map(|receipts| TopicFrame::Receipts { receipts }),
        vec((raw_header(), raw_header()), 0..9).prop_map(|pairs| TopicFrame::Evidence { pairs }),
        (
            any::<[Bytes; 2]>(),
            sealed_box(),
            time(),
            signature(),
            key()
        )
            .prop_map(|([loc, grant], sealed, until, signature, device)| {
                TopicFrame::Box(TopicBox {
                    loc,
                    sealed,
                    until,
                    signature,
                    device,
                    grant: GrantId::from_bytes(grant),
                })
            }),
        claim().prop_map(TopicFrame::Claim),
        (any::<Bytes>(), sealed_box(), signature(), key()).prop_map(
            |(claim, sealed, signature, device)| {
                TopicFrame::Answer(Answer {
                    claim,
                    sealed,
                    signature,
                    device,
                })
            }
        ),
        Just(TopicFrame::GenesisAsk),
        bytes(900).prop_map(|bytes| TopicFrame::Genesis { bytes }),
        (
            key(),
            1..=limits::MAX_NUMBER,
            code(),
            shown(limits::MAX_TEXT),
            time()
        )
            .prop_map(|(author, number, code, text, retry)| TopicFrame::Refused {
                author,
                number,
                code,
                text,
                retry
            }),
        (slots(), any::<(bool, bool)>()).prop_map(|(slots, (first, last))| TopicFrame::Slots {
            slots,
            first,
            last
        }),
        vec(difference(), 0..9).prop_map(|receipts| TopicFrame::Differences { receipts }),
        slots().prop_map(|slots| TopicFrame::ReceiptAsk { slots }),
        btree_map(any::<[u8; 32]>(), any::<u32>(), 0..9).prop_map(|asked| {
            let asked = asked.into_iter();
            let epochs = asked.map(|(id, slices)| (EpochId::from_bytes(id), slices));
            TopicFrame::KeysAsk {
                epochs: epochs.collect(),
            }
        }),
        (
            any::<[u8; 8]>(),
            any::<[u8; 32]>(),
            vec(any::<u8>(), 17..300)
        )
            .prop_map(|(hint, enc, sealed)| TopicFrame::Keys {
                keys: SealedTo { hint, enc, sealed },
            }),
        manifest().prop_map(|manifest| TopicFrame::BlocksAsk { manifest }),
        (manifest(), vec((1..900_u32, 1..99_u32), 0..99)).prop_map(|(manifest, gaps)| {
            let mut end = 0;
            let slots = gaps.iter().map(|(gap, count)| {
                let (first, count) = (end + gap, *count);
                end = first + count;
                SlotRange { first, count }
            });
            let slots = slots.collect();
            TopicFrame::BlocksHere { manifest, slots }
        }),
        (manifest(), vec(part(), 0..9))
            .prop_map(|(manifest, parts)| TopicFrame::BlockWant { manifest, parts }),
        (manifest(), part(), bytes(900)).prop_map(|(manifest, part, bytes)| TopicFrame::Blocks {
            manifest,
            part,
            bytes
        }),
        any::<Bytes>().prop_map(|with| TopicFrame::Meet { with }),
        (node(), any::<IpAddr>(), 1..=u16::MAX).prop_map(|(node, ip, port)| {
            let address = (ip.to_canonical(), port).into();
            TopicFrame::Met { node, address }
        }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let run = (
        0..=limits::MAX_MANIFEST_BLOCKS - limits::MAX_RUN,
        1..=limits::MAX_RUN,
    );
    prop_oneof![
        Just(Part::List),
        (0..limits::MAX_MANIFEST_PAGES).prop_map(Part::Page),
        run.prop_map(|(first, count)| Part::Blocks(SlotRange { first, count })),
    ]
}

/// Any part of a receipt, from any earlier one.
pub(crate) fn difference() -> impl Strategy<Value = Difference> {
    let rest = (any::<u64>(), btree_set(key(), 0..9), any::<u8>());
    (receipt(), signature(), rest).prop_map(|(mut receipt, signature, (back, gone, chosen))| {
        receipt.counter = receipt.counter.max(1);
        let base = back % receipt.counter;
        let of = |author: &PublicKey| author.as_bytes()[0] <= chosen;
        let named = |author: &PublicKey| receipt.cut.iter().any(|entry| entry.author == *author);
        let gone = gone.into_iter().filter(|author| !named(author)).collect();
        Difference::of(&receipt, signature, base, gone, of)
    })
}

fn slots() -> impl Strategy<Value = Vec<Slot>> {
    btree_map((key(), receipt_kind()), any::<u64>(), 0..9).prop_map(|slots| {
        let slot = |((holder, kind), counter)| Slot {
            holder,
            kind,
            counter,
        };
        slots.into_iter().map(slot).collect()
    })
}

fn link_frame() -> impl Strategy<Value = Frame> {
    let tags = (btree_set(any::<[u8; 16]>(), 64), 4_u32..7);
    prop_oneof![
        (
            any::<(u16, u16)>(),
            time(),
            any::<u32>(),
            shown(limits::MAX_SOFTWARE)
        )
            .prop_map(|((a, b), wall, advert, software)| Frame::Hello {
                min: a.min(b),
                max: a.max(b),
                wall,
                advert,
                software
            }),
        (code(), shown(limits::MAX_TEXT)).prop_map(|(code, text)| Frame::Bye { code, text }),
        any::<u64>().prop_map(|nonce| Frame::Ping { nonce }),
        any::<u64>().prop_map(|nonce| Frame::Pong { nonce }),
        statement().prop_map(Frame::Advert),
        Just(Frame::AdvertAsk),
        (any::<u32>(), tags).prop_map(|(round, (tags, log))| Frame::Tags {
            round,
            tags: tags.into_iter().take(1 << log).collect()
        }),
        (
            any::<[u8; 16]>(),
            key(),
            grant(),
            prop::option::of(claim()),
            signature()
        )
            .prop_map(|(tag, device, grant, claim, signature)| Frame::Show {
                tag,
                device,
                grant,
                claim,
                signature
            }),
        grant().prop_map(|grant| Frame::GrantAsk { grant }),
        (grant(), vec(raw(), 0..5))
            .prop_map(|(grant, envelopes)| Frame::GrantProof { grant, envelopes }),
        (any::<[[u8; 16]; 2]>(), bytes(limits::MAX_AT_CORE))
            .prop_map(|([token, tag], sealed)| Frame::AtCore { token, tag, sealed }),
        (any::<bool>(), any::<[u8; 32]>()).prop_map(|(answer, some)| Frame::Identify {
            step: match answer {
                false => IdentifyStep::Question,
                true => IdentifyStep::Answer,
            },
            sealed: some
                .into_iter()
                .cycle()
                .take(limits::IDENTIFY_LEN)
                .collect(),
        }),
        (any::<Bytes>(), claim()).prop_map(|(loc, claim)| Frame::ClaimPut { loc, claim }),
        (any::<[Bytes; 2]>(), sealed_box()).prop_map(|([loc, claim], sealed)| Frame::ClaimAnswer {
            loc,
            claim,
            sealed
        }),
        any::<[Bytes; 2]>().prop_map(|[loc, claim]| Frame::ClaimAsk { loc, claim }),
        any::<Bytes>().prop_map(|loc| Frame::InviteGet { loc }),
        (any::<Bytes>(), sealed_box()).prop_map(|(loc, sealed)| Frame::InviteBox { loc, sealed }),
        (any::<Bytes>(), sealed_box(), time()).prop_map(|(loc, sealed, until)| Frame::BoxPut {
            loc,
            sealed,
            until
        }),
    ]
}

fn usage() -> impl Strategy<Value = Vec<TopicUsage>> {
    let topics = btree_map(topic(), any::<[u64; 3]>(), 0..=16);
    topics.prop_map(|topics| {
        let usage = |(topic, [share, own, guests]): (_, [u64; 3])| TopicUsage {
            topic,
            share,
            own,
            guests,
        };
        topics.into_iter().map(usage).collect()
    })
}

fn core_frame() -> impl Strategy<Value = Frame> {
    let peer =
        (node(), uri(), ticket()).prop_map(|(node, uri, ticket)| CorePeer { node, uri, ticket });
    prop_oneof![
        (any::<[u8; 16]>(), any::<Bytes>())
            .prop_map(|(token, mac)| Frame::CoreClaim { token, mac }),
        (any::<(u64, u64, u32)>(), time(), time()).prop_map(
            |((quota, used, topics), max_hold, retires)| Frame::CoreAgreed {
                quota,
                used,
                topics,
                max_hold,
                retires,
            }
        ),
        (code(), shown(limits::MAX_TEXT), time())
            .prop_map(|(code, text, retry)| Frame::CoreRefused { code, text, retry }),
        (topic(), bytes(900), any::<Bytes>(), any::<u64>()).prop_map(
            |(topic, genesis, secret, share)| Frame::CoreServe {
                topic,
                genesis,
                secret: Secret::from_bytes(secret),
                share
            }
        ),
        topic().prop_map(|topic| Frame::CoreServing { topic }),
        topic().prop_map(|topic| Frame::CoreUnserve { topic }),
        (topic(), vec(peer, 0..=limits::MAX_CORE_PEERS))
            .prop_map(|(topic, peers)| Frame::CorePeers { topic, peers }),
        (any::<[u64; 4]>(), usage()).prop_map(|([quota, used, headers, header_quota], topics)| {
            Frame::CoreUsage {
                quota,
                used,
                headers,
                header_quota,
                topics,
            }
        }),
    ]
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let subject = prop_oneof![
        Just(Subject::Link),
        topic().prop_map(Subject::Topic),
        any::<Bytes>().prop_map(Subject::Box),
        id().prop_map(Subject::Mail),
    ];
    prop_oneof![
        link_frame(),
        core_frame(),
        (topic(), topic_frame()).prop_map(|(topic, frame)| Frame::Topic { topic, frame }),
        raw().prop_map(Frame::Mail),
        statement().prop_map(Frame::MailReceipt),
        (0..3_u8, bytes(limits::MAX_PAIR)).prop_map(|(step, sealed)| Frame::Pair {
            step: match step {
                0 => PairStep::Seed,
                1 => PairStep::Known,
                _ => PairStep::On,
            },
            sealed,
        }),
        (subject, code(), shown(limits::MAX_TEXT), time()).prop_map(
            |(subject, code, text, retry)| Frame::Refused {
                subject,
                code,
                text,
                retry
            }
        ),
    ]
}
