//! The outcome of a commit, as forges want to be told. Pure.

use super::{outcome::Outcome, request::Request, text::line};
use crate::{
    config::{Forge, Target},
    status::model::notification::CommitState,
};
use serde_json::{Map, Value, json};

/// What the agent says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// What it is called where several are seen together.
    pub name: String,
    /// Where its page is, if others can reach it.
    pub public_url: Option<String>,
}

/// The longest description, in characters, that GitHub takes.
const GITHUB: usize = 140;
/// The same of GitLab; Gitea has no limit of its own.
const OTHERS: usize = 255;

/// The context of a status: under which name the forge shows it.
pub fn context(forge: &Forge, agent: &Agent) -> String {
    forge.context.clone().unwrap_or_else(|| format!("mcpfleet/{}", agent.name))
}

/// The request that sets the status of a commit. `None` for a target that is no forge.
pub fn status(target: &Target, agent: &Agent, outcome: &Outcome, token: &str) -> Option<Request> {
    let (forge, path, limit) = match target {
        Target::Github(forge) | Target::Gitea(forge) => {
            let limit = if matches!(target, Target::Github(_)) { GITHUB } else { OTHERS };
            (forge, format!("repos/{}/statuses/{}", forge.repository, outcome.commit), limit)
        }
        Target::Gitlab(forge) => {
            // A project's path is one part of the URL.
            let project = forge.repository.replace('/', "%2F");
            (forge, format!("projects/{project}/statuses/{}", outcome.commit), OTHERS)
        }
        Target::Slack(_) | Target::Webhook(_) => return None,
    };
    let state = match (target, outcome.state) {
        // GitLab has one word for both.
        (Target::Gitlab(_), CommitState::Failure | CommitState::Error) => "failed",
        (_, state) => state.word(),
    };
    let called = if matches!(target, Target::Gitlab(_)) { "name" } else { "context" };
    let mut body = Map::from_iter([
        ("state".to_owned(), json!(state)),
        (called.to_owned(), json!(context(forge, agent))),
        ("description".to_owned(), json!(line(&outcome.description, limit))),
    ]);
    if let Some(url) = &agent.public_url {
        body.insert("target_url".to_owned(), json!(format!("{url}/#/changes")));
    }
    let headers = match target {
        Target::Github(_) => vec![
            ("authorization", format!("Bearer {token}")),
            ("accept", "application/vnd.github+json".to_owned()),
            ("x-github-api-version", "2022-11-28".to_owned()),
        ],
        Target::Gitlab(_) => vec![("private-token", token.to_owned())],
        _ => vec![("authorization", format!("token {token}"))],
    };
    Some(Request { url: format!("{}/{path}", forge.api_url), headers, body: Value::Object(body).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "4f2c8b1d0e9a7c6b5d4e3f2a1b0c9d8e7f6a5b4c";

    fn forge(api_url: &str, repository: &str) -> Forge {
        Forge {
            source: "fleet".into(),
            api_url: api_url.into(),
            repository: repository.into(),
            token_file: "token".into(),
            context: None,
        }
    }

    fn sent(target: &Target, state: CommitState, description: &str) -> (String, Vec<(&'static str, String)>, Value) {
        let agent = Agent { name: "eu-1".into(), public_url: Some("https://mcp.example.com".into()) };
        let outcome = Outcome { commit: SHA.into(), state, description: description.into(), changes: 0 };
        let Request { url, headers, body } = status(target, &agent, &outcome, "t0ken").unwrap();
        (url, headers, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn each_forge_in_its_own_way() {
        let github = Target::Github(forge("https://api.github.com", "platform/fleet"));
        let (url, headers, body) = sent(&github, CommitState::Failure, "no");
        assert_eq!(url, format!("https://api.github.com/repos/platform/fleet/statuses/{SHA}"));
        assert_eq!(headers[0], ("authorization", "Bearer t0ken".to_owned()));
        let target_url = "https://mcp.example.com/#/changes";
        let expected =
            json!({"state": "failure", "context": "mcpfleet/eu-1", "description": "no", "target_url": target_url});
        assert_eq!(body, expected);

        let gitlab = Target::Gitlab(forge("https://gitlab.com/api/v4", "a/b/fleet"));
        let (url, headers, body) = sent(&gitlab, CommitState::Error, "no");
        assert_eq!(url, format!("https://gitlab.com/api/v4/projects/a%2Fb%2Ffleet/statuses/{SHA}"));
        assert_eq!(headers, [("private-token", "t0ken".to_owned())]);
        let expected =
            json!({"state": "failed", "name": "mcpfleet/eu-1", "description": "no", "target_url": target_url});
        assert_eq!(body, expected);

        let gitea = Target::Gitea(Forge {
            context: Some("mine".into()),
            ..forge("https://git.example.com/api/v1", "platform/fleet")
        });
        let (url, headers, body) = sent(&gitea, CommitState::Pending, "soon");
        assert_eq!(url, format!("https://git.example.com/api/v1/repos/platform/fleet/statuses/{SHA}"));
        assert_eq!(headers, [("authorization", "token t0ken".to_owned())]);
        assert_eq!((&body["state"], &body["context"]), (&json!("pending"), &json!("mine")));
    }

    #[test]
    fn descriptions_are_as_long_as_the_forge_takes() {
        let long = "ä".repeat(1000);
        let github = Target::Github(forge("https://api.github.com", "a/b"));
        let gitlab = Target::Gitlab(forge("https://gitlab.com/api/v4", "a/b"));
        for (target, limit) in [(github, 140), (gitlab, 255)] {
            let (_, _, body) = sent(&target, CommitState::Failure, &long);
            assert_eq!(body["description"].as_str().map(|text| text.chars().count()), Some(limit));
        }
    }
}
