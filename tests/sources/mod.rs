//! The files of this project, for the tests that read them.

use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files at or below a path whose names end in one of these extensions; an empty one is that of names without.
pub fn files(path: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| files(&entry.unwrap().path(), extensions)).collect();
    }
    let extension = path.extension().unwrap_or_default();
    if extensions.iter().any(|wanted| extension == *wanted) { vec![path.to_owned()] } else { Vec::new() }
}
