//! Writes `vectors/identity.json` and `vectors/wire.json`: `cargo run -p wire --example vectors`.
//!
//! Everything in them follows from fixed seeds, so a run changes the files only when a format
//! changed; the tests hold that the files are what this makes.

mod identity_vectors;
mod rights_samples;
mod samples;
mod wire_vectors;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    std::fs::create_dir_all(&folder)?;
    for (name, made) in [
        ("identity.json", identity_vectors::make()),
        ("wire.json", wire_vectors::make()),
    ] {
        std::fs::write(folder.join(name), made)?;
        println!("vectors/{name}");
    }
    Ok(())
}
