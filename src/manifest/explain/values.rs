//! Values that have a form of their own.

use super::{Explanation, Language, app, role};

pub(super) const INVALID_DURATION: Explanation = Explanation {
    summary: "This is not a duration",
    why: "A duration has its unit: `h`, `m`, `s` or `ms`, from large to small, each once. A bare number could be seconds or \
          milliseconds.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    startup_timeout: 90\n"),
    right: app!("  mcp:\n    command: server\n    startup_timeout: 1m30s\n"),
};

pub(super) const INVALID_SIZE: Explanation = Explanation {
    summary: "This is not a size, or not a share of a processor",
    why: "A size is a whole number of bytes, or of `Ki`, `Mi`, `Gi`, `Ti`, `Pi` or `Ei`, which are powers of 1024; a share of \
          a processor is written like `2`, `0.5` or `250m`.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    limits: {memory: 512MB}\n"),
    right: app!("  mcp:\n    command: server\n    limits: {memory: 512Mi}\n"),
};

pub(super) const INVALID_TIMESTAMP: Explanation = Explanation {
    summary: "This is not an RFC 3339 timestamp",
    why: "A date without a time, or a time without an offset, is another instant in another place.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {name: web, expires: 2027-01-31}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web, expires: 2027-01-31T18:00:00Z}\nspec: {mcp: {command: server}}\n",
};

pub(super) const INVALID_URI: Explanation = Explanation {
    summary: "This is not a URI that leads to an MCP server",
    why: "The scheme says how the server is spoken to: `mcp+https://` and `mcp+http://` for servers of the streamable kind, \
          `mcp+sse+https://` and `mcp+sse+http://` for older ones, and `mcp+stdio://` alone for a local command. Credentials \
          do not belong into it: put them into `rewrite.headers`, as a secret.",
    language: Language::Yaml,
    wrong: app!("  uri: https://tools.example.com/mcp\n"),
    right: app!("  uri: mcp+https://tools.example.com/mcp\n"),
};

pub(super) const INVALID_PATH: Explanation = Explanation {
    summary: "This path, or this name of a program, cannot be used here",
    why: "Paths are absolute, without `.` and `..`, because it depends on the caller where a relative one leads. A command is \
          one program, looked up in `PATH` or named absolutely: its arguments are in `args`, and no shell splits it.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: docker run -i --rm mcp/everything\n"),
    right: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, mcp/everything]\n"),
};

pub(super) const INVALID_HEADER: Explanation = Explanation {
    summary: "This is not an HTTP header that can be set",
    why: "Name and value must be ones that HTTP allows, on one line. Headers that belong to the connection or to MCP itself \
          are the agent's: another value would break it.",
    language: Language::Yaml,
    wrong: app!("  uri: mcp+https://tools.example.com/mcp\n  rewrite:\n    headers: [\"Mcp-Session-Id: 1\"]\n"),
    right: app!("  uri: mcp+https://tools.example.com/mcp\n  rewrite:\n    headers: [\"X-Team: a\"]\n"),
};

pub(super) const INVALID_SELECTOR: Explanation = Explanation {
    summary: "This is not a label selector",
    why: "A value is compared exactly, is `*` for any, or a regular expression between `^` and `$`. An expression that does \
          not compile, or a key without values, would match nothing.",
    language: Language::Yaml,
    wrong: role!("  allow:\n    app_labels: {team: \"^(a|b$\"}\n"),
    right: role!("  allow:\n    app_labels: {team: \"^(a|b)$\"}\n"),
};

pub(super) const INVALID_TOOL_PATTERN: Explanation = Explanation {
    summary: "This is not a pattern of tool names",
    why: "A pattern is a name, a glob with `*`, or a regular expression between `^` and `$`. The name of a tool is never \
          empty.",
    language: Language::Yaml,
    wrong: role!("  allow:\n    app_labels: {team: a}\n    mcp: {tools: [\"^get_(a|b$\"]}\n"),
    right: role!("  allow:\n    app_labels: {team: a}\n    mcp: {tools: [\"get_*\", \"^get_(a|b)$\"]}\n"),
};

pub(super) const INVALID_PREDICATE: Explanation = Explanation {
    summary: "This is not a predicate",
    why: "A rule with a `where` counts only where the predicate is true, so one that cannot be read decides nothing. \
          Predicates are made of `equals(…)`, `contains(…)`, `&&`, `||`, `!` and parentheses, over `resource` and `user`.",
    language: Language::Yaml,
    wrong: role!(
        "  allow:\n    rules:\n      - resources: [app]\n        verbs: [update]\n        where: resource.metadata.name == \
         \"web\"\n"
    ),
    right: role!(
        "  allow:\n    rules:\n      - resources: [app]\n        verbs: [update]\n        where: \
         equals(resource.metadata.name, \"web\")\n"
    ),
};

pub(super) const INVALID_GLOB: Explanation = Explanation {
    summary: "This is not a glob, or one that can match no file",
    why: "Globs match paths from the root of the source, without a `/` at the start: `*` does not cross a `/`, `**` does. A \
          rule whose paths match nothing allows nothing, or worse, denies nothing.",
    language: Language::Yaml,
    wrong: role!("  allow:\n    rules:\n      - {resources: [app], verbs: [update], paths: [\"/apps/**\"]}\n"),
    right: role!("  allow:\n    rules:\n      - {resources: [app], verbs: [update], paths: [\"apps/**\"]}\n"),
};

pub(super) const INVALID_ADDRESS: Explanation = Explanation {
    summary: "This is not an address to listen on, or not the name of a host",
    why: "To listen needs an IP address and a port: a name could become another address. The name of a host has neither \
          scheme nor port.",
    language: Language::Yaml,
    wrong: "version: v1\ngateway: {listen: localhost}\n",
    right: "version: v1\ngateway: {listen: \"127.0.0.1:7420\"}\n",
};

pub(super) const NUL_CHARACTER: Explanation = Explanation {
    summary: "The value contains a NUL character",
    why: "Programs get their arguments and environment as texts that end at the first NUL: what comes after it would be \
          reviewed, and not be there.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    args: [\"a\\0b\"]\n"),
    right: app!("  mcp:\n    command: server\n    args: [a, b]\n"),
};
