//! What is valid and may still not be what is wanted.

use super::{Explanation, Language, app, role, user};

pub(super) const INSECURE_TLS: Explanation = Explanation {
    summary: "The certificate of a remote server is not checked",
    why: "With `insecure_skip_verify: true` anyone between the agent and the server can answer in its place, and read and \
          change everything that is sent, the secrets in the headers included. If the server's certificate is signed by \
          an authority of your own, add that authority to the host's trusted certificates instead.",
    language: Language::Yaml,
    wrong: app!("  uri: mcp+https://tools.example.com/mcp\n  insecure_skip_verify: true\n"),
    right: app!("  uri: mcp+https://tools.example.com/mcp\n"),
};

pub(super) const UNVERIFIABLE_KEY: Explanation = Explanation {
    summary: "A fingerprint stands where a whole key is needed",
    why: "A fingerprint says which OpenPGP key is meant, but a signature can be checked only with the key itself. Commits \
          that the user signs with it count as signed by an unknown key until the whole key is written: \
          `gpg --armor --export FINGERPRINT` prints it.",
    language: Language::Yaml,
    wrong: user!("  git:\n    signing_keys: [0123456789abcdef0123456789abcdef01234567]\n"),
    right: user!(
        "  git:\n    signing_keys:\n      - ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIPKHAXcpQSiPlqQYGsJhTWpjvmrDuhOEqEpyQ/fNmmx5 grace\n"
    ),
};

pub(super) const NO_HOST_USER: Explanation = Explanation {
    summary: "An app does not say as which user of the host it runs",
    why: "Without `run_as_host_user` a server runs as the agent itself, or as the one user that a root agent has for all such apps, and can reach the files and processes of every other server that runs so. The program `mcpfleet` itself needs no user.",
    language: Language::Yaml,
    wrong: app!("  mcp: {command: web-server}\n"),
    right: app!("  mcp: {command: web-server, run_as_host_user: web}\n"),
};

pub(super) const CONTAINER_NOT_REMOVED: Explanation = Explanation {
    summary: "A container is left on the host after its end",
    why: "A server is started for every session. Without `--rm` each leaves a stopped container behind, with what it wrote, until the disk is full.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: docker\n    args: [run, -i, mcp/time:1.2]\n    run_as_host_user: docker\n"),
    right: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, mcp/time:1.2]\n    run_as_host_user: docker\n"),
};

pub(super) const PRIVILEGED_CONTAINER: Explanation = Explanation {
    summary: "A container is started with `--privileged`",
    why: "Such a container has all capabilities and all devices: whoever controls the server in it is root on the host. Single rights can be given with `--cap-add` and `--device`.",
    language: Language::Yaml,
    wrong: app!(
        "  mcp:\n    command: docker\n    args: [run, -i, --rm, --privileged, mcp/time:1.2]\n    run_as_host_user: docker\n"
    ),
    right: app!(
        "  mcp:\n    command: docker\n    args: [run, -i, --rm, --cap-add, SYS_TIME, mcp/time:1.2]\n    run_as_host_user: docker\n"
    ),
};

pub(super) const HOST_ACCESS: Explanation = Explanation {
    summary: "A container is let into the host",
    why: "The root folder of the host, the socket of a container engine, or the host's namespaces (`--network host`) take away what keeps the container apart. Whoever controls the server can become root on the host with the first two, and reach everything that listens on loopback with the last.",
    language: Language::Yaml,
    wrong: app!(
        "  mcp:\n    command: docker\n    args: [run, -i, --rm, -v, '/var/run/docker.sock:/var/run/docker.sock', mcp/time:1.2]\n    run_as_host_user: docker\n"
    ),
    right: app!(
        "  mcp:\n    command: docker\n    args: [run, -i, --rm, -v, '/srv/notes:/notes:ro', mcp/time:1.2]\n    run_as_host_user: docker\n"
    ),
};

pub(super) const UNPINNED_IMAGE: Explanation = Explanation {
    summary: "An image is run in whatever version is the newest",
    why: "Without a tag, or with `latest`, another program can run after a restart than the one that was reviewed. A tag can be moved too; a digest (`IMAGE@sha256:…`) cannot.",
    language: Language::Yaml,
    wrong: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, mcp/time]\n    run_as_host_user: docker\n"),
    right: app!("  mcp:\n    command: docker\n    args: [run, -i, --rm, mcp/time:1.2]\n    run_as_host_user: docker\n"),
};

pub(super) const UNPINNED_PACKAGE: Explanation = Explanation {
    summary: "A package is run in whatever version is the newest",
    why: "`npx`, `uvx` and the like fetch a package when the server starts. Without an exact version another program can run after a restart than the one that was reviewed: whoever takes over the package takes over the server.",
    language: Language::Yaml,
    wrong: app!(
        "  mcp:\n    command: npx\n    args: [-y, '@modelcontextprotocol/server-everything']\n    run_as_host_user: web\n"
    ),
    right: app!(
        "  mcp:\n    command: npx\n    args: [-y, '@modelcontextprotocol/server-everything@2026.8.31']\n    run_as_host_user: web\n"
    ),
};

pub(super) const LITERAL_SECRET: Explanation = Explanation {
    summary: "A secret stands in the file",
    why: "Whoever can read the repository has it, and it stays in the history when it is removed. Put it into a file of the agent's `secrets_dir`, grant it to the app in the agent's `secrets`, refer to it by name, and replace it where it was issued. A value counts as a secret by its form, by the name of its variable, or because it looks random.",
    language: Language::Yaml,
    wrong: app!(
        "  mcp:\n    command: web-server\n    run_as_host_user: web\n    env: {DB_PASSWORD: hunter2-and-more}\n"
    ),
    right: app!(
        "  mcp:\n    command: web-server\n    run_as_host_user: web\n    env: {DB_PASSWORD: {secret: db-password}}\n"
    ),
};

pub(super) const SECRET_IN_CLEAR: Explanation = Explanation {
    summary: "Secrets are sent over plain HTTP",
    why: "Anyone between the agent and the server can read the headers, and use the secret elsewhere. Loopback is not a network, so nothing is said of it.",
    language: Language::Yaml,
    wrong: app!(
        "  uri: mcp+http://tools.example.com/mcp\n  rewrite:\n    headers: [{name: Authorization, value: {secret: tools}}]\n"
    ),
    right: app!(
        "  uri: mcp+https://tools.example.com/mcp\n  rewrite:\n    headers: [{name: Authorization, value: {secret: tools}}]\n"
    ),
};

pub(super) const LOOSE_PATTERN: Explanation = Explanation {
    summary: "A regular expression has an alternative that is not anchored",
    why: "A regular expression is used exactly as written: `^dev|test$` matches what starts with `dev`, and what ends with `test`, such as `device` or `not-a-test`. Parentheses make the anchors hold for all alternatives.",
    language: Language::Yaml,
    wrong: role!("  allow:\n    app_labels: {env: '^dev|test$'}\n"),
    right: role!("  allow:\n    app_labels: {env: '^(dev|test)$'}\n"),
};
