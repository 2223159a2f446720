//! The forms that several fields have.

use super::form::{Form, any_of, defined, integer, list, map, text};

pub const NAME: &str = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$";
pub const LABEL_KEY: &str = "^[a-zA-Z/.0-9_:*-]+$";
/// A label's key that a file may set.
pub const OWN_LABEL_KEY: &str = r"^(?!mcpfleet\.dev/)[a-zA-Z/.0-9_:*-]+$";
pub const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
pub const SECRET: &str = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$";
/// Not only digits, no `-` at its start, and none of the characters that `passwd` cannot have.
pub const HOST_USER: &str = r"^(?![0-9]+$)(?!-)[^\s:/,]+$";
const DURATION: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
const SIZE: &str = "^[0-9]+([KMGTPE]iB?)?$";
const CPU: &str = r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$";
const ABSOLUTE: &str = r"^/(?!(.*/)?\.{1,2}(/|$))";

/// What others refer to by [`defined`].
pub fn definitions() -> Vec<(&'static str, Form)> {
    vec![
        (
            "name",
            text()
                .pattern(NAME)
                .at_most(128)
                .about("1 to 128 letters, digits, `.`, `_` and `-`, with a letter or digit at both ends.")
                .example("github-prod"),
        ),
        (
            "duration",
            text()
                .pattern(DURATION)
                .about("A duration: whole numbers with the units `h`, `m`, `s` and `ms`, from large to small.")
                .example("1h30m"),
        ),
        (
            "size",
            any_of(&[text().pattern(SIZE), integer(0, u64::MAX)])
                .about("A size in bytes, or with a unit of powers of 1024.")
                .example("512Mi"),
        ),
        (
            "cpu",
            any_of(&[text().pattern(CPU), super::form::number_from(0.0)])
                .about("A share of a processor: cores, or thousandths of one with an `m`.")
                .example("250m"),
        ),
        ("absolute_path", text().pattern(ABSOLUTE).about("An absolute path without `.` and `..`.").example("/srv/data")),
        (
            "selector",
            map(LABEL_KEY, &any_of(&[text(), list(&text()).filled()]))
                .about(
                    "A label selector: every key must be there with one of its values. `*` in a value is any run of \
                     characters, `^…$` a regular expression; `{\"*\": \"*\"}` matches everything, and an empty one nothing.",
                )
                .example(serde_json::json!({ "env": ["prod", "^stag.*$"] })),
        ),
        (
            "selectors",
            any_of(&[defined("selector"), list(&defined("selector"))]).about("A label selector, or a list of which any may match."),
        ),
        ("host_user", text().pattern(HOST_USER).at_most(256).about("The name of a user of the host.").example("docker")),
        ("secret_name", text().pattern(SECRET).at_most(253).about("The name of a file in the agent's `secrets_dir`.")),
        ("variable", text().pattern(VARIABLE).about("The name of an environment variable.").example("HTTPS_PROXY")),
    ]
}
