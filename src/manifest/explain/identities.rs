//! Names, and what identifies people.

use super::{Explanation, Language, app, user};

pub(super) const INVALID_NAME: Explanation = Explanation {
    summary: "This cannot be the name of a resource",
    why: "Names become parts of URLs, of file names and of host names. They consist of letters, digits, `.`, `_` and `-`, and \
          start and end with a letter or digit.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {name: web server}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web-server}\nspec: {mcp: {command: server}}\n",
};

pub(super) const INVALID_LABEL_KEY: Explanation = Explanation {
    summary: "This cannot be the key of a label",
    why: "Keys are compared exactly, in roles and on the command line. They consist of a few plain characters, which the \
          message names, so that two keys that look alike are alike.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {name: web, labels: {cost center: a}}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web, labels: {cost-center: a}}\nspec: {mcp: {command: server}}\n",
};

pub(super) const RESERVED_LABEL: Explanation = Explanation {
    summary: "The key of the label belongs to the agent",
    why: "Labels under `mcpfleet.dev/` say where a resource comes from. Roles may rely on them, so nobody else sets them.",
    language: Language::Yaml,
    wrong: "kind: app\nversion: v3\nmetadata: {name: web, labels: {mcpfleet.dev/origin: x}}\nspec: {mcp: {command: server}}\n",
    right: "kind: app\nversion: v3\nmetadata: {name: web, labels: {origin: x}}\nspec: {mcp: {command: server}}\n",
};

pub(super) const INVALID_IDENTIFIER: Explanation = Explanation {
    summary: "This cannot be the name of an environment variable, a secret, a host user or the like",
    why: "Such names are used as they are by other programs, or as the name of a file. One with other characters than they \
          have would not be found, or would be found elsewhere.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: server\n    env: {API-KEY: {secret: web/key}}\n"),
    right: app!("  mcp:\n    command: server\n    env: {API_KEY: {secret: web-key}}\n"),
};

pub(super) const INVALID_EMAIL: Explanation = Explanation {
    summary: "This is not an email address",
    why: "It is compared with the addresses that commits are written with: the bare address, without a name and brackets.",
    language: Language::Yaml,
    wrong: user!("  git:\n    emails: [\"Grace <grace@example.com>\"]\n"),
    right: user!("  git:\n    emails: [grace@example.com]\n"),
};

pub(super) const INVALID_KEY: Explanation = Explanation {
    summary: "This is not a key that commits may be signed with",
    why: "What is needed is a whole public key: OpenSSH's, as in a `.pub` file, or OpenPGP's, armoured. Short ids, \
          certificates, DSA and short RSA keys can be imitated or mean something else.",
    language: Language::Yaml,
    wrong: user!("  git:\n    signing_keys: [\"SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDYcnjwJl1JgB93Gr0\"]\n"),
    right: user!(
        "  git:\n    signing_keys:\n      - ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIPKHAXcpQSiPlqQYGsJhTWpjvmrDuhOEqEpyQ/fNmmx5 grace\n"
    ),
};

pub(super) const INVALID_DIGEST: Explanation = Explanation {
    summary: "This is not a SHA-256 digest",
    why: "The file has the digest of a user's token and never the token: 64 hexadecimal digits, as `mcpfleet token new` \
          prints them.",
    language: Language::Yaml,
    wrong: user!("  gateway:\n    token_sha256: [my-token]\n"),
    right: user!("  gateway:\n    token_sha256: [9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]\n"),
};
