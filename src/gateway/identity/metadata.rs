//! What a client has to know to get a token (RFC 9728). Says nothing of which apps there are.

use super::Identity;
use crate::resource::check_name;
use serde_json::json;

/// Where it is; what is for one endpoint has the endpoint's path behind it.
pub const METADATA: &str = "/.well-known/oauth-protected-resource";

impl Identity {
    /// The path of an endpoint for which there could be a document of its own: of an app by any name, there or not.
    fn endpoint(path: &str) -> Option<&str> {
        let name = path.strip_prefix("/mcp")?;
        (name.is_empty() || name.strip_prefix('/').is_some_and(|name| check_name(name).is_ok())).then_some(path)
    }
}

/// The document at a path; `None` if there is none.
pub fn metadata(identity: &Identity, path: &str) -> Option<String> {
    let rest = path.strip_prefix(METADATA)?;
    let endpoint = if rest.is_empty() { "" } else { Identity::endpoint(rest)? };
    let issuers: Vec<&str> = identity.oidc.urls().collect();
    let mut document = json!({
        "resource": format!("{}{endpoint}", identity.url),
        "bearer_methods_supported": ["header"],
        "resource_name": "mcpfleet",
    });
    if let Some(document) = document.as_object_mut().filter(|_| !issuers.is_empty()) {
        document.insert("authorization_servers".into(), json!(issuers));
    }
    Some(document.to_string())
}

/// `WWW-Authenticate` for whoever asked for a path.
pub fn challenge(identity: &Identity, path: &str, invalid_token: bool) -> String {
    let endpoint = Identity::endpoint(path).unwrap_or_default();
    let error = if invalid_token { "error=\"invalid_token\", " } else { "" };
    format!("Bearer {error}resource_metadata=\"{}{METADATA}{endpoint}\"", identity.url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::identity::oidc::Issuer;
    use serde_json::Value;

    #[test]
    fn documents_say_nothing_of_apps() {
        let issuer = Issuer { url: "https://id.example".into(), audience: "a".into() };
        let identity = Identity::new("https://mcp.example".into(), vec![issuer]);
        for (path, resource) in [
            ("", Some("https://mcp.example")),
            ("/mcp", Some("https://mcp.example/mcp")),
            ("/mcp/demo", Some("https://mcp.example/mcp/demo")),
            ("/mcp/", None),
            ("/mcp/a/b", None),
            ("/mcp/a\"b", None),
            ("/v1/status", None),
            ("x", None),
        ] {
            let found = metadata(&identity, &format!("{METADATA}{path}"));
            let found: Option<Value> = found.map(|text| serde_json::from_str(&text).unwrap());
            assert_eq!(found.as_ref().and_then(|document| document["resource"].as_str()), resource, "{path}");
            if let Some(document) = found {
                assert_eq!(document["authorization_servers"], json!(["https://id.example"]));
                assert_eq!(document["bearer_methods_supported"], json!(["header"]));
            }
        }
        let none = Identity::new("http://localhost".into(), Vec::new());
        assert!(!metadata(&none, METADATA).unwrap().contains("authorization_servers"));
    }

    #[test]
    fn challenges() {
        let identity = Identity::new("https://mcp.example".into(), Vec::new());
        let of = |path: &str, invalid| challenge(&identity, path, invalid);
        let root = "https://mcp.example/.well-known/oauth-protected-resource";
        assert_eq!(of("/mcp/demo", false), format!("Bearer resource_metadata=\"{root}/mcp/demo\""));
        assert_eq!(of("/v1/status", true), format!("Bearer error=\"invalid_token\", resource_metadata=\"{root}\""));
        assert_eq!(of("/mcp/\"x", false), format!("Bearer resource_metadata=\"{root}\""));
    }
}
