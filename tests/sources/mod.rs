//! The files of this project, for the tests that read them.

use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files at or below a path whose names end in one of these extensions.
pub fn files(path: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| files(&entry.unwrap().path(), extensions)).collect();
    }
    let is_wanted = extensions.iter().any(|wanted| path.extension().is_some_and(|extension| extension == *wanted));
    if is_wanted { vec![path.to_owned()] } else { Vec::new() }
}
