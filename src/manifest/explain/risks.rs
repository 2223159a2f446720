//! What is valid and may still not be what is wanted.

use super::{Explanation, Language, app, user};

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
