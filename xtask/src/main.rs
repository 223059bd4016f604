//! `cargo xtask`: the one command that is the same for a person and for continuous integration.

mod includes;
mod mutate;
mod tidy;

use std::process::{Command, ExitCode};

const HELP: &str = "\
usage: cargo xtask COMMAND

  planted the tests that guard the release rule notice when it is switched off, and the
          simulator's swarm finds every known defect within 200 seeds; not in ci, because
          it builds everything once more
  mutate [TEXT]
          takes single checks of rights out, one after another, or those with TEXT in their
          description or file, and sees that the tests notice; not in ci: a minute each
  ci      everything below, in this order
  fmt     formatting is what rustfmt makes of it
  clippy  no warning in any target
  tidy    layers, licences, bans, documents: what a program can check about the tree;
          with --fix (or UPDATE=1) code that documents show is copied into them again
  test    sees to what the tests need, and runs them all
  same    a simulated world is the same in debug and in release, step for step
  doc     the API documentation builds without a warning
";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "ci" => ["fmt", "tidy", "clippy", "doc", "test", "same"]
            .into_iter()
            .try_for_each(run),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        one => run(one),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str) -> Result<(), String> {
    eprintln!("== {task}");
    match task {
        "fmt" => cargo(&["fmt", "--all", "--check"], &[]),
        "clippy" => cargo(
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
        "tidy" => tidy::check(tidy::Fix::asked()),
        "doc" => cargo(
            &["doc", "--workspace", "--no-deps", "--locked"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
        "test" => {
            // Tests that start the program use the binary of their own profile: built by cargo
            // because they belong to its package. Nothing else has to be there beforehand.
            cargo(&["test", "--workspace", "--locked", "--no-fail-fast"], &[])
        }
        "same" => same(),
        "mutate" => mutate::run(&std::env::args().nth(2).unwrap_or_default()),
        "planted" => {
            let of = |package, which: &[&str]| {
                let with = ["test", "--locked", "-p", package, "--features", "planted"];
                cargo(&[with.as_slice(), &["--test", "main"], which].concat(), &[])
            };
            // The simulator prints a table of what was found, and how soon.
            of("node", &["without_the"])
                .and_then(|()| of("cli", &["crash::"]))
                .and_then(|()| of("sim", &["planted::", "--", "--nocapture"]))
        }
        other => Err(format!("there is no task `{other}`\n\n{HELP}")),
    }
}

/// Runs the same simulated worlds in debug and in release and compares what they print of
/// themselves: the hash of every run among it.
fn same() -> Result<(), String> {
    let worlds = |profile: &[&str]| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let run = ["run", "--locked", "-q", "-p", "sim"];
        let swarm = ["--", "swarm", "--seeds", "8", "--json", "--keep-going"];
        let out = Command::new(cargo)
            .args([run.as_slice(), profile, &swarm].concat())
            .current_dir(tidy::root())
            .output()
            .map_err(|error| format!("way-sim: {error}"))?;
        let mut lines: Vec<String> = String::from_utf8_lossy(&out.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        match lines.len() {
            8.. => Ok(lines),
            _ => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    };
    let (debug, release) = (worlds(&[])?, worlds(&["--release"])?);
    match debug
        .iter()
        .zip(&release)
        .find(|(debug, release)| debug != release)
    {
        None => Ok(()),
        Some((debug, release)) => Err(format!(
            "a simulated world differs in debug and in release:\n{debug}\n{release}"
        )),
    }
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(tidy::root())
        .status()
        .map_err(|error| format!("cargo {}: {error}", arguments.join(" ")))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {} failed", arguments.join(" ")))
    }
}
