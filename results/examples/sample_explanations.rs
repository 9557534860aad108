//! Writes a page for each kind of violation, to look at:
//! `cargo run -p results --example sample_explanations -- FOLDER`.

#[path = "../tests/violations/mod.rs"]
mod violations;

use results::explanation::{Source, page};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    for case in violations::all() {
        let file = format!("{}.jsonl", case.name);
        let source = Source {
            file: &file,
            model: case.model,
            events: case.history.events.len(),
        };
        let path = folder.join(format!("{}.html", case.name));
        std::fs::write(&path, page(&source, &case.verdicts))?;
        println!("{}", path.display());
    }
    Ok(())
}
