//! The tour of the README, run as it is written there.

use std::path::Path;
use std::process::Command;

/// The shell lines between the README's two marks.
fn tour() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README can be read");
    let (_, rest) = readme
        .split_once("<!-- tour -->")
        .expect("the mark before the tour");
    let (tour, _) = rest
        .split_once("<!-- end of tour -->")
        .expect("the mark after the tour");
    let blocks = tour.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default())
        .collect()
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_way"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = format!(
        "set -euo pipefail\n\
         trap 'for home in server alice bob; do way --home $home down >/dev/null 2>&1 || true; done' EXIT\n\
         {}",
        tour()
    );
    let output = Command::new("timeout")
        .args(["180", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env_remove("WAY_HOME")
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    // What Bob missed is there, and Alice sees who has it.
    for expected in [
        "Alice: The kettle is on",
        "Bob: On my way",
        "Alice: Bring a cup",
        "delivered",
    ] {
        assert!(
            text.contains(expected),
            "no {expected:?} in\n{text}\n{errors}"
        );
    }
}
