//! docs/spec/wire.md against the code: limits, codes, and the header that it takes apart.

use wire::{Code, limits};

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn page() -> String {
    read("../../docs/spec/wire.md")
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
        FORMAT VERSION_MIN VERSION_MAX MAX_DEPTH MAX_HEADER MAX_DEPS MAX_EXTENSIONS
        MAX_EXTENSIONS_LEN MAX_EXTENSION_KEY MAX_MESSAGES MAX_HOPS MAX_BODY MAX_CONTROL_BODY
        MAX_BOXES_BODY MAX_ITEMS MAX_MANIFEST_BYTES MAX_MANIFEST_BLOCKS MAX_MANIFEST_PAGES MAX_LIFESPAN_MS MAX_LIVE_LIFESPAN_MS DAY_MS
        MAX_TIME_MS MAX_NUMBER MAX_PLAIN SEALED_BODY_OVERHEAD MAX_SEALED_ITEM MAX_INVITE_USES
        MAX_DEVICES MAX_CUT_IDS MAX_GRANTS MAX_GRANT_DEPTH MAX_CHAIN_SIGNATURES
        MAX_FOLLOWED_EPOCHS MAX_BOXES MAX_CORE_BOXES MIN_BOX_SEALED MAX_BOX_SEALED MAX_GENESIS
        MAX_HISTORY_DAYS MAX_SLICES MAX_RECEIPT_CUT MAX_BRANCHES MAX_RECEIPT_EXCEPTIONS
        MAX_STATEMENT MAX_RECEIPT MAX_MAIL_RECEIPT_IDS MAX_MAIL_RECEIPT MAX_ADVERT MAX_ADDRESSES
        MAX_URI MAX_CORES MAX_FILE_NAME MAX_NAME MAX_SOFTWARE MAX_TEXT MAX_FRAME MIN_TAGS MAX_TAGS MAX_ENVELOPES
        MAX_RAW MAX_INNER_SIGNATURES MAX_PROPOSED MAX_PROPOSAL_SIGNATURES MAX_PROPOSAL MAX_SIGNED_ITEMS MAX_ENVELOPES_LEN MAX_PROOF_ENVELOPES
        MAX_CUT_PAGE MAX_RANGES MAX_BODIES MAX_RECEIPTS MAX_DIFFERENCES MAX_DIFFERENCE
        MAX_RECEIPT_ASK MAX_KEYS_ASKED MAX_KEYS_SEALED MAX_SLOT_PAGE MAX_SLOT_RANGES MAX_PARTS MAX_RUN MAX_PART MAX_EVIDENCE MAX_CORE_PEERS
        MAX_USAGE_TOPICS MAX_AT_CORE IDENTIFY_LEN MAX_PAIR MAX_PAIR_PLAIN MAX_PAIR_EPOCHS
        MAX_PAIR_ACCESS MAX_TICKET BOX_LEN BOX_PLAIN_LEN BOX_ACCESS MIN_LINK MIN_TOPIC_LINK MAX_LINK
        MAX_LINK_ADDRESSES MAX_LINK_ADDRESS MAX_HOST
    );
    let source = read("src/limits.rs");
    let declared: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    let listed: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, listed);
    let page = page();
    for (name, value) in all {
        let row = format!("| `{name}` | {} |", grouped(value));
        assert!(page.contains(&row), "docs/spec/wire.md lacks the row {row}");
    }
}

#[test]
fn every_code_stands_in_the_table() {
    let page = page();
    for number in 0..100 {
        let code = Code(number);
        let row = format!("| {number} | {} |", code.name());
        assert_eq!(page.contains(&row), code.name() != "other", "{row}");
    }
}

#[test]
fn the_header_that_is_taken_apart_is_the_vectors() {
    let page = page();
    let block = page
        .split("```header\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let shown: String = block
        .lines()
        .flat_map(|line| line.split('|').next().unwrap().split_whitespace())
        .collect();
    let vectors: serde_json::Value =
        serde_json::from_str(&read("../../vectors/wire.json")).unwrap();
    assert_eq!(shown, vectors["envelopes"][0]["header"].as_str().unwrap());
}

#[test]
fn the_schema_names_the_same_sizes() {
    let schema = read("waystation.cddl");
    for (rule, limit) in [
        ("number      = 1..", u128::from(limits::MAX_NUMBER)),
        ("time        = 0..", u128::from(limits::MAX_TIME_MS)),
        ("8 => 1..", limits::MAX_BODY as u128),
        ("10 => 1..", u128::from(limits::MAX_MESSAGES)),
        ("13 => 0..", u128::from(limits::MAX_HOPS)),
        ("? 14 => [1*", limits::MAX_DEPS as u128),
        ("header-bytes = bstr .size (0..", limits::MAX_HEADER as u128),
        ("body       = bstr .size (0..", limits::MAX_BODY as u128),
        ("control-body = [0*", limits::MAX_ITEMS as u128),
        ("2 => 1..", u128::from(limits::MAX_INVITE_USES)),
        (
            "statement = [bstr .size (0..",
            limits::MAX_STATEMENT as u128,
        ),
        ("? 5 => [1*", limits::MAX_RECEIPT_CUT as u128),
        ("messages  = [1*", u128::from(limits::MAX_MESSAGES)),
        ("name        = tstr .size (0..", limits::MAX_NAME as u128),
        ("reason      = tstr .size (0..", limits::MAX_TEXT as u128),
        ("uri         = tstr .size (1..", limits::MAX_URI as u128),
        ("sealed-box   = bstr .size ", limits::BOX_LEN as u128),
        ("0 => [1*", limits::MAX_DEVICES as u128),
        ("? 4 => [1*", limits::MAX_CUT_IDS as u128),
        ("? 4 => [1*", limits::MAX_BRANCHES as u128),
        ("? 1 => [1*", limits::MAX_BOXES as u128),
        ("? 2 => [1*", limits::MAX_CORE_BOXES as u128),
        ("bstr .size (17..", limits::MAX_BOX_SEALED as u128),
        ("; at most 262144", limits::MAX_FRAME as u128),
    ] {
        let digits = rule.chars().rev().take_while(char::is_ascii_digit).count();
        let rule = &rule[..rule.len() - digits];
        let found = schema.split(rule).skip(1).any(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits == limit.to_string()
        });
        assert!(found, "{rule} {limit}");
    }
}
