//! How a command ended.

use std::process::Output;

/// Its exit code, and what it printed.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
        Ended { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }
}
