//! docs/spec/cli.md and docs/cli-help.md against the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cli::args::Cli;
use cli::failure::{Code, Failure};
use serde_json::Value;

use crate::samples;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A field of an object, as its table says.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    name: String,
    optional: bool,
    kind: String,
}

/// The objects of the specification, by name.
pub(crate) type Objects = BTreeMap<String, Vec<Field>>;

/// The tables of the page: the heading above, and the rows without heading and rule.
fn tables(text: &str) -> Vec<(String, Vec<String>, Vec<Vec<String>>)> {
    let (mut heading, mut found, mut open) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        }
        if !line.starts_with('|') {
            open = false;
            continue;
        }
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        if !open {
            found.push((heading.clone(), cells, Vec::new()));
            open = true;
        } else if !line.starts_with("|---") {
            let (_, _, rows) = found.last_mut().unwrap();
            rows.push(cells);
        }
    }
    found
}

fn unquote(cell: &str) -> &str {
    cell.trim_matches('`')
}

pub(crate) fn specification() -> String {
    std::fs::read_to_string(root().join("docs/spec/cli.md")).unwrap()
}

pub(crate) fn objects() -> Objects {
    let mut objects = Objects::new();
    for (heading, head, rows) in tables(&specification()) {
        if head[..2] != ["field", "type"] {
            continue;
        }
        let fields = rows
            .iter()
            .map(|row| Field {
                name: unquote(row[0].trim_end_matches('?')).to_owned(),
                optional: row[0].ends_with('?'),
                kind: row[1].clone(),
            })
            .collect();
        assert!(
            objects.insert(heading.clone(), fields).is_none(),
            "{heading} stands there twice"
        );
    }
    objects
}

/// Holds a value against its table; notes which fields were seen.
pub(crate) fn check(objects: &Objects, name: &str, value: &Value, seen: &mut BTreeSet<String>) {
    let fields = objects
        .get(name)
        .unwrap_or_else(|| panic!("{name} is not in cli.md"));
    let value = value
        .as_object()
        .unwrap_or_else(|| panic!("{name} is no object: {value}"));
    for key in value.keys() {
        assert!(
            fields.iter().any(|field| field.name == *key),
            "{name}.{key} is not in cli.md"
        );
    }
    for field in fields {
        let path = format!("{name}.{}", field.name);
        match value.get(&field.name) {
            None => assert!(field.optional, "{path} is missing in {value:?}"),
            Some(found) => {
                check_kind(objects, &path, &field.kind, found, seen);
                seen.insert(path);
            }
        }
    }
    seen.insert(name.to_owned());
}

fn check_kind(
    objects: &Objects,
    path: &str,
    kind: &str,
    value: &Value,
    seen: &mut BTreeSet<String>,
) {
    let is_id = |text: &str| {
        let rest = ["node1", "topic1", "engine1", "member1"]
            .iter()
            .find_map(|head| text.strip_prefix(head));
        match rest {
            Some(rest) => rest.len() > 50 && rest.bytes().all(|b| b.is_ascii_alphanumeric()),
            None => {
                let hex = text.split('/').next().unwrap_or("");
                hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())
            }
        }
    };
    let sound = match kind {
        "1" => *value == 1,
        "text" => value.is_string(),
        "number" => value.is_u64(),
        "decimal" => value.is_number(),
        "bool" => value.is_boolean(),
        "time" => value
            .as_str()
            .is_some_and(|text| text.ends_with('Z') && text.parse::<cli::when::When>().is_ok()),
        "id" => value.as_str().is_some_and(is_id),
        list if list.starts_with('[') => {
            let inner = list.trim_matches(['[', ']']);
            let items = value
                .as_array()
                .unwrap_or_else(|| panic!("{path} is no list: {value}"));
            for item in items {
                check_kind(objects, path, inner, item, seen);
            }
            true
        }
        object => {
            check(objects, object, value, seen);
            true
        }
    };
    assert!(sound, "{path} is no {kind}: {value}");
}

#[test]
fn every_object_and_field_is_as_the_specification_says() {
    let objects = objects();
    let mut seen = BTreeSet::new();
    for (name, line) in samples::all() {
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(
            line.starts_with("{\"v\":1"),
            "{name}: v comes first: {line}"
        );
        check(&objects, name, &value, &mut seen);
    }
    let mut failure = Failure::new(Code::Ambiguous, "m", "h");
    failure.candidates.push("a".to_owned());
    let error: Value = serde_json::from_str(&failure.to_json()).unwrap();
    assert_eq!(error["v"], 1);
    check(&objects, "Error", &error["error"], &mut seen);
    for end in samples::ends() {
        check(
            &objects,
            "End",
            &serde_json::to_value(end).unwrap(),
            &mut seen,
        );
    }
    for (name, fields) in &objects {
        assert!(
            seen.contains(name),
            "no sample of {name}: is it still an object?"
        );
        for field in fields {
            let path = format!("{name}.{}", field.name);
            assert!(
                seen.contains(&path),
                "no sample has {path}: is it still a field?"
            );
        }
    }
}

