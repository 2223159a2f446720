//! What the codes of diagnostics mean, for `mcpfleet explain` and for reports that carry their own rules.
//!
//! Every explanation has an example that gets the code and one that does not. A test reads them all, so they are true.

mod agents;
mod files;
mod identities;
mod risks;
mod shape;
mod text;
mod together;
mod values;

use super::Code;
use serde::Serialize;

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What is wrong, in one sentence without its full stop.
    pub summary: &'static str,
    /// Why it is so, and what to do.
    pub why: &'static str,
    /// What the examples are written in.
    pub language: Language,
    /// An example that gets the code.
    pub wrong: &'static str,
    /// The same as it should be.
    pub right: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// A file: of resources if a line begins with `kind:`, of the agent's configuration otherwise.
    Yaml,
    /// Commands for a shell that make the files, in an empty folder.
    Sh,
}

/// An app named `web` with this spec.
macro_rules! app {
    ($spec:literal) => {
        concat!("kind: app\nversion: v3\nmetadata: {name: web}\nspec:\n", $spec)
    };
}

/// A role named `dev` with this spec.
macro_rules! role {
    ($spec:literal) => {
        concat!("kind: role\nversion: v8\nmetadata: {name: dev}\nspec:\n", $spec)
    };
}

/// A user named `grace` with this spec.
macro_rules! user {
    ($spec:literal) => {
        concat!("kind: user\nversion: v2\nmetadata: {name: grace}\nspec:\n", $spec)
    };
}

use {app, role, user};

/// Explains a code.
pub fn explain(code: Code) -> Explanation {
    match code {
        Code::Unreadable => files::UNREADABLE,
        Code::FileTooLarge => files::FILE_TOO_LARGE,
        Code::SpecialFile => files::SPECIAL_FILE,
        Code::FileName => files::FILE_NAME,
        Code::TooDeep => files::TOO_DEEP,
        Code::SymlinkEscapes => files::SYMLINK_ESCAPES,
        Code::SymlinkDangling => files::SYMLINK_DANGLING,
        Code::SymlinkLoop => files::SYMLINK_LOOP,

        Code::Encoding => text::ENCODING,
        Code::ControlCharacter => text::CONTROL_CHARACTER,
        Code::Syntax => text::SYNTAX,
        Code::Ambiguous => text::AMBIGUOUS,
        Code::Nesting => text::NESTING,
        Code::TooManyDocuments => text::TOO_MANY_DOCUMENTS,
        Code::TooManyErrors => text::TOO_MANY_ERRORS,
        Code::Anchor => text::ANCHOR,
        Code::Alias => text::ALIAS,
        Code::MergeKey => text::MERGE_KEY,
        Code::Tag => text::TAG,
        Code::DuplicateKey => text::DUPLICATE_KEY,
        Code::KeyType => text::KEY_TYPE,

        Code::UnknownKind => shape::UNKNOWN_KIND,
        Code::UnknownVersion => shape::UNKNOWN_VERSION,
        Code::UnknownField => shape::UNKNOWN_FIELD,
        Code::UnsupportedField => shape::UNSUPPORTED_FIELD,
        Code::MisplacedField => shape::MISPLACED_FIELD,
        Code::NotYetSupported => shape::NOT_YET_SUPPORTED,
        Code::MissingField => shape::MISSING_FIELD,
        Code::EmptyValue => shape::EMPTY_VALUE,
        Code::WrongType => shape::WRONG_TYPE,
        Code::Unquoted => shape::UNQUOTED,
        Code::UnknownValue => shape::UNKNOWN_VALUE,
        Code::OutOfRange => shape::OUT_OF_RANGE,
        Code::DuplicateValue => shape::DUPLICATE_VALUE,

        Code::InvalidName => identities::INVALID_NAME,
        Code::InvalidLabelKey => identities::INVALID_LABEL_KEY,
        Code::ReservedLabel => identities::RESERVED_LABEL,
        Code::InvalidDuration => values::INVALID_DURATION,
        Code::InvalidSize => values::INVALID_SIZE,
        Code::InvalidTimestamp => values::INVALID_TIMESTAMP,
        Code::InvalidUri => values::INVALID_URI,
        Code::InvalidPath => values::INVALID_PATH,
        Code::InvalidIdentifier => identities::INVALID_IDENTIFIER,
        Code::InvalidHeader => values::INVALID_HEADER,
        Code::InvalidSelector => values::INVALID_SELECTOR,
        Code::InvalidToolPattern => values::INVALID_TOOL_PATTERN,
        Code::InvalidPredicate => values::INVALID_PREDICATE,
        Code::InvalidGlob => values::INVALID_GLOB,
        Code::InvalidAddress => values::INVALID_ADDRESS,
        Code::InvalidEmail => identities::INVALID_EMAIL,
        Code::InvalidKey => identities::INVALID_KEY,
        Code::InvalidDigest => identities::INVALID_DIGEST,
        Code::NulCharacter => values::NUL_CHARACTER,

        Code::OpenGateway => together::OPEN_GATEWAY,
        Code::StopsAtClient => together::STOPS_AT_CLIENT,
        Code::DuplicateResource => together::DUPLICATE_RESOURCE,
        Code::DuplicateIdentity => together::DUPLICATE_IDENTITY,
        Code::UnknownRole => together::UNKNOWN_ROLE,

        Code::InsecureTls => risks::INSECURE_TLS,
        Code::UnverifiableKey => risks::UNVERIFIABLE_KEY,
        Code::Unselected => agents::UNSELECTED,
        Code::RefusedByAgent => agents::REFUSED_BY_AGENT,
        Code::NoHostUser => risks::NO_HOST_USER,
        Code::ContainerNotRemoved => risks::CONTAINER_NOT_REMOVED,
        Code::PrivilegedContainer => risks::PRIVILEGED_CONTAINER,
        Code::HostAccess => risks::HOST_ACCESS,
        Code::UnpinnedImage => risks::UNPINNED_IMAGE,
        Code::UnpinnedPackage => risks::UNPINNED_PACKAGE,
        Code::LiteralSecret => risks::LITERAL_SECRET,
        Code::SecretInClear => risks::SECRET_IN_CLEAR,
        Code::LoosePattern => risks::LOOSE_PATTERN,
    }
}

#[cfg(test)]
mod tests;
