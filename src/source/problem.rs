//! What keeps a file or folder from being read, as diagnostics.

use super::open::{MAX_FILE_BYTES, NotRead};
use crate::manifest::{Code, Diagnostic, Severity};
use std::io;

fn diagnostic(code: Code, path: &str, message: impl Into<String>, help: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code,
        message: message.into(),
        help: (!help.is_empty()).then(|| help.to_owned()),
        path: path.to_owned(),
        position: None,
        line_text: None,
        length: None,
        document: None,
        pointer: None,
        related: vec![],
    }
}

pub(super) fn unreadable(path: &str, error: &io::Error) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => "let the user that mcpfleet runs as read it",
        _ => "",
    };
    diagnostic(Code::Unreadable, path, format!("cannot be read: {error}"), help)
}

fn too_large(path: &str, bytes: u64) -> Diagnostic {
    let message = format!("has {bytes} bytes, and a resource file may have {MAX_FILE_BYTES}");
    diagnostic(Code::FileTooLarge, path, message, "split it, or leave it out with an ignore glob")
}

/// Why a file that is there was not read.
pub(super) fn not_read(path: &str, why: &NotRead) -> Diagnostic {
    let moving = |message, help| diagnostic(Code::Unreadable, path, message, help);
    match why {
        NotRead::TooLarge { bytes } => too_large(path, *bytes),
        NotRead::Special => special(path),
        NotRead::Failed(error) => unreadable(path, error),
        NotRead::Changed => moving("comes and goes while the folder is being read", ""),
        NotRead::Restless => {
            moving("changes all the time while it is being read", "write it elsewhere, then rename it")
        }
    }
}

pub(super) fn special(path: &str) -> Diagnostic {
    diagnostic(Code::SpecialFile, path, "is not a regular file", "a FIFO, socket or device is never read: remove it")
}

pub(super) fn file_name(path: &str) -> Diagnostic {
    diagnostic(Code::FileName, path, "has a name that is not UTF-8", "rename it")
}

pub(super) fn too_deep(path: &str, depth: usize) -> Diagnostic {
    let message = format!("is nested deeper than {depth} folders");
    diagnostic(Code::TooDeep, path, message, "move it up, or leave it out with an ignore glob")
}

pub(super) fn escapes(path: &str) -> Diagnostic {
    let help = "a link is followed only within the source: copy what it leads to, or remove it";
    diagnostic(Code::SymlinkEscapes, path, "is a symlink that leads out of the source", help)
}

pub(super) fn dangling(path: &str) -> Diagnostic {
    diagnostic(Code::SymlinkDangling, path, "is a symlink to something that does not exist", "correct it or remove it")
}

pub(super) fn link_loop(path: &str) -> Diagnostic {
    diagnostic(Code::SymlinkLoop, path, "is a symlink that leads back to where it came from", "remove it")
}
