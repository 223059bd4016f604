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
