//! The first line of files, by which editors find their schema.

use super::world::{World, app};
use mcpfleet::schema::{Draft, Subject, schema};
use std::path::Path;

impl World {
    /// The schema that a file's first line leads to, as an editor takes it: from the file's folder.
    fn schema_of(&self, path: &str) -> serde_json::Value {
        let text = self.read_all(path);
        let line = text.lines().next().unwrap_or_default();
        let target = line.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{path}: {text}"));
        let folder = self.folder().join(Path::new(path).parent().unwrap());
        let schema = std::fs::read(folder.join(target)).unwrap_or_else(|error| panic!("{path}: {target}: {error}"));
        serde_json::from_slice(&schema).unwrap()
    }
}

#[tokio::test]
async fn new_files_lead_to_the_schema_in_the_repository() {
    let world = World::new().await;
    let expected = schema(Subject::Resource, Draft::Draft7);
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    world.mcpfleet_with(&["create", "-", "--path", "teams/x/all.yaml"], &app("a"), &[]).await.good();
    world.mcpfleet_with(&["create", "-", "--path", "teams/x/all.yaml"], &app("b"), &[]).await.good();
    for path in ["apps/demo.yaml", "roles/admins.yaml", "apps/web.yaml", "teams/x/all.yaml"] {
        assert_eq!(world.schema_of(path), expected, "{path}");
        assert_eq!(world.read_all(path).matches("yaml-language-server").count(), 1, "{path}");
    }
    // It is what the command prints, so that it can be printed anew.
    let printed = world.mcpfleet(&["schema", "--draft", "7"]).await.good();
    assert_eq!(world.read_all(".mcpfleet/schema/resource.json"), printed);
    world.mcpfleet(&["validate", "."]).await.good();
}

#[tokio::test]
async fn a_line_that_is_there_stays_and_none_leads_to_a_schema_that_is_not_there() {
    let world = World::new().await;
    let own = format!("# yaml-language-server: $schema=https://example.com/own.json\n{}", app("own"));
    world.mcpfleet_with(&["create", "-"], &own, &[]).await.good();
    assert_eq!(world.read_all("apps/own.yaml"), own);

    world.git(&["rm", "--quiet", ".mcpfleet/schema/resource.json"]).await;
    world.git(&["commit", "--quiet", "--message", "No schema"]).await;
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    assert_eq!(world.read_all("apps/web.yaml"), app("web"));

    let plain = World::plain(&[]);
    plain.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    assert_eq!(plain.read_all("apps/web.yaml"), app("web"));
}
