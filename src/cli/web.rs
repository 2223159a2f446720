//! `mcpfleet web`: the page of an agent, signed in.

use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{escape, print, print_structured},
};
use crate::{
    client::{
        api::{AgentClient, ApiError},
        browser::Desk,
        endpoint::Endpoint,
    },
    status::model::web::Link,
};
use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;

/// Open the web page of an agent, with your own rights there.
///
/// The agent makes a link that opens the page once, within ten minutes. What it opens may do what you may: on the control socket,
/// as root or as the agent's own user, everything. It lasts twelve hours at most, and no longer than the agent, or than your token.
///
/// The link is given to the browser in a file of yours, since all users of a machine can see with what programs are called. Browsers in
/// a sandbox (snap, flatpak) cannot read it: use --no-browser for them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet web
  mcpfleet web --no-browser
  mcpfleet web --agent https://fleet.example.com --token-file ~/.config/mcpfleet/token
  mcpfleet web --no-browser -o json

Exit codes: 0 there is a link, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// Print the link, and open nothing.
    #[arg(long)]
    no_browser: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

/// What came of it.
#[derive(Serialize)]
struct Opening {
    url: String,
    /// Until when the link is good; null where none is needed.
    expires: Option<Timestamp>,
    /// A browser was started with it.
    opened: bool,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async {
        let (url, expires) = address(&agent, args.agent.agent.is_some()).await?;
        let tried = match args.no_browser {
            true => None,
            false => Some(Desk::of_this_user().open(&url).await),
        };
        let opening = Opening { opened: matches!(tried, Some(Ok(()))), url, expires };
        if print_structured(args.output, &opening)?.is_none() {
            let mut text = String::new();
            if let Some(Err(error)) = &tried {
                text = format!("No browser was opened: {}.\n\n", escape(&error.to_string()));
            }
            print(&(text + &told(&opening)))?;
        }
        Ok(Outcome::Fine)
    })
}

/// The address to open, and until when it is good.
async fn address(agent: &AgentClient, named: bool) -> anyhow::Result<(String, Option<Timestamp>)> {
    let link = match agent.web_link().await {
        Ok(link) => link,
        // Over an open gateway one is nobody, and sees everything.
        Err(ApiError::Refused { code, .. }) if code == "anonymous" => {
            let Some(endpoint) = agent.http.endpoint() else { bail!("it is not known where the agent is") };
            return Ok((format!("{endpoint}/"), None));
        }
        Err(error) => return Err(error.into()),
    };
    // Where the user reaches the agent, the browser does too, whatever the agent says of itself.
    let base = match agent.http.endpoint() {
        Some(endpoint @ (Endpoint::Tcp { .. } | Endpoint::Https { .. })) if named => Some(endpoint.to_string()),
        _ => None,
    };
    match opened(&link, base.as_deref()) {
        Some(url) => Ok((url, Some(link.expires))),
        None => bail!("the agent's link is none that could be opened: {}", escape(&link.url)),
    }
}

/// The URL of a link, if it is one that a browser may be given.
fn opened(link: &Link, base: Option<&str>) -> Option<String> {
    let (page, code) = link.url.split_once('#')?;
    let own = page.strip_suffix("/web/open")?;
    let uri: hyper::Uri = own.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let known = matches!(uri.scheme_str(), Some("http" | "https")) && !authority.contains('@') && uri.query().is_none();
    let fits = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (known && fits).then(|| format!("{}/web/open#{code}", base.unwrap_or(own)))
}

fn told(opening: &Opening) -> String {
    let Opening { url, expires, opened } = opening;
    let page = escape(url.split("web/open#").next().unwrap_or_default());
    match (expires, opened) {
        (Some(_), true) => format!(
            "The browser has been told to open {page}. There you may do what you may here, for twelve hours at most.\n\
             If nothing shows, `mcpfleet web --no-browser` prints a link.\n"
        ),
        (Some(expires), false) => format!(
            "{}\n\nWhoever opens this first may do there what you may here, for twelve hours at most. It is good once, until {expires}.\n",
            escape(url)
        ),
        (None, opened) => format!(
            "{}{page}\n\nThis agent is open: the page shows everything, and orders nothing. `mcpfleet web` by the control socket makes a \
             link that does.\n",
            if *opened { "The browser has been told to open " } else { "" }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_may_be_given() {
        let of = |url: &str, base| opened(&Link { url: url.into(), expires: Timestamp::UNIX_EPOCH }, base);
        for (url, base, expected) in [
            ("http://127.0.0.1:7420/web/open#aZ-_9", None, Some("http://127.0.0.1:7420/web/open#aZ-_9")),
            ("https://x/y/web/open#a", None, Some("https://x/y/web/open#a")),
            (
                "http://127.0.0.1:7420/web/open#a",
                Some("http://localhost:8000"),
                Some("http://localhost:8000/web/open#a"),
            ),
            ("file:///web/open#a", None, None),
            ("javascript:alert(1)//web/open#a", None, None),
            ("http://a@x/web/open#a", None, None),
            ("http://x/?y=/web/open#a", None, None),
            ("http://x/web/open#", None, None),
            ("http://x/web/open#a\"b", None, None),
            ("http://x/web/open#a b", None, None),
            ("http://x/web/open", None, None),
            ("http://x/elsewhere#a", None, None),
            ("http://x/web/open#a#b", None, None),
            ("http://x y/web/open#a", None, None),
            ("", None, None),
        ] {
            assert_eq!(of(url, base).as_deref(), expected, "{url}");
        }
    }
}
