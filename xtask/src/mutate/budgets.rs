//! What may be spent, and what may be given of it.

use super::Mutation;

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "what has no limit is given out of what has one",
        file: "crates/rights/src/budget.rs",
        from: "Some(_) if unlimited => return Err(CarveError::NoLimit),",
        to: "Some(_) if unlimited && false => return Err(CarveError::NoLimit),",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "grants sum to more than the share",
        file: "crates/rights/src/budget.rs",
        from: "Some(bound) if sum > bound => return Err(CarveError::TooMuch),",
        to: "Some(bound) if sum > bound && false => return Err(CarveError::TooMuch),",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "a chain gives as many grants as it likes",
        file: "crates/rights/src/budget.rs",
        from: "if count > MAX_GRANTS {",
        to: "if false && count > MAX_GRANTS {",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "what is over weighs nothing at once",
        file: "crates/rights/src/budget.rs",
        from: "created < gone.saturating_add(BUCKET_MS)",
        to: "created < gone",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "what was taken back weighs nothing at once",
        file: "crates/rights/src/budget.rs",
        from: "_ if self.ended => self.since,",
        to: "_ if self.ended => return false,",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "a device gives away all that its composition has",
        file: "crates/rights/src/budget.rs",
        from: "let of = |rate: u64| rate.min(MAX_RATE) * u64::from(share.min(256)) / 256;",
        to: "let of = |rate: u64| rate.min(MAX_RATE) * u64::from(share.max(256)) / 256;",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "a device spends all that its composition has",
        file: "crates/rights/src/budget.rs",
        from: "let of = |rate: u64| (rate.min(MAX_RATE) * u64::from(share.min(256)) / 256).max(1);",
        to: "let of = |rate: u64| (rate.min(MAX_RATE) * u64::from(share.max(256)) / 256).max(1);",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law",
        ],
    },
    Mutation {
        what: "a bucket overflows its ten minutes",
        file: "crates/rights/src/budget.rs",
        from: "let filled = level.saturating_add(refill).min(capacity(Some(rate)));",
        to: "let filled = level.saturating_add(refill);",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "an envelope without messages costs none",
        file: "crates/rights/src/budget.rs",
        from: "cost.messages.max(1), ); let bytes",
        to: "cost.messages, ); let bytes",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "messages of a rate are not counted",
        file: "crates/rights/src/law/spend.rs",
        from: "u64::from(header.count)",
        to: "u64::from(header.count.min(0))",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "bytes of a rate are not counted",
        file: "crates/rights/src/law/spend.rs",
        from: "bytes: length.saturating_add(u64::from(header.body_len)),",
        to: "bytes: length.saturating_add(u64::from(header.body_len)).min(0),",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "header and proof are not counted",
        file: "crates/rights/src/law/spend.rs",
        from: "bytes: length.saturating_add(u64::from(header.body_len)),",
        to: "bytes: length.min(0).saturating_add(u64::from(header.body_len)),",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "a bucket fills by any time",
        file: "crates/rights/src/law/spend.rs",
        from: "header.created.saturating_sub(previous.created)",
        to: "header.created",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
    Mutation {
        what: "who names no bound spends without one in a topic that has one",
        file: "crates/rights/src/law/chain.rs",
        from: "(chain.rights, chain.budget) = look.gift(&fact.what).ok_or(Rule::Chain)?;",
        to: "(chain.rights, chain.budget) = terms(&fact.what).ok_or(Rule::Chain)?;",
        tests: &["-p rights --test law -- rates:: rules::"],
    },
    Mutation {
        what: "what names no bound weighs nothing in a topic that has one",
        file: "crates/rights/src/law/issue.rs",
        from: "let (rights, budget) = look.gift(item).unwrap_or_default();",
        to: "let (rights, budget) = chain::terms(item).unwrap_or_default();",
        tests: &["-p rights --test law -- rules:: trees::"],
    },
    Mutation {
        what: "what is jointly given names no bound and has none in a topic that has one",
        file: "crates/rights/src/law/take.rs",
        from: "let budget = look.budget_of(grant.budget);",
        to: "let budget = grant.budget;",
        tests: &["-p rights --test law -- rules::"],
    },
    Mutation {
        what: "a stranger is shown more than the topic's bounds",
        file: "crates/rights/src/chain.rs",
        from: "let budget = self.policy.budget_of(named);",
        to: "let budget = named;",
        tests: &["-p rights --test main -- chain::"],
    },
    Mutation {
        what: "a genesis bounds what is written in all, and nobody counts it",
        file: "crates/rights/src/law/mod.rs",
        from: "if genesis.policy.budget.has_totals() {",
        to: "if false {",
        tests: &["-p rights --test law -- rules::"],
    },
    Mutation {
        what: "an unwelcomed guest writes as many envelopes as it likes",
        file: "crates/rights/src/law/spend.rs",
        from: "if many || budget.total_bytes",
        to: "let _many = many; if budget.total_bytes",
        tests: &["-p rights --test law -- rates::"],
    },
    Mutation {
        what: "an unwelcomed guest writes as many bytes as it likes",
        file: "crates/rights/src/law/spend.rs",
        from: "if many || budget.total_bytes.is_some_and(|most| total > most) {",
        to: "if many {",
        tests: &["-p rights --test law -- rates::"],
    },
    Mutation {
        what: "control has no rate",
        file: "crates/rights/src/law/spend.rs",
        from: "(!is_content).then_some(&cost),",
        to: "(!is_content).then_some(&cost).filter(|_| false),",
        tests: &[
            "-p rights --test main -- delegation::",
            "-p rights --test law -- rates:: trees::",
        ],
    },
];
