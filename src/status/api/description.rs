//! `/v1/openapi.json`: the API, described by what it is made of.
//!
//! A handler's annotation stands above it, and its types derive their schemas, so that they change together; here is what is the
//! same for all. Tests hold the routes and the answers of a real agent against it.

use super::{app, audit, changes, history, plan, preview, streams, watch};
use crate::{
    gateway::{reply_json, web_session::PROOF},
    status::{
        actions,
        model::{problem::Problem, watch::Change},
        web,
    },
};
use axum::{http::StatusCode, response::Response};
use std::sync::LazyLock;
use utoipa::{
    OpenApi,
    openapi::{
        Content, HttpMethod, PathItem, Ref, ResponseBuilder,
        path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "mcpfleet",
        description = "An agent of mcpfleet: what it runs, what happens, and what it can be told to do. The command line and the web page use \
                       the same.\n\nWithin `/v1` fields and endpoints are only ever added, and words are never used for something else: a \
                       client has to pass over what it does not know. Times are RFC 3339. Texts are of strangers (authors of commits, \
                       servers, clients), and a client has to treat them so. Everybody gets what they may know, and an app that somebody \
                       may not know of is answered like one that is not there."
    ),
    paths(
        super::status,
        app::app,
        history::history,
        changes::changes,
        preview::preview,
        watch::watch,
        streams::events,
        streams::logs,
        audit::audit,
        plan::plan,
        actions::reconcile,
        actions::restart,
        actions::suspend,
        actions::resume,
        web::me::me,
        web::sign_in::link,
        web::sign_in::sign_in,
        web::sign_in::sign_out,
        web::assets::front,
        web::assets::asset,
        openapi,
    ),
    components(schemas(Problem, Change)),
    tags(
        (name = "status", description = "What is."),
        (name = "git", description = "What was, and what would be."),
        (name = "actions", description = "What an agent can be told. For operators, and for users of whom a role has a rule with the resource \
                                          `agent` and the verb."),
        (name = "web", description = "The web page, and signing in to it."),
        (name = "clients", description = "For clients of MCP and for probes."),
    ),
)]
struct Annotated;

static JSON: LazyLock<String> = LazyLock::new(|| {
    // What has been described is always JSON.
    description().to_pretty_json().map(|text| text + "\n").unwrap_or_default()
});

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> Response {
    reply_json(StatusCode::OK, JSON.as_str())
}

/// The description as JSON, for people.
pub fn openapi_json() -> &'static str {
    &JSON
}

/// All that can be asked of an agent over HTTP.
pub fn description() -> utoipa::openapi::OpenApi {
    let mut all = Annotated::openapi();
    for (path, item) in &mut all.paths.paths {
        if path.starts_with("/v1/") {
            operations(item).for_each(with_refusals);
        }
    }
    clients(&mut all.paths);
    let components = all.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("A token of a user (`mcpfleet token create`), or a signed one of an issuer."));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    let cookie = "The cookie of a session of the web page. By itself it lets read, and nothing else. The port is the gateway's; over \
                  TLS the name begins with `__Host-`.";
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description("mcpfleet-7420", cookie));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    let proof = "What the page got when it signed in. Whatever changes something needs it besides the cookie.";
    let proof = ApiKey::Header(ApiKeyValue::with_description("X-Mcpfleet-Proof", proof));
    debug_assert!(PROOF.as_str().eq_ignore_ascii_case("X-Mcpfleet-Proof"));
    components.add_security_scheme("proof", SecurityScheme::ApiKey(proof));
    let alone = |name: &str| SecurityRequirement::new(name, [""; 0]);
    // The last is for gateways that are open, and for the control socket.
    let proven = alone("session").add("proof", [""; 0]);
    all.security = Some(vec![alone("token"), proven, alone("session"), SecurityRequirement::default()]);
    all
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
}

/// What any request can be answered with.
fn with_refusals(operation: &mut Operation) {
    let refusals = [
        (
            "4XX",
            "It is not done. 400: it cannot be understood; 401: it is not known whose it is; 403: whoever asks may not; 404: there is no \
                 such thing, or whoever asks may not know of it; 409: it is not so that it could be done; 429: too often.",
        ),
        ("5XX", "It is not done for now. 503: the agent is stopping, or it cannot be found out whose the request is."),
    ];
    for (status, text) in refusals {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let refusal = ResponseBuilder::new().description(text).content("application/json", content).build();
        operation.responses.responses.entry(status.into()).or_insert(refusal.into());
    }
}

/// What is not of `/v1`: it has a protocol of its own, or next to none.
fn clients(paths: &mut utoipa::openapi::Paths) {
    let name = || {
        ParameterBuilder::new().name("app").parameter_in(ParameterIn::Path).required(utoipa::openapi::Required::True)
    };
    let text = |kind| ObjectBuilder::new().schema_type(kind);
    let message =
        |kind: &str| Content::new(Some(text(if kind.ends_with("json") { Type::Object } else { Type::String }).build()));
    for (path, of_app, what) in [
        ("/mcp/{app}", true, "The MCP endpoint of an app, for clients of both eras (streamable HTTP)."),
        ("/mcp", false, "The MCP endpoint that has the tools of all apps that one may use."),
    ] {
        let with_name = |operation: OperationBuilder| match of_app {
            true => operation.parameter(name().schema(Some(text(Type::String))).build()),
            false => operation,
        };
        let answer = ResponseBuilder::new()
            .description("As MCP has it: a message of JSON-RPC, or a stream of them.")
            .content("application/json", message("json"))
            .content("text/event-stream", message("stream"));
        let body = RequestBodyBuilder::new()
            .content("application/json", message("json"))
            .description(Some("A message of JSON-RPC."));
        let post = with_name(operation(what).request_body(Some(body.build())).response("200", answer.build()));
        let stream = ResponseBuilder::new().description("A stream.").content("text/event-stream", message("stream"));
        let get = with_name(operation("The stream of a session (`Mcp-Session-Id`).").response("200", stream.build()));
        let ended = ResponseBuilder::new().description("It has ended.");
        let delete = with_name(operation("Ends a session (`Mcp-Session-Id`).").response("204", ended.build()));
        paths.add_path_operation(path, vec![HttpMethod::Post], post.build());
        paths.add_path_operation(path, vec![HttpMethod::Get], get.build());
        paths.add_path_operation(path, vec![HttpMethod::Delete], delete.build());
    }
    for (path, kind, what) in [
        ("/healthz", "text/plain", "Whether the agent is there."),
        (
            "/readyz",
            "application/json",
            "Whether clients may be sent here: 503 until the first apps have been started, and from the stop on.",
        ),
        (
            "/metrics",
            "text/plain",
            "Metrics of Prometheus, or of OpenMetrics for who takes them; for operators, and for users who may read the agent.",
        ),
        (
            "/.well-known/oauth-protected-resource",
            "application/json",
            "Where clients get tokens (RFC 9728), where the gateway requires them.",
        ),
    ] {
        let fine = ResponseBuilder::new().description("It is.").content(kind, message(kind));
        paths.add_path_operation(path, vec![HttpMethod::Get], operation(what).response("200", fine.build()).build());
    }
}

fn operation(what: &str) -> OperationBuilder {
    OperationBuilder::new().tag("clients").summary(Some(what))
}