#[test]
fn the_error_codes_are_as_the_specification_says() {
    let tables = tables(&specification());
    let (_, _, rows) = tables
        .iter()
        .find(|(heading, ..)| heading == "Error codes")
        .unwrap();
    let written: Vec<(String, String)> = rows
        .iter()
        .map(|row| (unquote(&row[0]).to_owned(), row[1].clone()))
        .collect();
    let known: Vec<(String, String)> = Code::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), (code.exit() as u8).to_string()))
        .collect();
    assert_eq!(written, known);
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[test]
fn the_requests_are_as_the_specification_says() {
    let tables = tables(&specification());
    let (_, _, rows) = tables
        .iter()
        .find(|(_, head, _)| head[0] == "`do`")
        .unwrap();
    let mut written: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        // A field is a word in back quotes that is followed by its type.
        let fields = row[1].split(", `").map(|part| part.trim_start_matches('`'));
        let fields = fields.filter(|part| !part.is_empty() && !part.starts_with(['"', '{']));
        let names = fields.map(|part| part.split('`').next().unwrap().to_owned());
        written.insert(unquote(&row[0]).to_owned(), names.collect());
    }
    let mut known = BTreeMap::new();
    for ask in samples::asks() {
        let value = serde_json::to_value(&ask).unwrap();
        let object = value.as_object().unwrap();
        let name = object["do"].as_str().unwrap().to_owned();
        let fields = object.keys().filter(|key| *key != "do").cloned().collect();
        known.insert(name, fields);
        assert_eq!(
            serde_json::from_value::<cli::request::Ask>(value).unwrap(),
            ask
        );
    }
    assert_eq!(written, known);
}

#[test]
fn the_reference_is_what_the_program_says() {
    let mut text = String::from(
        "# `way`, every command\n\nGenerated from the program: `UPDATE=1 cargo test -p cli \
         reference`. What is printed stands in\n[spec/cli.md](spec/cli.md).\n",
    );
    let mut grammar = Cli::grammar().term_width(98);
    grammar.build();
    write_help(&mut grammar, "", &mut text);
    let path = root().join("docs/cli-help.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/cli-help.md is out of date: UPDATE=1 cargo test -p cli reference"
    );
}

fn write_help(command: &mut clap::Command, above: &str, text: &mut String) {
    let name = format!("{above}{}", command.get_name());
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!(
        "\n## {name}\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    ));
    for below in command.get_subcommands_mut() {
        if !below.is_hide_set() {
            write_help(below, &format!("{name} "), text);
        }
    }
}

#[test]
fn every_command_of_the_table_exists() {
    for line in [
        "up -d --core --name N --listen 0.0.0.0:0 --listen [::]:0 --public h:1 --record F",
        "down",
        "status --json",
        "id",
        "name N",
        "peer add A",
        "peers",
        "peer remove P",
        "core invite --quota 1GiB --uses 1",
        "core allow N",
        "core deny N",
        "core allow --psk-file F --quota 1GiB --uses 3",
        "core deny --psk-file F",
        "core new-psk F",
        "core use A --psk-file F",
        "core clients",
        "core use L",
        "core leave C",
        "core list",
        "topic create N",
        "topic list",
        "members T",
        "topic info T",
        "topic leave T",
        "topic forget T",
        "invite T --qr --uses 3 --until +2d",
        "join L --name N --up",
        "send T text",
        "send T --lines --wait held --of 2 --timeout 5s",
        "send T text --wait stored",
        "send T text --wait delivered",
        "read T --follow --new --limit 3",
        "read T --since 4",
        "read T --since 2027-01-31T12:00:00Z",
        "read T --since -2h",
        "inbox --follow",
        "ping N",
        "why",
        "why ID",
        "backup F",
        "restore F",
        "check",
        "replay F",
        "completions bash",
        "demo --stay",
        "demo --script",
        "demo --transport tls",
        "up --transport quic",
        "up -d --transport both",
    ] {
        let words = std::iter::once("way").chain(line.split(' '));
        if let Err(error) = Cli::grammar().try_get_matches_from(words) {
            panic!("way {line}: {error}");
        }
    }
    for line in [
        "read T --new --since 4",
        "send T x --lines",
        "send T x --of 2",
        "core allow",
        "core allow N --uses 3",
        "core allow N --psk-file F",
        "core allow --psk-file F --uses 0",
        "core deny",
        "core deny N --psk-file F",
        "core new-psk",
        "up --transport udp",
        "demo --script --transport tls",
        "read",
        "nope",
    ] {
        let words = std::iter::once("way").chain(line.split(' '));
        assert!(
            Cli::grammar().try_get_matches_from(words).is_err(),
            "way {line}"
        );
    }
    Cli::grammar().debug_assert();
}
