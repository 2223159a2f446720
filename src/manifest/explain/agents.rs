//! What the configurations of agents say of apps, where they are given.

use super::{Explanation, Language};

/// The example with the configuration of an agent, where the test of the examples looks for one.
macro_rules! agent {
    ($service:literal, $app:literal) => {
        concat!(
            "mkdir .mcpfleet\ncat >.mcpfleet/agent.yaml <<END\nversion: v1\nsources: [{name: here, directory: {path: .}}]\n",
            $service,
            "END\ncat >web.yaml <<END\nkind: app\nversion: v3\n",
            $app,
            "END\n"
        )
    };
}

pub(super) const UNSELECTED: Explanation = Explanation {
    summary: "No agent of those whose configurations are given runs the app",
    why: "An agent runs the apps whose labels one of its `app_service.resources` selects. An app that none selects is \
          accepted and then runs nowhere, which is mostly a label that is missing or misspelt. This is told where \
          `mcpfleet validate` is given all agents with `--config`; a folder of a source, and what it ignores, are not \
          looked at.",
    language: Language::Sh,
    wrong: agent!(
        "app_service: {resources: [{labels: {env: prod}}]}\n",
        "metadata: {name: web, labels: {env: pord}}\nspec: {mcp: {command: mcpfleet, args: [demo-server]}}\n"
    ),
    right: agent!(
        "app_service: {resources: [{labels: {env: prod}}]}\n",
        "metadata: {name: web, labels: {env: prod}}\nspec: {mcp: {command: mcpfleet, args: [demo-server]}}\n"
    ),
};

pub(super) const REFUSED_BY_AGENT: Explanation = Explanation {
    summary: "An agent that selects the app would not start it, by its configuration",
    why: "What an app asks for has to be given to it by the agent: a host user in `host_users`, a secret in `secrets`, a remote \
          server in `remote_hosts`, a variable of the agent in `allow_from_agent`. A name that one of the agent's own \
          `app_service.apps` has is not free either. Change the configuration first, then the app. Whether the user, the \
          secret or the variable exists on the host shows only there.",
    language: Language::Sh,
    wrong: agent!(
        "app_service: {resources: [{labels: {'*': '*'}}], remote_hosts: ['*.example.com']}\n",
        "metadata: {name: web}\nspec: {uri: 'mcp+https://tools.example.org/mcp'}\n"
    ),
    right: agent!(
        "app_service: {resources: [{labels: {'*': '*'}}], remote_hosts: ['*.example.com']}\n",
        "metadata: {name: web}\nspec: {uri: 'mcp+https://tools.example.com/mcp'}\n"
    ),
};
