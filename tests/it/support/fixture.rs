//! The server that conformance suites expect, as an app of an agent.

use super::Home;
use std::{fs, path::Path};

/// Writes the resource of an app `name` that is such a server (`tests/conformance`) of one era, or of `both`.
pub fn write_fixture_app(home: &Home, name: &str, era: &str) {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    // Whoever runs the server need not be able to read the folder of this project.
    let folder = home.path().join("conformance");
    if !folder.exists() {
        fs::create_dir(&folder).expect("the home is ours");
        for module in fs::read_dir(modules).expect("the fixture").map(|entry| entry.expect("the fixture").path()) {
            fs::copy(&module, folder.join(module.file_name().expect("a file"))).expect("a copy of the fixture");
        }
    }
    let resource = serde_json::json!({
        "kind": "app", "version": "v3", "metadata": {"name": name},
        "spec": {"mcp": {"command": "node", "args": [folder.join("main.mjs"), "--era", era]}},
    });
    let fleet = home.path().join("fleet");
    fs::create_dir_all(&fleet).expect("the home is ours");
    fs::write(fleet.join(format!("{name}.yaml")), resource.to_string()).expect("the home is ours");
}
