//! The description itself: published, of this version, and whole.

use super::schemas::description;
use crate::support::Home;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

#[tokio::test]
async fn what_is_published_is_what_the_program_says() {
    let home = Home::new();
    let made = home.mcpfleet(["schema", "openapi"]).output().await.unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let made = String::from_utf8(made.stdout).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&kept, &made).unwrap();
    }
    let same = fs::read_to_string(&kept).unwrap_or_default() == made;
    assert!(same, "docs/openapi.json: run UPDATE_GOLDEN=1 cargo nextest run --test it api::description");
    assert_eq!(serde_json::from_str::<Value>(&made).unwrap(), description());
    let refused = home.mcpfleet(["schema", "openapi", "--draft", "7"]).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn it_is_of_this_version_and_refers_to_nothing_that_is_not_there() {
    let description = description();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    let text = description.to_string();
    let mut used = BTreeSet::new();
    for name in text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(description["components"]["schemas"][name].is_object(), "{name} is not there");
        used.insert(name.to_owned());
    }
    for name in description["components"]["schemas"].as_object().unwrap().keys() {
        // The data of a stream, which is text for OpenAPI.
        assert!(used.contains(name) || name == "Change", "nobody refers to {name}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} says nothing of itself"
            );
            if let Some(id) = operation["operationId"].as_str() {
                assert!(ids.insert(id), "{id} is there twice");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["schema"].is_object(), "{path}: {parameter}");
            }
        }
    }
}
