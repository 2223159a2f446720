//! What the output of a command means.

use crate::instance::launch::Exit;

/// The longest value of a dynamic label, in bytes.
pub const MAX_VALUE: usize = 1024;

/// How much of a command's last words is shown, in characters.
const SHOWN: usize = 200;

/// The value that a command has printed: its first line, without white space around it.
///
/// # Errors
/// Why that cannot be a label, for people.
pub fn value(stdout: &[u8]) -> Result<String, String> {
    let line = stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_| "it printed a line that is not UTF-8")?.trim();
    if text.len() > MAX_VALUE {
        return Err(format!("it printed a line of {} bytes: a label has at most {MAX_VALUE}", text.len()));
    }
    if text.contains(char::is_control) {
        return Err("it printed a line with control characters".into());
    }
    Ok(text.to_owned())
}

/// What an end that was no success says, with the command's last words.
pub fn failure(exit: Exit, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let shown: String = last.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if shown.is_empty() { exit.to_string() } else { format!("{exit}: {shown}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let long = "x".repeat(MAX_VALUE);
        for (printed, expected) in [
            ("", ""),
            ("\n", ""),
            ("up 3 days\n", "up 3 days"),
            ("  1.2.3 \r\nsecond\n", "1.2.3"),
            ("\nsecond", ""),
            ("größe", "größe"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(value(printed.as_bytes()).as_deref(), Ok(expected), "{printed:?}");
        }
        for (printed, expected) in [
            (format!("{long}x").into_bytes(), "it printed a line of 1025 bytes: a label has at most 1024"),
            (b"\x1b[31mred".to_vec(), "it printed a line with control characters"),
            (b"a\tb".to_vec(), "it printed a line with control characters"),
            ("a\u{85}b".into(), "it printed a line with control characters"),
            (b"a\0b".to_vec(), "it printed a line with control characters"),
            (b"\xff".to_vec(), "it printed a line that is not UTF-8"),
        ] {
            assert_eq!(value(&printed), Err(expected.to_owned()), "{printed:?}");
        }
        // What is after the first line is not looked at.
        assert_eq!(value(b"one\n\xff\x1b").as_deref(), Ok("one"));
    }

    #[test]
    fn failures_say_how_and_why() {
        for (exit, stderr, expected) in [
            (Exit::Code(3), "", "exit status 3"),
            (Exit::Code(3), "first\nno such thing\n\n", "exit status 3: no such thing"),
            (Exit::Signal(9), "\x1b[31mred", "killed by SIGKILL: [31mred"),
        ] {
            assert_eq!(failure(exit, stderr.as_bytes()), expected);
        }
        assert_eq!(failure(Exit::Code(1), "x".repeat(10_000).as_bytes()).len(), "exit status 1: ".len() + SHOWN);
        assert_eq!(failure(Exit::Code(1), b"\xff"), "exit status 1: \u{fffd}");
    }
}
