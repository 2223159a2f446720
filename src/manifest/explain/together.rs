//! What only shows when several settings, or several resources, are looked at together.

use super::{Explanation, Language, app, role, user};

pub(super) const OPEN_GATEWAY: Explanation = Explanation {
    summary: "A gateway that is open to everybody would listen where others can reach it",
    why: "With `auth: open` whoever connects may call every tool. That is for one machine: listen on a loopback address, or \
          keep `auth: required` and give the users tokens.",
    language: Language::Yaml,
    wrong: "version: v1\ngateway: {auth: open, listen: \"0.0.0.0:7420\"}\n",
    right: "version: v1\ngateway: {auth: required, listen: \"0.0.0.0:7420\"}\n",
};

pub(super) const STOPS_AT_CLIENT: Explanation = Explanation {
    summary: "Limits or a sandbox are set for the client of a container engine, and would not reach the container",
    why: "`docker run` asks a daemon for the container and waits. What holds the client does not hold what the daemon starts. \
          Give the engine its own options.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, mcp/everything]\n    limits: {memory: 64Mi}\n"),
    right: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, --memory, 64m, mcp/everything]\n"),
};

pub(super) const DUPLICATE_RESOURCE: Explanation = Explanation {
    summary: "Two resources of the same kind have the same name, or names that differ only in case",
    why: "A name leads to one resource, in URLs, roles and on the command line. Which of two would run depended on the order \
          in which files are read, so both are held: what ran last goes on. Rename one of them.",
    language: Language::Yaml,
    wrong: concat!(app!("  mcp: {command: server}\n"), "---\n", app!("  mcp: {command: other}\n")),
    right: concat!(
        app!("  mcp: {command: server}\n"),
        "---\nkind: app\nversion: v3\nmetadata: {name: web2}\nspec:\n  mcp: {command: other}\n"
    ),
};

pub(super) const DUPLICATE_IDENTITY: Explanation = Explanation {
    summary: "Two users claim the same email, key, token, subject or host user",
    why: "What identifies a user belongs to that user alone: otherwise nobody can tell whose commit or whose call it is.",
    language: Language::Yaml,
    wrong: concat!(
        user!("  git: {emails: [team@example.com]}\n"),
        "---\nkind: user\nversion: v2\nmetadata: {name: sam}\nspec:\n  git: {emails: [team@example.com]}\n"
    ),
    right: concat!(
        user!("  git: {emails: [grace@example.com]}\n"),
        "---\nkind: user\nversion: v2\nmetadata: {name: sam}\nspec:\n  git: {emails: [sam@example.com]}\n"
    ),
};

pub(super) const UNKNOWN_ROLE: Explanation = Explanation {
    summary: "The user has a role that does not exist",
    why: "The user would not get what the name promises, and whoever later makes a role of that name would give it to them \
          without noticing. Roles and users are looked up within one source; when only a part of it is checked, name the \
          folder with the roles too.",
    language: Language::Yaml,
    wrong: concat!(user!("  roles: [devs]\n"), "---\n", role!("  allow: {}\n")),
    right: concat!(user!("  roles: [dev]\n"), "---\n", role!("  allow: {}\n")),
};
