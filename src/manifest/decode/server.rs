//! Servers that are reached over HTTP: `spec.uri`, `spec.rewrite`, `spec.insecure_skip_verify`.

use super::{
    Context, Fields, boolean,
    document::{unique, unsupported},
    fields,
    identifier::secret_name,
    list, string, text,
};
use crate::{
    manifest::{
        Code,
        text::{Mark, quoted},
        yaml::{Node, Value},
    },
    resource::{Care, Header, HeaderValue, Remote, RemoteTransport},
};
use http::{HeaderName, Uri};

const SCHEMES: &[(&str, RemoteTransport, &str)] = &[
    ("mcp+http", RemoteTransport::StreamableHttp, "http"),
    ("mcp+https", RemoteTransport::StreamableHttp, "https"),
    ("mcp+sse+http", RemoteTransport::Sse, "http"),
    ("mcp+sse+https", RemoteTransport::Sse, "https"),
];

/// Headers that belong to HTTP's framing or to the MCP transport, as do all that start with `mcp-`.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a server is reached, as `spec.uri` says.
pub enum Endpoint {
    Stdio,
    Remote(RemoteTransport, String),
}

/// Reads `spec.uri`.
pub fn endpoint(node: &Node, context: &Context) -> Option<Endpoint> {
    let uri = text(node, context)?;
    let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
    if scheme == "mcp+stdio" {
        if !rest.is_empty() {
            let message = "nothing follows `mcp+stdio://`";
            return context.error_with_help(Code::InvalidUri, node.mark, message, "the program is in `mcp.command`");
        }
        return Some(Endpoint::Stdio);
    }
    let Some((_, transport, plain)) = SCHEMES.iter().find(|(name, ..)| *name == scheme) else {
        return not_mcp(scheme, node, context);
    };
    let url = format!("{plain}://{rest}");
    match wrong_with(&url) {
        Some(why) => context.error(Code::InvalidUri, node.mark, format!("{} {why}", quoted(uri))),
        None => Some(Endpoint::Remote(*transport, url)),
    }
}

fn not_mcp<T>(scheme: &str, node: &Node, context: &Context) -> Option<T> {
    let message = format!("{} does not lead to an MCP server", quoted(node.as_str().unwrap_or_default()));
    let help = match scheme {
        "http" | "https" => format!("for an MCP server write `mcp+{scheme}://`; other apps do not belong here"),
        _ => "write `mcp+stdio://`, `mcp+http://`, `mcp+https://`, `mcp+sse+http://` or `mcp+sse+https://`".to_owned(),
    };
    context.error_with_help(Code::InvalidUri, node.mark, message, help)
}

/// What is wrong with an HTTP URL, as the end of a sentence.
fn wrong_with(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<Uri>() else { return Some("is not a URI") };
    let Some(authority) = uri.authority() else { return Some("has no host") };
    if authority.as_str().contains('@') {
        return Some("contains credentials: put them into `rewrite.headers`, as a secret");
    }
    if authority.host().is_empty() {
        return Some("has no host");
    }
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if !after_host.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Some("has a port that is no port");
    }
    url.contains('#').then_some("contains a fragment, which is never sent")
}

/// Reads what else there is about a remote server: its headers, and how it is trusted.
pub fn remote(transport: RemoteTransport, url: String, care: Care, f: &mut Fields) -> Remote {
    let headers = f.optional("rewrite", rewrite).unwrap_or_default();
    let insecure_skip_verify = f.optional("insecure_skip_verify", |node, context| {
        let insecure = boolean(node, context)?;
        if insecure {
            let message = "the server's certificate is not checked: anyone on the way can read and change everything";
            context.warning(Code::InsecureTls, node.mark, message, "give the server a certificate that can be checked");
        }
        Some(insecure)
    });
    Remote { transport, url, headers, insecure_skip_verify: insecure_skip_verify.unwrap_or(false), care }
}

fn rewrite(node: &Node, context: &Context) -> Option<Vec<Header>> {
    let mut f = fields(node, "spec.rewrite", context)?;
    let headers = f.optional("headers", unique(list(header), |h| h.name.to_ascii_lowercase())).unwrap_or_default();
    unsupported(&mut f, &["redirect", "jwt_claims"], "it is for web applications");
    f.finish();
    Some(headers)
}

fn header(node: &Node, context: &Context) -> Option<Header> {
    if let Value::Map(_) = node.value {
        let mut f = fields(node, "headers", context)?;
        let name = f.required("name", |n, c| header_name(text(n, c)?, n.mark, c));
        let value = f.required("value", header_value);
        f.finish();
        return Some(Header { name: name?, value: value? });
    }
    let line = text(node, context)?;
    let Some((name, value)) = line.split_once(':') else {
        let message = format!("{} is not a header", quoted(line));
        return context.error_with_help(Code::InvalidHeader, node.mark, message, "write `\"Name: value\"`");
    };
    let name = header_name(name, node.mark, context);
    let value = literal(value.trim(), node.mark, context);
    Some(Header { name: name?, value: value? })
}

fn header_name(name: &str, mark: Mark, context: &Context) -> Option<String> {
    if HeaderName::try_from(name).is_err() {
        return context.error(Code::InvalidHeader, mark, format!("{} cannot be a header's name", quoted(name)));
    }
    let lower = name.to_ascii_lowercase();
    if OWN_HEADERS.contains(&&*lower) || lower.starts_with("mcp-") {
        let message = format!("the header {} belongs to the protocol and cannot be set", quoted(name));
        return context.error(Code::InvalidHeader, mark, message);
    }
    Some(name.to_owned())
}

fn header_value(node: &Node, context: &Context) -> Option<HeaderValue> {
    if let Value::Map(_) = node.value {
        let mut f = fields(node, "value", context)?;
        let secret = f.required("secret", secret_name);
        f.finish();
        return secret.map(HeaderValue::Secret);
    }
    literal(&string(node, context)?, node.mark, context)
}

fn literal(value: &str, mark: Mark, context: &Context) -> Option<HeaderValue> {
    if http::HeaderValue::from_str(value).is_err() {
        return context.error(Code::InvalidHeader, mark, format!("{} cannot be a header's value", quoted(value)));
    }
    Some(HeaderValue::Literal(value.to_owned()))
}
