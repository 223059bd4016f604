//! What a frame costs of a link's credit. It must be exact: whoever grants the credit counts the
//! bytes that left, and what the two count differently would add up.

use crate::limits::FRAME_COST;
use identity::TopicId;
use wire::{Frame, Raw, TopicFrame};

/// The cost of a frame about a topic. Large byte strings are counted, not encoded.
pub(crate) fn cost(topic: TopicId, frame: &TopicFrame) -> usize {
    let mut large = 0_usize;
    let mut count = |bytes: usize| large = large.saturating_add(bytes).saturating_add(head(bytes));
    let frame = match frame {
        TopicFrame::Envelopes { envelopes, last } => {
            let small = |raw: &Raw| {
                count(raw.header_bytes.len());
                if let Some(body) = &raw.body {
                    count(body.len());
                }
                let body = raw.body.as_ref().map(|_| Vec::new());
                Raw {
                    header_bytes: Vec::new(),
                    proof: raw.proof,
                    body,
                }
            };
            let envelopes = envelopes.iter().map(small).collect();
            TopicFrame::Envelopes {
                envelopes,
                last: *last,
            }
        }
        TopicFrame::Bodies { bodies } => {
            let mut small = Vec::with_capacity(bodies.len());
            for (id, body) in bodies {
                if let Some(body) = body {
                    count(body.len());
                }
                small.push((*id, body.as_ref().map(|_| Vec::new())));
            }
            TopicFrame::Bodies { bodies: small }
        }
        other => other.clone(),
    };
    let small = Frame::Topic { topic, frame }.encode().len();
    small.saturating_add(large).saturating_add(FRAME_COST)
}

/// Bytes by which the head of a byte string of this length is longer than that of an empty one.
const fn head(bytes: usize) -> usize {
    match bytes {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAME_COST, cost};
    use identity::{EnvelopeId, PublicKey, Signature, TopicId};
    use wire::{Code, CutEntry, Frame, Range, Raw, TopicFrame};

    #[test]
    fn costs_are_exact() {
        let id = EnvelopeId::from_bytes([1; 32]);
        let author = PublicKey::from_bytes([2; 32]);
        let mut frames = vec![
            TopicFrame::GenesisAsk,
            TopicFrame::Hello {
                cut: [1; 32],
                evidence: [2; 32],
                receipts: [3; 32],
                invites: [4; 32],
            },
            TopicFrame::Cut {
                entries: vec![
                    CutEntry {
                        author,
                        number: 70_000,
                        id
                    };
                    40
                ],
                first: true,
                last: false,
            },
            TopicFrame::Want {
                ranges: vec![Range {
                    author,
                    from: 1,
                    to: 300,
                }],
                control_only: false,
            },
            TopicFrame::Refused {
                author,
                number: 9,
                code: Code::QUOTA,
                text: "full".into(),
                retry: 1,
            },
        ];
        for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536] {
            let header_bytes = vec![7; length % 2048];
            let proof = Signature::from_bytes([0; 64]);
            let with = Raw {
                header_bytes: header_bytes.clone(),
                proof,
                body: Some(vec![1; length]),
            };
            let without = Raw {
                header_bytes,
                proof,
                body: None,
            };
            frames.push(TopicFrame::Envelopes {
                envelopes: vec![with, without],
                last: true,
            });
            let bodies = vec![(id, Some(vec![5; length])), (id, None)];
            frames.push(TopicFrame::Bodies { bodies });
        }
        let topic = TopicId::from_bytes([9; 32]);
        for frame in frames {
            let expected = Frame::Topic {
                topic,
                frame: frame.clone(),
            }
            .encode()
            .len();
            assert_eq!(cost(topic, &frame), expected + FRAME_COST, "{frame:?}");
        }
    }
}
