//! The program `way`: everything it does stands in the library beside it.

fn main() -> std::process::ExitCode {
    cli::run::main()
}
