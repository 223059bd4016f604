//! What a node keeps, and whom it believes: proposals of owners, and who has a public topic.

use super::Mutation;

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "a proposal is kept that somebody has signed who is no owner",
        file: "crates/node/src/proposals.rs",
        from: "if !signers.iter().all(|signer| now.form.has(signer)) {",
        to: "if false && !signers.iter().all(|signer| now.form.has(signer)) {",
        tests: &["-p node --test main -- together:: owners::"],
    },
    Mutation {
        what: "signatures of a proposal are not verified",
        file: "crates/node/src/proposals.rs",
        from: "member.filter(|_| proposal.verify(topic).is_ok())",
        to: "member.filter(|_| true || proposal.verify(topic).is_ok())",
        tests: &["-p node --test main -- together::"],
    },
    Mutation {
        what: "a proposal of owners as they were before is kept",
        file: "crates/node/src/proposals.rs",
        from: "proposal.under() == Some(now.id)",
        to: "(true || proposal.under() == Some(now.id))",
        tests: &["-p node --test main -- together::"],
    },
    Mutation {
        what: "one owner fills the room of the others",
        file: "crates/node/src/proposals.rs",
        from: "new.contains(device) || signs(device) < MAX_SIGNED_PROPOSALS",
        to: "new.contains(device) || signs(device) < MAX_SIGNED_PROPOSALS || true",
        tests: &["-p node --test main -- together::"],
    },
    Mutation {
        what: "a proposal is kept of which the law does not speak",
        file: "crates/node/src/proposals.rs",
        from: "if !self.are_lawful(local, items) {",
        to: "if false && !self.are_lawful(local, items) {",
        tests: &["-p node --test main -- together::"],
    },
    Mutation {
        what: "a proposal waits for ever",
        file: "crates/node/src/proposals.rs",
        from: "if !open || self.is_too_old(turn, &proposal) {",
        to: "if !open {",
        tests: &["-p node --test main -- together::"],
    },
    Mutation {
        what: "whoever is said to have a public topic is known by that",
        file: "crates/node/src/reading.rs",
        from: "self.keep(turn, way.node, Why::Way, vec![way.authority()]);",
        to: "self.keep(turn, way.node, Why::TopicCore, vec![way.authority()]);",
        tests: &["-p node --test main -- ways::"],
    },
    Mutation {
        what: "whom a node is told to dial for a public topic it knows",
        file: "crates/router/src/hello.rs",
        from: "if self.targets.trusts(&node) { link.trust = Trust::Known;",
        to: "if self.targets.has(&node) { link.trust = Trust::Known;",
        tests: &["-p node --test main -- ways::"],
    },
    Mutation {
        what: "the first who answers for an id ends the search",
        file: "crates/node/src/reading.rs",
        from: "match local.filter(|local| self.is_empty(turn, *local)) {",
        to: "match local.filter(|_| false) {",
        tests: &["-p node --test main -- ways::"],
    },
    Mutation {
        what: "who answers for an id again and again is heard each time",
        file: "crates/node/src/reading.rs",
        from: "sought.answered.len() < MAX_ANSWERS && sought.answered.insert(node);",
        to: "sought.answered.len() < MAX_ANSWERS;",
        tests: &["-p node --test main -- ways::"],
    },
    Mutation {
        what: "a public topic that has come by an invite is begun once more",
        file: "crates/node/src/reading.rs",
        from: "let local = match self.host.keys.local(&topic) {",
        to: "let local = match self.host.keys.local(&topic).filter(|_| false) {",
        tests: &["-p node --test main -- public::"],
    },
    Mutation {
        what: "a reader takes part by any grant that it shows",
        file: "crates/node/src/reading.rs",
        from: "let claimed = claimed.then_some(shown.grant);",
        to: "let claimed = (claimed || true).then_some(shown.grant);",
        tests: &["-p node --test main -- public:: ways::"],
    },
    Mutation {
        what: "the core nodes of whoever has lost its part are those of the topic",
        file: "crates/node/src/tidings.rs",
        from: "said.retain(|(device, _)| lace.has_member(store, device));",
        to: "said.retain(|(device, _)| true || lace.has_member(store, device));",
        tests: &["-p node --test main -- fallen::"],
    },
    Mutation {
        what: "the core nodes of whoever has left are those of the topic",
        file: "crates/node/src/tidings.rs",
        from: "said.retain(|(device, _)| !self.has_left(turn.cx, local, device));",
        to: "said.retain(|_| true);",
        tests: &["-p node --test main -- fallen::"],
    },
    Mutation {
        what: "what waits for its time is given before it",
        file: "crates/node/src/releases.rs",
        from: "all.find(|gift| gift.at <= wall)",
        to: "all.next()",
        tests: &["-p node --test main -- releases::"],
    },
    Mutation {
        what: "what waits for one is taken back with what another holds",
        file: "crates/node/src/releases.rs",
        from: "if gift.holder().as_ref() != Some(member) || gift.row.rights.len() == had {",
        to: "if gift.row.rights.len() == had {",
        tests: &["-p node --test main -- releases::"],
    },
];
