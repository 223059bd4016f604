//! How long it takes to say what stands, and what an effect that only grew saves:
//! `cargo run -p rights --release --example eff-speed`. Figures of one machine, which promise nothing.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time, which is no input of what it measures"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use identity::{EnvelopeId, Form, GrantId, PublicKey};
use rights::eff::{
    AuthorNo, Certificate, Fact, FactNo, Facts, Grant, Revocation, Rights, Root, Spot, What, eff,
};

/// Members in a tree of five children each, every one with an author and a revocation in ten.
struct Tree {
    facts: Vec<Fact>,
    root: Root,
}

fn bytes(kind: u8, number: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn number(id: &EnvelopeId) -> u64 {
    let mut last = [0; 8];
    last.copy_from_slice(&id.as_bytes()[24..]);
    u64::from_be_bytes(last)
}

/// Envelope 1,000,000 × author + number.
fn envelope(author: u64, number: u64) -> EnvelopeId {
    EnvelopeId::from_bytes(bytes(3, author * 1_000_000 + number))
}

impl Tree {
    fn new(members: u64) -> Self {
        let form = |member| Form::one(PublicKey::from_bytes(bytes(1, member)));
        let grant = |member| GrantId::from_bytes(bytes(2, member));
        let mut facts = Vec::new();
        for member in 0..members {
            let add = |facts: &mut Vec<Fact>, author: u64, at: u64, item, what| {
                facts.push(Fact {
                    no: FactNo(facts.len() as u32),
                    item,
                    carrier: envelope(author, at),
                    index: 0,
                    author: AuthorNo(author as u32),
                    number: at,
                    generation: member,
                    created: 0,
                    what,
                });
            };
            if member > 0 {
                let parent = (member - 1) / 5;
                let what = What::Grant(Grant {
                    parent: grant(parent),
                    holder: form(member).member(),
                    form: Some(form(member)),
                    joint: None,
                });
                add(&mut facts, parent, member - parent, grant(member), what);
                if member.is_multiple_of(10) {
                    let what = What::Revocation(Revocation {
                        grant: grant(member),
                        cut: (1..=16).map(|at| envelope(member, at)).collect(),
                        cascade: false,
                        rights: Rights::ALL,
                        joint: None,
                    });
                    let item = GrantId::from_bytes(bytes(4, member));
                    add(&mut facts, parent, member - parent + 100_000, item, what);
                }
            }
            let what = What::Certificate(Certificate {
                device: PublicKey::from_bytes(bytes(1, member)),
                grant: grant(member),
                index: 0,
                branches: vec![],
            });
            let item = GrantId::from_bytes(bytes(5, member));
            add(&mut facts, member, 1, item, what);
        }
        let root = Root {
            grant: grant(0),
            form: form(0),
        };
        Self { facts, root }
    }
}

impl Facts for Tree {
    fn root(&self) -> &Root {
        &self.root
    }

    fn fact(&self, no: FactNo) -> Option<&Fact> {
        self.facts.get(no.0 as usize)
    }

    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool {
        let end = number(end);
        end / 1_000_000 == u64::from(of.author.0) && of.number <= end % 1_000_000
    }

    fn in_past(&self, _: FactNo, _: &EnvelopeId) -> bool {
        true
    }
}

fn main() {
    for (members, runs) in [(480, 400), (4_800, 40)] {
        let tree = Tree::new(members);
        let set: Vec<FactNo> = tree.facts.iter().map(|fact| fact.no).collect();
        let mut best = u128::MAX;
        for _ in 0..runs {
            let start = Instant::now();
            let effect = eff(&tree, &set, &BTreeMap::new());
            best = best.min(start.elapsed().as_micros());
            assert_eq!(effect.grants().len() as u64, members);
        }
        println!("{} facts: {best} us, the best of {runs}", set.len());
    }
}
