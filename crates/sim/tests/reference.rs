//! docs/sim-help.md and docs/simulator.md against the program.

use std::path::PathBuf;
use std::process::{Command, Output};

fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

fn way_sim(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_way-sim"));
    command.args(words).env_remove("COLUMNS");
    command.output().expect("the program runs")
}

/// A program with known defects has an option for them, which is in no document.
#[cfg(not(feature = "planted"))]
#[test]
fn the_reference_is_what_the_program_says() {
    let mut text = String::from(
        "# `way-sim`, every command\n\nGenerated from the program: `UPDATE=1 cargo test -p sim \
         reference`. What it is for and how it is used\nstands in [simulator.md](simulator.md).\n",
    );
    let commands = ["", "run", "swarm", "replay", "shrink", "list", "growth"];
    for command in commands {
        let words = [command, "--help"];
        let output = way_sim(words.get(usize::from(command.is_empty())..).unwrap_or(&[]));
        assert!(output.status.success(), "way-sim {command} --help");
        let help = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let name = format!("way-sim {command}");
        text.push_str(&format!(
            "\n## {}\n\n```text\n{}\n```\n",
            name.trim_end(),
            lines.join("\n").trim_end()
        ));
    }
    let path = page("sim-help.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/sim-help.md is out of date: UPDATE=1 cargo test -p sim reference"
    );
}

/// What the program lists, the page explains: every scenario and every promise by its name.
#[test]
fn the_page_names_everything_that_is_listed() {
    let page = std::fs::read_to_string(page("simulator.md")).expect("the page can be read");
    let output = way_sim(&["list"]);
    let listed = String::from_utf8_lossy(&output.stdout);
    let names = listed.lines().filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        line.split_whitespace().next()
    });
    let missing: Vec<&str> = names
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(missing, [""; 0], "docs/simulator.md does not name these");
}

#[test]
fn the_first_run_of_the_page_works_as_written() {
    let page = std::fs::read_to_string(page("simulator.md")).expect("the page can be read");
    let (_, rest) = page.split_once("<!-- first run -->").expect("its mark");
    let (part, _) = rest
        .split_once("<!-- end of first run -->")
        .expect("the mark at its end");
    let commands: Vec<&str> = part
        .lines()
        .filter_map(|line| line.strip_prefix("way-sim "))
        .collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    for command in commands {
        let words = command.split('#').next().unwrap_or_default();
        let output = Command::new(env!("CARGO_BIN_EXE_way-sim"))
            .args(words.split_whitespace())
            .current_dir(folder.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "way-sim {command}\n{said}");
    }
}
