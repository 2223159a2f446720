//! Whether a server still has the tools that it had when its definition was accepted.
//!
//! What a definition starts may change without it: a package without a version, an image called `latest`, a server that
//! decides to describe its tools otherwise. A reviewer saw none of that. So the tools of each definition are remembered
//! from its first run on, across restarts of servers and agent, and what differs later is a change.

mod book;
mod set;

pub use book::ToolBook;
pub use set::ToolSet;

use super::{
    link::Link,
    question::{Unanswered, ask},
};
use crate::{
    protocol::{Era, codes},
    resource::Digest,
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a server may take for all of its tools.
const PATIENCE: Duration = Duration::from_secs(10);
/// More tools, or pages, than this are not looked at.
const MAX_TOOLS: usize = 4096;
const MAX_PAGES: usize = 256;

/// What a look at a server's tools has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub tools: ToolSet,
    /// What differs from the tools that the definition had at first.
    pub change: Option<String>,
}

/// Why a server's tools are not known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unseen {
    #[error("its tools cannot be listed: {0}")]
    Unanswered(#[from] Unanswered),
    #[error("it has more than {MAX_TOOLS} tools, more than {MAX_PAGES} pages of them, or one with an endless name")]
    TooMany,
    /// Nobody can say then whether they have changed.
    #[error("what its tools were is not known: {0}")]
    Forgotten(String),
}

/// What is to be made of the tools that a server has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// They are compared with the ones that the definition had at first.
    Compare,
    /// From now on they are the ones to compare with.
    Accept,
}

/// Lists the tools of a server and compares them with what the book has.
///
/// # Errors
/// See [`Unseen`]. A server that knows nothing of tools has none.
pub async fn look(
    link: &Link,
    era: Era,
    book: &ToolBook,
    (app, spec): (&str, Digest),
    take: Take,
) -> Result<Look, Unseen> {
    let silent = Unanswered::Silent { method: "tools/list", limit: PATIENCE };
    let tools = tokio::time::timeout(PATIENCE, list(link, era)).await.map_err(|_| silent)??;
    let change = match take {
        Take::Compare => book.compare(app, spec, &tools).await,
        Take::Accept => book.accept(app, spec, &tools).await.map(|()| None),
    };
    // The names are the server's words.
    let change = change.map_err(|error| Unseen::Forgotten(error.to_string()))?.map(|change| link.quoted(&change));
    Ok(Look { tools, change })
}

async fn list(link: &Link, era: Era) -> Result<ToolSet, Unseen> {
    let (mut tools, mut params) = (ToolSet::default(), json!({}));
    for _ in 0..MAX_PAGES {
        let page = match ask(link, era, "tools/list", params, PATIENCE).await {
            Err(Unanswered::Refused { code: codes::METHOD_NOT_FOUND, .. }) => return Ok(tools),
            answer => answer?,
        };
        let page_of = page.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if tools.add(page_of).is_err() || tools.len() > MAX_TOOLS {
            break;
        }
        match page.get("nextCursor").filter(|cursor| !cursor.is_null()) {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return Ok(tools),
        }
    }
    Err(Unseen::TooMany)
}
