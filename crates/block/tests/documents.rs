//! docs/spec/files.md against the code.

use block::limits;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The limits by name, so that a new one that is not listed here fails the test below.
macro_rules! values {
    ($($name:ident)*) => {
        [$((stringify!($name), u128::try_from(limits::$name).unwrap())),*]
    };
}

fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[test]
fn every_limit_stands_in_the_table() {
    let all = values!(
        MAX_BLOCKS MAX_CONTENT LARGE_FROM MAX_LEVEL ENCODED_AT_ONCE PAGE_REFERENCES BUNDLE_FORMAT
        MAX_ENTRIES MAX_INDEX MAX_NAME MAX_PATH MAX_LEVELS
    );
    let source = read("src/limits.rs");
    let declared: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    let listed: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, listed);
    let page = read("../../docs/spec/files.md");
    for (name, value) in all {
        let row = format!("| `{name}` | {} |", grouped(value));
        assert!(
            page.contains(&row),
            "docs/spec/files.md lacks the row {row}"
        );
    }
}

#[test]
fn every_limit_of_fetching_stands_in_the_table() {
    use block::swap::limits;
    macro_rules! numbers {
        ($($name:ident)*) => { vec![$((stringify!($name), grouped(limits::$name as u128))),*] };
    }
    macro_rules! times {
        ($($name:ident)*) => {
            vec![$((stringify!($name), match limits::$name.subsec_millis() {
                0 => format!("{} s", limits::$name.as_secs()),
                ms => format!("{ms} ms"),
            })),*]
        };
    }
    let mut all = numbers!(MAX_FETCHES MAX_IN_FLIGHT LINK_WINDOW ASK_BELOW MAX_PAGES_AT_WORK MAX_SOURCES LOOKED_AT MAX_OWED MAX_FRAMES_OUT MAX_READ_FOR_PEERS MAX_TOLD MAX_USES EXPIRED_PER_TURN FORGET_PER_TURN MAX_BAD PARTS_PER_TURN CHALLENGE_TRIES CHALLENGE_LOOKS NEAR_RATE);
    all.extend(
        times!(LOOK_AROUND PATIENCE ASK_AGAIN CHALLENGE_PATIENCE NEAR_SPELL DISK_RETRY TELL_EVERY EXPIRE_EVERY REST REST_MAX),
    );
    let source = read("src/swap/limits.rs");
    let declared = source.lines();
    let declared = declared.filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let declared: std::collections::BTreeSet<&str> = declared.collect();
    let listed = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, listed);
    let page = read("../../docs/spec/files.md");
    for (name, value) in all {
        let row = format!("| `{name}` | {value} |");
        assert!(
            page.contains(&row),
            "docs/spec/files.md lacks the row {row}"
        );
    }
}
