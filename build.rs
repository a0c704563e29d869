//! Rebuilds the crate when a file is added to the built-in library or removed from it;
//! `include_bytes!` inside `include_dir!` only sees the files that were there before.

fn main() {
    for folder in ["connectors", "pipelines", "sql"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
