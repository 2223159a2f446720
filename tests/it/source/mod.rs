//! The directory source: real files, and real notifications about them.

mod read;

use std::{fs, path::Path};

/// A valid resource file with one app.
pub fn app(name: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata:\n  name: {name}\nspec:\n  mcp:\n    command: \"true\"\n")
}

/// Writes a file and the folders that it needs.
pub fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a path below the root")).expect("create the folder");
    fs::write(path, content).expect("write the file");
}
