//! What of the status a principal may know. Pure.

use super::model::{AgentStatus, AllowedTools, AppStatus, Status};
use crate::gateway::access::{Permit, Policy, Principal, User};
use crate::resource::Verb;

/// The apps that a principal may know of: all about those that it may read, and of those that it may use what is needed for
/// that. A definition that does not run is part of what is told of the agent.
pub(super) fn shown_to(apps: Vec<AppStatus>, principal: &Principal, policy: &Policy) -> Vec<AppStatus> {
    let sees_all = policy.may_order(principal, Verb::Read, None);
    let shown = |mut app: AppStatus| {
        if app.state.is_none() {
            return sees_all.then_some(app);
        }
        let permit = policy.permit(principal, &app.name);
        app.allowed_tools = permit.as_deref().map(allowed_tools);
        match policy.may_read(principal, &app.name) {
            true => Some(app),
            false => permit.is_some().then(|| for_use(app)),
        }
    };
    apps.into_iter().filter_map(shown).collect()
}

/// What of the agent a user may know.
pub(super) fn agent_shown_to(status: Status, user: &User, sees_all: bool) -> Status {
    let principal = Some(user.name().to_owned());
    let agent = match sees_all {
        true => AgentStatus { principal, ..status.agent },
        false => AgentStatus { principal, pid: None, started: None, notifications: Vec::new(), ..status.agent },
    };
    Status { agent, ..status }
}

fn allowed_tools(permit: &Permit) -> AllowedTools {
    let owned = |patterns: Vec<&str>| patterns.into_iter().map(str::to_owned).collect();
    AllowedTools { allow: owned(permit.allowed()), deny: owned(permit.denied()) }
}

/// What whoever uses an app has to know of it; nothing that is added later, unless somebody adds it here.
fn for_use(app: AppStatus) -> AppStatus {
    AppStatus {
        description: app.description,
        transport: app.transport,
        labels: app.labels,
        state: app.state,
        era: app.era,
        server: app.server,
        updating: app.updating,
        allowed_tools: app.allowed_tools,
        dynamic_labels: app.dynamic_labels,
        ..AppStatus::bare(&app.name, app.url)
    }
}
