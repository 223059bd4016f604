//! Who is reached by its core nodes alone.

use super::Mutation;

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "who is reached by its core nodes alone dials others",
        file: "crates/router/src/reach.rs",
        from: "Reach::Core if !is_core => return Err(NotDialled::OwnReach),",
        to: "Reach::Core if !is_core && false => return Err(NotDialled::OwnReach),",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "who is reached by its core nodes alone dials them where others say",
        file: "crates/router/src/reach.rs",
        from: "let named = target.whys.get(&Why::Core).into_iter().flatten();",
        to: "let named = target.whys.values().flatten();",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "who is reached by its core nodes alone takes links of others",
        file: "crates/router/src/reach.rs",
        from: "Reach::Core => self.targets.is(node, Why::Core),",
        to: "Reach::Core => true,",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "who is reached by its core nodes alone tells where it is",
        file: "crates/router/src/reach.rs",
        from: "matches!(self.config.reach, Reach::Any)",
        to: "matches!(self.config.reach, Reach::Any | Reach::Core)",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "who is no longer to be dialled is dialled where it was",
        file: "crates/router/src/reach.rs",
        from: "if !named && self.is_reached_by_cores_alone(cx, node) {",
        to: "if false && !named && self.is_reached_by_cores_alone(cx, node) {",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "invites lead to where somebody no longer is to be dialled",
        file: "crates/node/src/commands/topics.rs",
        from: "entries.retain(|entry| !self.router.is_reached_by_cores_alone(turn.cx, &entry.node));",
        to: "",
        tests: &["-p node --test main -- reach::"],
    },
    Mutation {
        what: "members are not told that somebody is no longer to be dialled",
        file: "crates/node/src/members.rs",
        from: "hashed.push(1);",
        to: "",
        tests: &["-p node --test main -- reach::"],
    },
];
