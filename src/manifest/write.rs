//! Resources as YAML documents.

use super::yaml;
use crate::{
    escape::{escape_json_as_yaml, escape_lines},
    resource::{Document, Resource},
};

/// A value that has no YAML form, which no resource is.
#[derive(Debug, thiserror::Error)]
#[error("the resource cannot be written: {0}")]
pub struct NotWritten(String);

/// Writes a resource as a document that reads as the same resource, and has no character that could lead a terminal or a
/// reviewer astray.
pub fn write(resource: &Resource) -> Result<String, NotWritten> {
    let document = Document::of(resource);
    let text = yaml::to_string(&document).map_err(|error| NotWritten(error.to_string()))?;
    if escape_lines(&text) == text {
        return Ok(text);
    }
    // YAML's writer quotes only what it must. JSON, which is YAML too, quotes everything, and so can be escaped.
    let json = serde_json::to_string_pretty(&document).map_err(|error| NotWritten(error.to_string()))?;
    Ok(escape_json_as_yaml(&json).into_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::parse_file,
        resource::{GatewayIdentity, GitIdentity, Metadata, User},
    };
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn any_text_can_be_written_and_read(description: String, value: String, hidden in "[\\u{202a}-\\u{202e}\\u{e0001}\\u{feff}\\u{85}\r\n\t a:#-]{0,6}") {
            let mut metadata = Metadata::named("x");
            metadata.description = Some(format!("{description}{hidden}"));
            metadata.labels.insert("l".to_owned(), value);
            metadata.labels.insert("m".to_owned(), hidden);
            let (git, gateway) = (GitIdentity::default(), GatewayIdentity::default());
            let user = User { metadata, roles: vec!["a".to_owned()], traits: Default::default(), git, gateway };
            let resource = Resource::User(Arc::new(user));
            let text = write(&resource).unwrap();
            let file = parse_file("f.yaml", text.as_bytes());
            prop_assert!(file.diagnostics.is_empty(), "{text}\n{:?}", file.diagnostics);
            prop_assert_eq!(&file.resources[0].resource, &resource, "{}", text);
            prop_assert_eq!(escape_lines(&text), text.as_str());
        }
    }
}
