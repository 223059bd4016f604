//! Who is welcomed as a guest by a machine, and who waits for a person.

use super::Mutation;

const MAIN: &[&str] = &["-p node --test main -- guests::"];
const ROWS: &[&str] = &["-p node --lib -- guests::"];

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "a machine gives what was taken back of an invite",
        file: "crates/node/src/welcoming.rs",
        from: "stands.is_some_and(|it| it.over == Over::default());",
        to: "stands.is_some_and(|it| it.over == Over::default() || true);",
        tests: MAIN,
    },
    Mutation {
        what: "a guest that is stopped waits for as much as it had",
        file: "crates/node/src/grants.rs",
        from: "let silent = spent || !has.rights",
        to: "let _spent = spent; let silent = !has.rights",
        tests: MAIN,
    },
    Mutation {
        what: "a guest that is stopped begins another author key under its invite",
        file: "crates/node/src/grants.rs",
        from: "|grant: &GrantId| *grant != present && !shunned.contains(grant);",
        to: "|grant: &GrantId| (*grant != present || true) && !shunned.contains(grant);",
        tests: MAIN,
    },
    Mutation {
        what: "a device stays under a grant under which the rules refuse what it writes",
        file: "crates/node/src/commands/messages.rs",
        from: "if self.shun_grant(turn, local) =>",
        to: "if false && self.shun_grant(turn, local) =>",
        tests: &["-p node --test main -- restored::"],
    },
    Mutation {
        what: "a clock that nobody confirmed says who came late",
        file: "crates/node/src/guests.rs",
        from: "self.confirmed && self.at > invite.until",
        to: "self.at > invite.until",
        tests: MAIN,
    },
    Mutation {
        what: "who came late is welcomed",
        file: "crates/node/src/guests.rs",
        from: "self.confirmed && self.at > invite.until",
        to: "self.confirmed && self.at > invite.until && false",
        tests: MAIN,
    },
    Mutation {
        what: "a guest that may still write goes over to what another administrator gives",
        file: "crates/node/src/grants.rs",
        from: "let freed = counts && same &&",
        to: "let freed = counts && (same || true) &&",
        tests: MAIN,
    },
    Mutation {
        what: "a leaked link fills as many rows as it has claimers",
        file: "crates/node/src/guests.rs",
        from: "if others.len() >= most ||",
        to: "if (others.len() >= most && false) ||",
        tests: ROWS,
    },
    Mutation {
        what: "one device fills as many rows as it has keys",
        file: "crates/node/src/guests.rs",
        from: "|| same.len() as u64 >= MAX_KEYS {",
        to: "|| (same.len() as u64 >= MAX_KEYS && false) {",
        tests: ROWS,
    },
    Mutation {
        what: "who was given as much by a person is a guest",
        file: "crates/node/src/guests.rs",
        from: "grants::gives_as_much(has.as_ref(), gift.as_ref())",
        to: "(grants::gives_as_much(has.as_ref(), gift.as_ref()) && false)",
        tests: ROWS,
    },
    Mutation {
        what: "the bytes of a guest are not counted",
        file: "crates/node/src/guests.rs",
        from: "(number, author.spent_in_all())",
        to: "(number, author.spent_in_all().min(0))",
        tests: MAIN,
    },
    Mutation {
        what: "each who may admit welcomes as many as the invite has uses",
        file: "crates/node/src/welcoming.rs",
        from: "for (invite, _) in &let_in {",
        to: "for (invite, _) in let_in.iter().take(0) {",
        tests: MAIN,
    },
    Mutation {
        what: "a leaked link uses up what its inviter can give",
        file: "crates/node/src/welcoming.rs",
        from: "MAX_GUEST_GRANTS.saturating_sub(given.unwrap_or(0))",
        to: "MAX_GUEST_GRANTS.saturating_sub(given.unwrap_or(0).min(0))",
        tests: MAIN,
    },
    Mutation {
        what: "who is refused for a while leaves without a word",
        file: "crates/topic/src/commands.rs",
        from: "matches!(rule, Rule::Total | Rule::Ended | Rule::Holder)",
        to: "matches!(rule, Rule::Total | Rule::Ended | Rule::Holder | Rule::Rate)",
        tests: MAIN,
    },
    Mutation {
        what: "a guest spends all that it may write on naming what others said",
        file: "crates/node/src/epochs/announcing.rs",
        from: "if self.is_scarce(turn, local) {",
        to: "if false && self.is_scarce(turn, local) {",
        tests: MAIN,
    },
    Mutation {
        what: "who reads for a time gives a link that opens nothing while nobody is there",
        file: "crates/node/src/commands/inviting.rs",
        from: "if asked.while_away && !public && rights.read.is_some() && !begins {",
        to: "if false && asked.while_away && !public && rights.read.is_some() && !begins {",
        tests: &["-p node --test main -- giving::"],
    },
];
