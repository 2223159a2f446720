//! A small but honest MCP server, so that there is something to run before anything else is installed.
//!
//! It speaks both eras of the protocol (`initialize` up to 2025-11-25, `server/discover` from 2026-07-28) over stdin
//! and stdout, keeps no state between calls and asks nothing of the machine. [`serve`] ends when stdin does.

mod shapes;

use jiff::{Timestamp, tz::TimeZone};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    handler::server::{
        router::{prompt::PromptRouter, tool::ToolRouter},
        tool::ToolCallContext,
        wrapper::{Json, Parameters},
    },
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListResourcesResult,
        PaginatedRequestParams, ProgressNotificationParam, PromptMessage, ReadResourceRequestParams,
        ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, Role, ServerCapabilities, ServerConfig,
    },
    prompt, prompt_handler, prompt_router,
    service::{RequestContext, ServerInitializeError},
    tool, tool_handler, tool_router,
};
use shapes::{Add, Countdown, Counted, Echo, Greeting, Now, RollDice, Rolled, WhoAmI, WordCount};
use std::time::Duration;

const ABOUT_URI: &str = "demo://about";
const ABOUT: &str = "This is the demo server of mcpfleet. It runs as an app of its own: the resource file that the agent \
reads says which command starts it, and the agent starts, watches, updates and stops it.\n\n\
Things to try:\n\
- call `whoami` to see as which user, in which directory and with which environment an app runs;\n\
- change the app's description or arguments in its file and list the apps again;\n\
- call `countdown` from a client that shows progress.\n";

/// Why the demo server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the client did not open the conversation as the protocol wants it: {0}")]
    Opening(Box<ServerInitializeError>),
    #[error("the demo server stopped unexpectedly: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

/// Serves one client on stdin and stdout until stdin ends.
pub async fn serve() -> Result<(), DemoError> {
    match Demo::new().serve(rmcp::transport::io::stdio_pipes()).await {
        Ok(service) => {
            service.waiting().await?;
            Ok(())
        }
        // Started and stopped without a word, as a health check or an impatient client does.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(DemoError::Opening(Box::new(error))),
    }
}

/// The server: tools, a prompt and a resource.
struct Demo {
    tools: ToolRouter<Demo>,
    prompts: PromptRouter<Demo>,
}

impl Demo {
    fn new() -> Demo {
        Demo { tools: Demo::tool_router(), prompts: Demo::prompt_router() }
    }
}

#[tool_router]
impl Demo {
    /// Says back what it is told.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
        message
    }

    /// Adds two numbers.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> String {
        (a + b).to_string()
    }

    /// Rolls dice.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn roll_dice(
        &self,
        Parameters(RollDice { count, sides }): Parameters<RollDice>,
    ) -> Result<Json<Rolled>, CallToolResult> {
        if !(1..=100).contains(&count) || !(2..=1000).contains(&sides) {
            return Err(refusal("1 to 100 dice with 2 to 1000 sides, please"));
        }
        let rolls: Vec<u32> = (0..count)
            .map(|_| random_below(sides).map(|r| r + 1))
            .collect::<Result<_, _>>()
            .map_err(|error| refusal(format!("the system has no randomness: {error}")))?;
        Ok(Json(Rolled { total: rolls.iter().sum(), rolls }))
    }

    /// Counts the lines, words and characters of a text.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn word_count(&self, Parameters(WordCount { text }): Parameters<WordCount>) -> Json<Counted> {
        Json(Counted {
            lines: text.lines().count(),
            words: text.split_whitespace().count(),
            characters: text.chars().count(),
        })
    }

    /// Tells the time.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn now(&self, Parameters(Now { time_zone }): Parameters<Now>) -> Result<String, CallToolResult> {
        let zone = match &time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| refusal(format!("this machine knows no time zone {name:?}; try Europe/Vienna")))?,
        };
        Ok(Timestamp::now().to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z (%A)").to_string())
    }

    /// Counts down to zero, with a progress notification for each number if the client asks for progress.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    async fn countdown(
        &self,
        Parameters(Countdown { from, interval_ms }): Parameters<Countdown>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, CallToolResult> {
        if !(1..=60).contains(&from) || interval_ms > 10_000 {
            return Err(refusal("from 1 to 60, in steps of up to 10000 milliseconds, please"));
        }
        for left in (1..=from).rev() {
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, f64::from(from - left))
                    .with_total(f64::from(from))
                    .with_message(format!("{left}…"));
                if context.peer.notify_progress(progress).await.is_err() {
                    return Err(refusal("the client is gone"));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(interval_ms)) => {}
                () = context.ct.cancelled() => return Err(refusal("cancelled")),
            }
        }
        Ok("Lift-off!".to_owned())
    }

    /// Shows as which user, in which directory and with which environment variables this server runs.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn whoami(&self) -> Json<WhoAmI> {
        let uid = nix::unistd::geteuid();
        let mut environment: Vec<String> =
            std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        environment.sort_unstable();
        Json(WhoAmI {
            user: nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name),
            uid: uid.as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            pid: std::process::id(),
            directory: std::env::current_dir().ok().map(|path| path.to_string_lossy().into_owned()),
            environment,
        })
    }
}

#[prompt_router]
impl Demo {
    /// Asks the model to greet somebody and to say what this server can do.
    #[prompt]
    fn greeting(&self, Parameters(Greeting { name }): Parameters<Greeting>) -> Vec<PromptMessage> {
        let text = format!("Greet {name} in one sentence, then say which tools the demo server offers.");
        vec![PromptMessage::new_text(Role::User, text)]
    }
}

#[tool_handler(router = self.tools)]
#[prompt_handler(router = self.prompts)]
impl ServerHandler for Demo {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("mcpfleet-demo", env!("CARGO_PKG_VERSION")))
            .with_instructions("A playground: every tool is harmless and needs nothing else installed.")
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // The name comes from a client and is written to a log: `?` escapes it.
        tracing::info!(tool = ?request.name, "called");
        self.tools.call(ToolCallContext::new(self, request, context)).await
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let about = Resource::new(ABOUT_URI, "about")
            .with_description("What this server is and what to try with it.")
            .with_mime_type("text/plain");
        Ok(ListResourcesResult::with_all_items(vec![about]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != ABOUT_URI {
            let data = serde_json::json!({ "uri": request.uri });
            return Err(ErrorData::resource_not_found("there is no such resource", Some(data)));
        }
        let contents = ResourceContents::text(ABOUT, ABOUT_URI).with_mime_type("text/plain");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

/// A failure that the caller is meant to read, as opposed to a broken request.
fn refusal(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text.into())])
}

/// A number below `bound`, each as likely as the others.
fn random_below(bound: u32) -> Result<u32, getrandom::Error> {
    // Values above the largest multiple of `bound` would favour the small remainders: they are drawn again.
    let fair = u32::MAX - u32::MAX % bound;
    loop {
        let value = getrandom::u32()?;
        if value < fair {
            return Ok(value % bound);
        }
    }
}
