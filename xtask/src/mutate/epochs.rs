//! Epochs: who begins them, to whom they are sealed, what is in a box.

use super::Mutation;

/// What is taken out, and which tests notice.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "somebody who may not read all of an epoch begins it",
        file: "crates/rights/src/announce_law.rs",
        from: "if whole && writes.is_some_and(|publish| publish.holds(created)) {",
        to: "if (true || whole) && writes.is_some_and(|publish| publish.holds(created)) {",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "somebody who may not write begins an epoch",
        file: "crates/rights/src/announce_law.rs",
        from: "if whole && writes.is_some_and(|publish| publish.holds(created)) {",
        to: "if whole && (true || writes.is_some_and(|publish| publish.holds(created))) {",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "epochs are begun as often as anybody likes",
        file: "crates/rights/src/announce_law.rs",
        from: "if recent >= EPOCHS_PER_DAY {",
        to: "if false && recent >= EPOCHS_PER_DAY {",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "two epochs are begun in one envelope",
        file: "crates/rights/src/announce_law.rs",
        from: "Item::Epoch(_) if core::mem::replace(&mut begun, true) => {",
        to: "Item::Epoch(_) if core::mem::replace(&mut begun, false) => {",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "boxes come before their epoch",
        file: "crates/rights/src/announce_law.rs",
        from: "let (fact, item) = begins .min_by_key(|(fact, _)| fact.number) \
            .ok_or(EpochFault::Boxes)?;",
        to: "let Some((fact, item)) = begins.min_by_key(|(fact, _)| fact.number) else { return \
            Ok(()); };",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "boxes count on another branch than the announcement",
        file: "crates/rights/src/announce_law.rs",
        from: "|fact: &Fact| fact.author == own.author && facts.on_chain(&fact.carrier, \
            &previous.id);",
        to: "|fact: &Fact| fact.author == own.author || facts.on_chain(&fact.carrier, \
            &previous.id);",
        tests: &[
            "-p rights --test epochs",
            "-p rights --test law -- epochs::",
        ],
    },
    Mutation {
        what: "an epoch whose slices are no days",
        file: "crates/rights/src/announced.rs",
        from: "if item.epoch.slice != SLICE_MS {",
        to: "if false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch of the past or of the future",
        file: "crates/rights/src/announced.rs",
        from: "if since.is_none_or(|since| since >= SLICE_MS) {",
        to: "if since.is_none_or(|since| since >= SLICE_MS) && false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "one key for two slices",
        file: "crates/rights/src/announced.rs",
        from: "if keys.len() != item.epoch.keys.len() || !keys.into_iter().all(can_be_sealed_to) {",
        to: "if !keys.into_iter().all(can_be_sealed_to) {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "a slice's key that nothing can be sealed to",
        file: "crates/rights/src/announced.rs",
        from: "if keys.len() != item.epoch.keys.len() || !keys.into_iter().all(can_be_sealed_to) {",
        to: "if keys.len() != item.epoch.keys.len() {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch follows what nobody knows",
        file: "crates/rights/src/announced.rs",
        from: "if !item.follows.iter().all(|followed| knows(&followed.epoch)) {",
        to: "if false && !item.follows.iter().all(|followed| knows(&followed.epoch)) {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch leaves somebody out, or adds somebody",
        file: "crates/rights/src/announced.rs",
        from: "if item.hints != hash_of_hints(self.hints.clone()) {",
        to: "if false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch has fewer boxes than devices",
        file: "crates/rights/src/announced.rs",
        from: "if cores.is_none_or(|cores| cores > MAX_ENTITLED_CORES) {",
        to: "if cores.is_some_and(|cores| cores > MAX_ENTITLED_CORES) {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch has boxes for as many core nodes as it likes",
        file: "crates/rights/src/announced.rs",
        from: "if cores.is_none_or(|cores| cores > MAX_ENTITLED_CORES) {",
        to: "if cores.is_none_or(|cores| cores > MAX_ENTITLED_CORES && false) {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "boxes for those who are not entitled",
        file: "crates/rights/src/announced.rs",
        from: "if !fit {",
        to: "if !fit && false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "more boxes for core nodes than announced",
        file: "crates/rights/src/announced.rs",
        from: "if cores.is_none_or(|cores| after.cores.len() > cores) {",
        to: "if cores.is_none() {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "boxes of another epoch",
        file: "crates/rights/src/announced.rs",
        from: "if boxes.epoch != self.epoch.id() {",
        to: "if false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "more boxes than announced",
        file: "crates/rights/src/announced.rs",
        from: "if self.devices.len() + self.cores.len() + more > usize::from(self.item.boxes) {",
        to: "if false && self.devices.len() + self.cores.len() + more > \
            usize::from(self.item.boxes) {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch is written under before its boxes have come",
        file: "crates/rights/src/announced.rs",
        from: "self.devices.len() + self.cores.len() == usize::from(self.item.boxes) && \
            hash_of_hints",
        to: "hash_of_hints",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch is written under whose boxes leave somebody out",
        file: "crates/rights/src/announced.rs",
        from: "&& hash_of_hints(hints) == self.item.hints",
        to: "&& (true || hash_of_hints(hints) == self.item.hints)",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch is written under that somebody has who lost the right",
        file: "crates/rights/src/announced.rs",
        from: "(_, None) | (Portion::Reads { .. }, Some(Portion::Writes)) => false,",
        to: "(_, None) | (Portion::Reads { .. }, Some(Portion::Writes)) => true,",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "an epoch is written under that somebody reads for longer than it may",
        file: "crates/rights/src/announced.rs",
        from: "since <= from && lasts(end) >= lasts(until)",
        to: "since <= from || lasts(end) >= lasts(until)",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "a core node takes what is for a member",
        file: "crates/rights/src/announced.rs",
        from: "opened.filter(|access| matches!(access, Access::Core(_)))",
        to: "opened",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "a box opens less than its device may read, and nobody says so",
        file: "crates/rights/src/announced.rs",
        from: "let evidence = if short {",
        to: "let evidence = if short && false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "a false older secret is no evidence",
        file: "crates/rights/src/announced.rs",
        from: "} else if !ring.leads_back(self.epoch.id(), &access) {",
        to: "} else if false {",
        tests: &[
            "-p rights --test main -- announce::",
            "-p rights --test epochs",
        ],
    },
    Mutation {
        what: "a box with another's hint opens",
        file: "crates/rights/src/boxes.rs",
        from: "if sealed.hint != key_hint(&public) {",
        to: "if false {",
        tests: &["-p rights --test main -- boxes:: announce::"],
    },
    Mutation {
        what: "keys with something behind them open",
        file: "crates/rights/src/boxes.rs",
        from: "rest.is_empty().then_some(keys)",
        to: "Some(keys)",
        tests: &["-p rights --test main -- boxes::"],
    },
    Mutation {
        what: "an answer has as many keys as it likes",
        file: "crates/rights/src/boxes.rs",
        from: "if usize::from(*count) > MAX_KEYS {",
        to: "if false {",
        tests: &["-p rights --test main -- boxes::"],
    },
    Mutation {
        what: "a false secret is taken",
        file: "crates/rights/src/keyring.rs",
        from: "held.epoch.check(access)?;",
        to: "",
        tests: &["-p rights --test main -- keys:: slices:: announce::"],
    },
    Mutation {
        what: "a meeting secret that does not lead back is taken",
        file: "crates/rights/src/keyring.rs",
        from: "if access.epoch_secret().is_none() && !self.leads_back(epoch, access) {",
        to: "if false {",
        tests: &["-p rights --test main -- boxes:: announce:: keys::"],
    },
    Mutation {
        what: "what was given up comes back",
        file: "crates/rights/src/keyring.rs",
        from: "if (0..self.kept_from).any(|slice| access.opens(slice)) {",
        to: "if false {",
        tests: &["-p rights --test main -- slices::"],
    },
    Mutation {
        what: "who asks for keys is handed more than it may have",
        file: "crates/rights/src/keyring.rs",
        from: "let allowed = owed(&held.epoch, portion).filter(|slice| bits & bit(*slice) != 0);",
        to: "let _portion = portion; let allowed = (0..all).filter(|slice| bits & bit(*slice) != \
            0);",
        tests: &["-p rights --test main -- slices::"],
    },
    Mutation {
        what: "seeds of slices are read in any order",
        file: "crates/rights/src/access.rs",
        from: "if !ascends || usize::from(*slice) >= MAX_SLICES {",
        to: "if (!ascends && false) || usize::from(*slice) >= MAX_SLICES {",
        tests: &["-p rights --test main -- keys::"],
    },
    Mutation {
        what: "seeds of slices that no epoch has are read",
        file: "crates/rights/src/access.rs",
        from: "if !ascends || usize::from(*slice) >= MAX_SLICES {",
        to: "if !ascends {",
        tests: &["-p rights --test main -- keys::"],
    },
    Mutation {
        what: "a body says another slice than its time",
        file: "crates/rights/src/body.rs",
        from: "if scope.slice != parts.slice || scope.topic != ring.topic() {",
        to: "if scope.topic != ring.topic() {",
        tests: &["-p rights --test main -- body:: slices::"],
    },
    Mutation {
        what: "a body of another topic is opened",
        file: "crates/rights/src/body.rs",
        from: "if scope.slice != parts.slice || scope.topic != ring.topic() {",
        to: "if scope.slice != parts.slice {",
        tests: &["-p rights --test main -- body::"],
    },
    Mutation {
        what: "a body opens that commits to nothing",
        file: "crates/rights/src/body.rs",
        from: "if !same(commit, parts.commit) {",
        to: "if false && !same(commit, parts.commit) {",
        tests: &["-p rights --test main -- body::"],
    },
    Mutation {
        what: "a body holds another number of messages than its header says",
        file: "crates/rights/src/body.rs",
        from: "Ok(messages) if messages.len() == usize::from(subject.count) => {",
        to: "Ok(messages) => {",
        tests: &["-p rights --test main -- body::"],
    },
];
