//! What stands of what was admitted.

use super::Mutation;

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "a revocation by somebody who is not above counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "if self.index.edges[grant].holder == Some(by) || !self.index.is_above(by, grant) {",
        to: "if self.index.edges[grant].holder == Some(by) {",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a revocation from a grant that is no higher counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "None => self.is_higher(at, depth) && self.is_firm(at),",
        to: "None => (true || self.is_higher(at, depth)) && self.is_firm(at),",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a revocation by somebody who was cut off counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "None => self.is_higher(at, depth) && self.is_firm(at),",
        to: "None => self.is_higher(at, depth) && (true || self.is_firm(at)),",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a revocation from a fork counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "self.is_inside(at) && self.forked(at).is_none()",
        to: "self.is_inside(at) && (true || self.forked(at).is_none())",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a grant stands that was given outside the cut of its giver",
        file: "crates/rights/src/eff/mod.rs",
        from: "None => self.index.grant_of(at) == Some(parent) && self.is_inside(at),",
        to: "None => self.index.grant_of(at) == Some(parent) && (true || self.is_inside(at)),",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a grant stands that was given under another one",
        file: "crates/rights/src/eff/mod.rs",
        from: "None => self.index.grant_of(at) == Some(parent) && self.is_inside(at),",
        to: "None => self.is_inside(at),",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "what was given by somebody who does not stand is born",
        file: "crates/rights/src/eff/mod.rs",
        from: "let Some(parent) = parent.filter(|parent| self.standing[*parent].born) else {",
        to: "let Some(parent) = parent else {",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "joint items stand whose signatures are not enough",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.stands_jointly(at, joint) && self.is_covered(at, parent)",
        to: "&& self.is_covered(at, parent)",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "joint items stand that the end of their parent does not leave",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.stands_jointly(at, joint) && self.is_covered(at, parent)",
        to: "&& self.stands_jointly(at, joint)",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a certificate of somebody who was cut off chooses",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.bound(*at, Class::Other, Reach::Above) == Verdict::Stands { let choice",
        to: "&& (true || self.bound(*at, Class::Other, Reach::Above) == Verdict::Stands) { let \
            choice",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a holder's revocation counts from a fork",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.bound(at, fact.class(), Reach::Above) == Verdict::Stands && \
            self.forked(at).is_none()",
        to: "&& self.bound(at, fact.class(), Reach::Above) == Verdict::Stands",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a holder's revocation counts that was cut off from above",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.bound(at, fact.class(), Reach::Above) == Verdict::Stands && \
            self.forked(at).is_none()",
        to: "&& self.forked(at).is_none()",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a holder ends a grant of its own from under another one",
        file: "crates/rights/src/eff/mod.rs",
        from: "self.index.grant_of(at) == Some(grant) && self.bound",
        to: "self.bound",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a close by somebody who is not above counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "by.is_some_and(|by| self.index.is_above(by, *grant))",
        to: "by.is_some()",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a close by somebody who was cut off counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.is_higher(**at, depth) && self.is_firm(**at)",
        to: "&& self.is_higher(**at, depth)",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "a close from a grant that is no higher counts",
        file: "crates/rights/src/eff/mod.rs",
        from: "&& self.is_higher(**at, depth) && self.is_firm(**at)",
        to: "&& self.is_firm(**at)",
        tests: &[
            "-p rights --test main -- model",
            "-p rights --test law -- ends:: acts:: standing:: worlds::",
        ],
    },
    Mutation {
        what: "what was taken back before a head without its body is not named",
        file: "crates/lace/src/write.rs",
        from: "self.name_hidden(store, &hidden, deps);",
        to: "if false { self.name_hidden(store, &hidden, deps); }",
        tests: &["-p lace --test main -- bounds::what_was_taken_back"],
    },
];
