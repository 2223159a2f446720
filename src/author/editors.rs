//! The first line of a resource file, by which editors find its schema.
//!
//! The schema is in the repository itself: it is found without a network, whatever the editor, and in every clone. Hidden
//! folders hold no resources.

/// Where the schema of resources is, from the root of a repository.
pub const SCHEMA: &str = ".mcpfleet/schema/resource.json";

/// What marks the line, for the language server of YAML and those that follow it.
const MARK: &str = "# yaml-language-server:";

/// The line for the file at `path`, from the root of the repository, with its end.
pub fn schema_line(path: &str) -> String {
    let up = "../".repeat(path.matches('/').count());
    format!("{MARK} $schema={up}{SCHEMA}\n")
}

/// The text of the file at `path` with the line, unless it has one.
pub fn with_schema_line(path: &str, text: &str) -> String {
    if text.lines().any(|line| line.trim_start().starts_with(MARK)) {
        return text.to_owned();
    }
    schema_line(path) + text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lead_to_the_schema() {
        assert_eq!(with_schema_line("a.yaml", "kind: app\n"), format!("{MARK} $schema={SCHEMA}\nkind: app\n"));
        assert_eq!(schema_line("apps/team/a.yaml"), format!("{MARK} $schema=../../{SCHEMA}\n"));
        let own = "# About it\n# yaml-language-server: $schema=https://example.com/schema.json\nkind: app\n";
        assert_eq!(with_schema_line("apps/a.yaml", own), own);
    }
}
