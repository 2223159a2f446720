//! The text of a file, before it means anything.

use super::{Explanation, Language, app};

pub(super) const ENCODING: Explanation = Explanation {
    summary: "The file is not UTF-8",
    why: "In another encoding the same bytes would say something else to the next reader. Save the file as UTF-8; Windows \
          PowerShell's `>` writes UTF-16.",
    language: Language::Sh,
    wrong: "printf '# caf\\351\\n' >web.yaml\n",
    right: "printf '# caf\\303\\251\\n' >web.yaml\n",
};

pub(super) const CONTROL_CHARACTER: Explanation = Explanation {
    summary: "There is a character that cannot be seen, or that changes how the text around it is shown",
    why: "A reviewer would see something else than what is read: with a right-to-left override, or with a terminal's escape \
          sequence, a line can look harmless. Write the character as an escape in a double-quoted string, or remove it.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {name: web, description: \"x\u{202e}y\"}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web, description: \"x\\u202ey\"}\nspec: {mcp: {command: server}}\n",
};

pub(super) const SYNTAX: Explanation = Explanation {
    summary: "The file is not well-formed YAML",
    why: "What stands here cannot be read, so nothing of the file takes effect. Often it is a tab in the indentation, a \
          bracket or quote that is not closed, or a `: ` within an unquoted text.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    args: [a, b\n"),
    right: app!("  mcp:\n    command: server\n    args: [a, b]\n"),
};

pub(super) const AMBIGUOUS: Explanation = Explanation {
    summary: "Two YAML parsers do not agree on what this says",
    why: "The text is at the edge of YAML's rules, where tools differ. What a reviewer's tool shows must be what the agent \
          runs, so both of mcpfleet's parsers have to read the same. Write it more plainly: in lines of its own, quoted, or \
          indented as usual.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {description: a, na\nme: b}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {description: a, name: b}\nspec: {mcp: {command: server}}\n",
};

pub(super) const NESTING: Explanation = Explanation {
    summary: "Lists and mappings are nested too deeply, more than 64 within each other",
    why: "No resource needs that, and a file that is made of brackets is an attack on its readers.",
    language: Language::Sh,
    wrong: "printf '%s%s\\n' \"$(printf '[%.0s' $(seq 70))\" \"$(printf ']%.0s' $(seq 70))\" >web.yaml\n",
    right: "printf 'kind: app\\nversion: v3\\nmetadata: {name: web}\\nspec: {mcp: {command: server}}\\n' >web.yaml\n",
};

pub(super) const TOO_MANY_DOCUMENTS: Explanation = Explanation {
    summary: "The file has too many documents",
    why: "A file of resources has at most 10,000, and the agent's configuration is one. Split the file.",
    language: Language::Yaml,
    wrong: "version: v1\n---\nversion: v1\n",
    right: "version: v1\n",
};

pub(super) const TOO_MANY_ERRORS: Explanation = Explanation {
    summary: "The file has more mistakes than the 100 that are listed",
    why: "Most likely it is no file of resources at all, such as a template or the values of another tool: leave it out with \
          `--ignore`. Otherwise correct what is listed and look again.",
    language: Language::Sh,
    wrong: "for i in $(seq 120); do printf -- '---\\nname: %s\\n' $i; done >values.yaml\n",
    right: "mkdir .other\nfor i in $(seq 120); do printf -- '---\\nname: %s\\n' $i; done >.other/values.yaml\n",
};

pub(super) const ANCHOR: Explanation = Explanation {
    summary: "An anchor (`&name`) marks a value for use in other places",
    why: "What is written once would run in several places, of which a reviewer of a change sees only the first. A few of \
          them, nested, also make a small file expand without bounds. Write the value where it is needed.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    args: &args [--verbose]\n"),
    right: app!("  mcp:\n    command: server\n    args: [--verbose]\n"),
};

pub(super) const ALIAS: Explanation = Explanation {
    summary: "An alias (`*name`) stands for a value that is written elsewhere",
    why: "A reviewer of a change does not see what it stands for. Write the value where it is needed. A text that only begins \
          with `*` is quoted.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: &server server\n    args: [*server]\n"),
    right: app!("  mcp:\n    command: server\n    args: [server, \"*.txt\"]\n"),
};

pub(super) const MERGE_KEY: Explanation = Explanation {
    summary: "A merge key (`<<`) brings fields in from another mapping",
    why: "Some readers of YAML merge, others see a field named `<<`. Write the fields where they are needed.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    <<: {warm: 2}\n"),
    right: app!("  mcp:\n    command: server\n    warm: 2\n"),
};

pub(super) const TAG: Explanation = Explanation {
    summary: "A tag (`!name`) changes what kind of value is read",
    why: "What tags mean depends on the reader; some run code. Values are plain: quote a text that begins with `!`, and take \
          variables of the agent with `{from_agent: NAME}`.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    env: {HOME: !env HOME}\n"),
    right: app!("  mcp:\n    command: server\n    env: {HOME: {from_agent: HOME}}\n"),
};

pub(super) const DUPLICATE_KEY: Explanation = Explanation {
    summary: "The same key is in a mapping twice",
    why: "Some readers of YAML take the first, others the last, and a reviewer the one that is nearer. Remove one. The key of \
          a dynamic label must not be one of a static label either.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    command: other\n"),
    right: app!("  mcp:\n    command: server\n"),
};

pub(super) const KEY_TYPE: Explanation = Explanation {
    summary: "A key is no string",
    why: "Unquoted, `1`, `true` and `~` are a number, a boolean and nothing. Names of fields and labels are strings: quote \
          them.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata:\n  name: web\n  labels: {1: a}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata:\n  name: web\n  labels: {\"1\": a}\nspec: {mcp: {command: server}}\n",
};
