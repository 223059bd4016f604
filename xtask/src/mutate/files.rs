//! Blocks of files, their manifests, and what a bundle may write to a disk.

use super::Mutation;

const TESTS: &[&str] = &["-p block --test main"];

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "blocks are made with a key that everybody knows",
        file: "crates/block/src/eris/encode.rs",
        from: "hash_blocks(Some(&self.secret), leaves.0.chunks(size))",
        to: "hash_blocks(None, leaves.0.chunks(size))",
        tests: TESTS,
    },
    Mutation {
        what: "a content that has grown is shared in part",
        file: "crates/block/src/eris/encode.rs",
        from: ".ok_or(EncodeError::Longer)?;",
        to: ".unwrap_or(0);",
        tests: TESTS,
    },
    Mutation {
        what: "a block is read that does not match its reference",
        file: "crates/block/src/eris/decode.rs",
        from: "|| Reference::of(&block) != lock.reference",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "an inner block may have any key",
        file: "crates/block/src/eris/decode.rs",
        from: "if hash(&pairs) != *lock.key.as_bytes() {",
        to: "if false {",
        tests: TESTS,
    },
    Mutation {
        what: "an inner block may hold more than its length says",
        file: "crates/block/src/eris/decode.rs",
        from: "if unused.iter().any(|byte| *byte != 0) {",
        to: "if false {",
        tests: TESTS,
    },
    Mutation {
        what: "padding may be anything",
        file: "crates/block/src/eris/decode.rs",
        from: "if zeros.iter().all(|byte| *byte == 0) => Ok(content),",
        to: "if zeros.len() < block.len() => Ok(content),",
        tests: TESTS,
    },
    Mutation {
        what: "a manifest may say any number of blocks",
        file: "crates/block/src/manifest.rs",
        from: ".filter(may_be)",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "the page list is not the one that the manifest names",
        file: "crates/block/src/manifest.rs",
        from: "|| root(&manifest.shape, bytes) != manifest.root",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "the number of blocks is not covered by the manifest's root",
        file: "crates/block/src/manifest.rs",
        from: "let count = shape.blocks().to_be_bytes();",
        to: "let count = [0; 4];",
        tests: TESTS,
    },
    Mutation {
        what: "a page is not the one that the list names",
        file: "crates/block/src/manifest.rs",
        from: "|| page_hash(bytes) != *hash",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "a holder takes any block for the one of a slot",
        file: "crates/block/src/manifest.rs",
        from: "|| Reference::of(block) != reference",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "names of a bundle are not judged",
        file: "crates/block/src/bundle/build.rs",
        from: "check_name(name).map_err(|rule| self.at_fault(depth, name, Fault::Name(rule)))?;",
        to: "let _ = check_name(name);",
        tests: TESTS,
    },
    Mutation {
        what: "what is invisible in a name counts",
        file: "crates/block/src/bundle/name.rs",
        from: "let visible: String = name.chars().filter(|char| !is_ignorable(*char)).collect();",
        to: "let visible: String = name.chars().collect();",
        tests: TESTS,
    },
    Mutation {
        what: "names are compared as they are composed",
        file: "crates/block/src/bundle/name.rs",
        from: "decomposed.to_lowercase().to_uppercase().nfd().collect()",
        to: "name.to_lowercase().to_uppercase()",
        tests: TESTS,
    },
    Mutation {
        what: "names that differ in case alone stand in one folder",
        file: "crates/block/src/bundle/build.rs",
        from: "if parent.folded.contains(&folded) {",
        to: "if false {",
        tests: TESTS,
    },
    Mutation {
        what: "a file may have something in it",
        file: "crates/block/src/bundle/build.rs",
        from: "if what == What::Folder {",
        to: "if true {",
        tests: TESTS,
    },
    Mutation {
        what: "something may lie beside the first entry",
        file: "crates/block/src/bundle/build.rs",
        from: "|| (depth == 0) != self.rows.is_empty()",
        to: "",
        tests: TESTS,
    },
    Mutation {
        what: "sizes need not sum to the content",
        file: "crates/block/src/bundle/read.rs",
        from: "if index.content_len() == self.length {",
        to: "if true {",
        tests: TESTS,
    },
    Mutation {
        what: "an index may be as long as it says",
        file: "crates/block/src/bundle/read.rs",
        from: "let wrong = if index > MAX_INDEX {",
        to: "let wrong = if false {",
        tests: TESTS,
    },
];
