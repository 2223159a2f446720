//! One message that means nothing, to see whether a target takes it.

use super::{
    answer::without,
    compose::{self, Message},
    digest,
    forge::Agent,
    hook,
    notice::{Notice, Subject},
    outcome::Outcome,
    request::Answer,
    send::Sender,
    target::new_id,
};
use crate::{
    config::{Notification, Target},
    status::model::{event::EventLevel, notification::CommitState},
};
use jiff::Timestamp;
use serde_json::json;
use std::time::Instant;

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What was sent to the target.
    pub sent: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What was answered.
    pub body: String,
    /// Why it is no good.
    pub problem: Option<String>,
}

/// Sends a message, once. Blocks. `commit` is for forges, which show it under a name of its own.
///
/// # Errors
/// A forge without a commit.
pub fn test(target: &Notification, agent_name: &str, commit: Option<&str>) -> Result<Trial, String> {
    const TEXT: &str = "a test: messages of this agent arrive";
    let mut target = target.clone();
    let agent = Agent { name: agent_name.to_owned(), public_url: None };
    let now = Timestamp::now();
    let notice = Notice {
        time: now,
        kind: "test".to_owned(),
        level: EventLevel::Info,
        subject: Subject::Agent,
        source: None,
        message: TEXT.to_owned(),
        data: json!({"level": "info", "kind": "test", "message": TEXT}),
        good: false,
    };
    let message = match &mut target.target {
        Target::Github(forge) | Target::Gitlab(forge) | Target::Gitea(forge) => {
            let commit = commit.ok_or("a forge is told of commits: name one with --commit")?;
            // Not where branch protection looks.
            forge.context = Some(format!("{}/test", super::forge::context(forge, &agent)));
            let state = CommitState::Success;
            let outcome = Outcome { commit: commit.to_owned(), state, description: TEXT.to_owned(), changes: 0 };
            Message::Commit { source: forge.source.clone(), outcome }
        }
        Target::Slack(slack) => {
            let mut digest = digest::Digest::new(slack.interval);
            let then = Instant::now();
            digest.add(&notice, then);
            Message::Text(digest.take(&agent, then + digest::WINDOW).unwrap_or_default())
        }
        Target::Webhook(_) => Message::Signed { id: new_id(), body: hook::body(&notice, &agent) },
    };
    let mut sent = String::new();
    let (setting, file) = target.target.credential();
    let (answer, response) = Sender::new(&target).send((setting, file), |secret| {
        let request = compose::request(&target.target, &agent, &message, secret, now)?;
        sent.clone_from(&request.body);
        Ok(request)
    });
    let problem = match answer {
        Answer::Taken => None,
        Answer::Later { problem, .. } | Answer::Refused { problem } => Some(problem),
    };
    // What is shown back of the credential is shown to nobody.
    let secret = super::secret(setting, file).unwrap_or_default();
    let hidden = |text: String| without(&text, &secret);
    let (status, body) = response.map(|response| (response.status, hidden(response.body))).unzip();
    Ok(Trial { sent, status, body: body.unwrap_or_default(), problem })
}
