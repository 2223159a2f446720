//! What is to be connected to, and whether it may be.

use super::{HostPattern, Target, Trust, is_listed};
use crate::{
    instance::{
        redact::Redaction,
        secrets::{SecretError, Value},
    },
    resource::{App, Header, HeaderValue as Written, Remote, RemoteTransport},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A session with a remote server to open: everything has been decided and looked up.
#[derive(Clone)]
pub struct Spec {
    pub app: String,
    /// Unique in the life of the agent.
    pub instance: String,
    pub transport: RemoteTransport,
    pub target: Target,
    /// Sent with each request.
    pub headers: HeaderMap,
    /// For `https`.
    pub tls: Option<Arc<ClientConfig>>,
    /// What must not be seen of what the server says.
    pub redaction: Arc<Redaction>,
}

/// Without the values of the headers.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("app", &self.app)
            .field("instance", &self.instance)
            .field("transport", &self.transport)
            .field("url", &self.target.url)
            .field("headers", &self.headers.keys())
            .finish_non_exhaustive()
    }
}

/// What an app may have.
pub struct Permitted<'a> {
    /// `None`: any.
    pub hosts: Option<&'a [HostPattern]>,
    /// The secrets that the app asks for, by name.
    pub secrets: &'a BTreeMap<String, Result<Value, SecretError>>,
    pub trust: &'a Trust,
}

/// Everything that is needed to connect to the server of an app. May read files.
///
/// # Errors
/// Why it must not be connected to, or cannot be, for people.
pub fn prepare(app: &App, remote: &Remote, instance: String, permitted: &Permitted<'_>) -> Result<Spec, String> {
    let target = Target::new(&remote.url).ok_or_else(|| format!("`{}` is no URL of a server", remote.url))?;
    is_listed(permitted.hosts, &target)?;
    let mut headers = HeaderMap::new();
    for Header { name, value } in &remote.headers {
        let wrong = |what: &str| format!("`rewrite.headers`: {name}: {what}");
        let header = HeaderName::try_from(name).map_err(|_| wrong("it cannot be a header's name"))?;
        let value = match value {
            Written::Literal(text) => {
                HeaderValue::from_str(text).map_err(|_| wrong("it cannot be a header's value"))?
            }
            Written::Secret(secret) => match permitted.secrets.get(secret) {
                Some(Ok(value)) => {
                    let unfit =
                        |_| wrong(&format!("secret `{secret}` has a line break or another control character in it"));
                    let mut value = HeaderValue::from_bytes(value.reveal()).map_err(unfit)?;
                    value.set_sensitive(true);
                    value
                }
                Some(Err(error)) => return Err(wrong(&error.to_string())),
                None => return Err(wrong(&format!("secret `{secret}` was not looked up"))),
            },
        };
        headers.insert(header, value);
    }
    let tls = if target.secure { Some(permitted.trust.config(remote.insecure_skip_verify)?) } else { None };
    let secrets = permitted.secrets.values().flatten().map(Value::reveal);
    let redaction = Redaction::new(secrets.flat_map(|secret| [Some(secret), credentials(secret)]).flatten());
    let (app, transport) = (app.metadata.name.clone(), remote.transport);
    Ok(Spec { app, instance, transport, target, headers, tls, redaction: Arc::new(redaction) })
}

/// What follows the scheme in the value of an `Authorization` header, as the token in `Bearer TOKEN`.
fn credentials(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let is_scheme = !scheme.is_empty() && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_scheme.then(|| rest.trim_ascii())
}
