//! Every decoder as one table, for tests that hold of all of them.

use wire::plain::{BoxContents, CoreList, Profile, Title, decode_messages, encode_messages};
use wire::{
    Difference, Frame, Genesis, Item, MailReceipt, NodeAdvert, Raw, RawHeader, RawStatement,
    Receipt, ReceiptKind, Ticket, decode_header, decode_items, encode_items,
};

use crate::{rights_samples, samples};

/// Decodes and encodes again.
pub(crate) type Again = fn(&[u8]) -> Option<Vec<u8>>;

/// A decoder's name, the decoder, and encodings that it accepts.
pub(crate) type Entry = (&'static str, Again, Vec<Vec<u8>>);

pub(crate) fn all() -> Vec<Entry> {
    let headers: Vec<Vec<u8>> = samples::headers()
        .into_iter()
        .map(|(_, header, body)| samples::raw(header, body).header_bytes)
        .collect();
    let raws: Vec<Raw> = samples::headers()
        .into_iter()
        .map(|(_, header, body)| samples::raw(header, body))
        .collect();
    vec![
        (
            "header",
            |b| decode_header(b).ok().map(|v| v.encode()),
            headers,
        ),
        (
            "raw",
            |b| Raw::decode(b).ok().map(|v| v.encode()),
            raws.iter().map(Raw::encode).collect(),
        ),
        (
            "raw header",
            |b| RawHeader::decode(b).ok().map(|v| v.encode()),
            raws.iter().map(|raw| raw.to_header().encode()).collect(),
        ),
        (
            "statement",
            |b| RawStatement::decode(b).ok().map(|v| v.encode()),
            samples::statements()
                .iter()
                .map(|(_, raw)| raw.encode())
                .collect(),
        ),
        (
            "item",
            |b| Item::decode(b).ok().map(|v| v.encode()),
            samples::items()
                .iter()
                .chain(&rights_samples::rights_items())
                .map(Item::encode)
                .collect(),
        ),
        (
            "items",
            |b| decode_items(b).ok().map(|v| encode_items(&v)),
            rights_samples::rights_items()
                .into_iter()
                .map(|item| encode_items(&[item]))
                .chain([encode_items(&samples::items()), encode_items(&[])])
                .collect(),
        ),
        (
            "genesis",
            |b| Genesis::decode(b).ok().map(|v| v.encode()),
            vec![
                samples::genesis().encode(),
                rights_samples::other_genesis().encode(),
            ],
        ),
        (
            "receipt",
            |b| Receipt::decode(b).ok().map(|v| v.encode()),
            vec![
                samples::receipt(ReceiptKind::Held).encode(),
                samples::receipt(ReceiptKind::Read).encode(),
                samples::receipt_of_operator().encode(),
            ],
        ),
        (
            "difference",
            |b| Difference::decode(b).ok().map(|v| v.encode()),
            vec![
                samples::difference(ReceiptKind::Held).encode(),
                samples::difference(ReceiptKind::Read).encode(),
                samples::difference_of(&samples::receipt_of_operator()).encode(),
            ],
        ),
        (
            "mail receipt",
            |b| MailReceipt::decode(b).ok().map(|v| v.encode()),
            vec![
                samples::mail_receipt().encode(),
                samples::mail_receipt_of_operator().encode(),
            ],
        ),
        (
            "advert",
            |b| NodeAdvert::decode(b).ok().map(|v| v.encode()),
            vec![samples::advert().encode()],
        ),
        (
            "ticket",
            |b| Ticket::decode(b).ok().map(|v| v.encode()),
            vec![samples::ticket().encode()],
        ),
        (
            "frame",
            |b| Frame::decode(b).ok().map(|v| v.encode()),
            samples::frames().iter().map(Frame::encode).collect(),
        ),
        (
            "messages",
            |b| decode_messages(b).ok().map(|v| encode_messages(&v)),
            vec![encode_messages(&samples::messages())],
        ),
        (
            "profile",
            |b| Profile::decode(b).ok().map(|v| v.encode()),
            vec![samples::profile().encode()],
        ),
        (
            "cores",
            |b| CoreList::decode(b).ok().map(|v| v.encode()),
            vec![samples::core_list().encode(), CoreList::default().encode()],
        ),
        (
            "title",
            |b| Title::decode(b).ok().map(|v| v.encode()),
            vec![samples::title().encode()],
        ),
        (
            "box",
            |b| BoxContents::decode(b).ok().and_then(|v| v.encode().ok()),
            vec![samples::box_contents().encode().unwrap()],
        ),
    ]
}

#[test]
fn every_sample_is_accepted_and_gives_its_bytes_back() {
    for (name, again, encodings) in all() {
        for bytes in encodings {
            assert_eq!(again(&bytes).as_ref(), Some(&bytes), "{name}");
        }
    }
}

#[test]
fn the_samples_have_every_type_of_frame() {
    let link: std::collections::BTreeSet<u8> = samples::frames().iter().map(Frame::kind).collect();
    assert!(link.into_iter().eq(0..=30));
    let topic: std::collections::BTreeSet<u8> = samples::topic_frames()
        .iter()
        .map(wire::TopicFrame::kind)
        .collect();
    assert!(topic.into_iter().eq((0..=18).chain(20..=26)));
}
