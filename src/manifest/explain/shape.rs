//! Which fields a document has, and of which type their values are.

use super::{Explanation, Language, app, role, user};

pub(super) const UNKNOWN_KIND: Explanation = Explanation {
    summary: "There is no such kind of resource",
    why: "Resources are of kind `app`, `role` or `user`. A file of another tool is left out with `--ignore`, or with the \
          source's `ignore`.",
    language: Language::Yaml,
    wrong: "kind: application\nversion: v3\nmetadata: {name: web}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web}\nspec: {mcp: {command: server}}\n",
};

pub(super) const UNKNOWN_VERSION: Explanation = Explanation {
    summary: "There is no such version of this kind",
    why: "The version says how the fields are meant. Apps are `v3`, users `v2`, roles `v3` to `v8`; others may mean \
          something else by the same fields, so they are not guessed at.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v1\nmetadata: {name: web}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web}\nspec: {mcp: {command: server}}\n",
};

pub(super) const UNKNOWN_FIELD: Explanation = Explanation {
    summary: "There is no such field",
    why: "A field that nobody reads is a setting that does not hold, and looks as if it did: a mistyped `run_as_host_user` \
          would run the server as the agent's own user. Fields are written in snake case.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    runAsHostUser: mcp\n"),
    right: app!("  mcp:\n    command: server\n    run_as_host_user: mcp\n"),
};

pub(super) const UNSUPPORTED_FIELD: Explanation = Explanation {
    summary: "The reference system has this field, and for MCP servers here it means nothing",
    why: "Ignoring it would let it look as if it held. Remove it; the documentation of the migration says what takes its \
          place, if anything does.",
    language: Language::Yaml,
    wrong: app!("  public_addr: mcp.example.com\n  mcp: {command: server}\n"),
    right: app!("  mcp: {command: server}\n"),
};

pub(super) const MISPLACED_FIELD: Explanation = Explanation {
    summary: "The field has no meaning in this resource, or together with its other fields",
    why: "A remote server has no command, a local one no headers, and roles do not expire. One of the fields that \
          contradict each other is a mistake: remove it.",
    language: Language::Yaml,
    wrong: app!("  uri: mcp+https://tools.example.com/mcp\n  mcp: {command: server}\n"),
    right: app!("  uri: mcp+https://tools.example.com/mcp\n"),
};

pub(super) const NOT_YET_SUPPORTED: Explanation = Explanation {
    summary: "This version of mcpfleet does not have this setting yet",
    why: "The setting has a name and a default, so that configurations can be written that later versions read in the same \
          way; another value than the default would not hold.",
    language: Language::Yaml,
    wrong: "version: v1\npolicy_source: main\n",
    right: "version: v1\npolicy_source: null\n",
};

pub(super) const MISSING_FIELD: Explanation = Explanation {
    summary: "A required field is not there",
    why: "There is no default that could be meant.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    args: [--verbose]\n"),
    right: app!("  mcp:\n    command: server\n    args: [--verbose]\n"),
};

pub(super) const EMPTY_VALUE: Explanation = Explanation {
    summary: "A field is there without a value",
    why: "It cannot be told whether the value was forgotten or the default is meant. Leave the field out for its default, or \
          write the value; an empty string is `\"\"`, where one is allowed.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    args:\n"),
    right: app!("  mcp:\n    command: server\n    args: []\n"),
};

pub(super) const WRONG_TYPE: Explanation = Explanation {
    summary: "Another type of value is expected here",
    why: "Values are not converted: a command line is not split into words, and a single value is not a list of one, unless \
          the reference says so.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    args: --port 8080\n"),
    right: app!("  mcp:\n    command: server\n    args: [--port, \"8080\"]\n"),
};

pub(super) const UNQUOTED: Explanation = Explanation {
    summary: "A string is expected, and what is written is a number, a boolean or null unless it is quoted",
    why: "Readers of YAML turn `1.10` into 1.1, `0123` into 83 and `no` into false, each in its own way. Quotes make it the \
          text that is meant.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    env: {PORT: 8080}\n"),
    right: app!("  mcp:\n    command: server\n    env: {PORT: \"8080\"}\n"),
};

pub(super) const UNKNOWN_VALUE: Explanation = Explanation {
    summary: "The field cannot have this value",
    why: "It has one of a few values, which the message lists. They are written exactly as they are there.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    restart: {policy: onFailure}\n"),
    right: app!("  mcp:\n    command: server\n    restart: {policy: on_failure}\n"),
};

pub(super) const OUT_OF_RANGE: Explanation = Explanation {
    summary: "A number, length or duration is outside of its bounds",
    why: "The bounds keep a slip of the finger from becoming a fleet of ten thousand processes. The message says what they \
          are.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    max_instances: 0\n"),
    right: app!("  mcp:\n    command: server\n    max_instances: 1\n"),
};

pub(super) const DUPLICATE_VALUE: Explanation = Explanation {
    summary: "The same value is in a list twice",
    why: "It would mean nothing more than once, so another value was meant, or one of the two is left over.",
    language: Language::Yaml,
    wrong: concat!(user!("  roles: [dev, dev]\n"), "---\n", role!("  allow: {}\n")),
    right: concat!(user!("  roles: [dev]\n"), "---\n", role!("  allow: {}\n")),
};
