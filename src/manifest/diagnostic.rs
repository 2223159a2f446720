//! A mistake in a file: a value that is collected, never an error that stops the reading of the others.

use super::listed::listed;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

listed! {
    /// The stable name of a kind of mistake, written in kebab-case. Names are never reused for another meaning.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Code {
        // What keeps a source from reading a file or folder at all:
        /// The file or folder cannot be read: permissions, a broken disk, a file that never holds still.
        Unreadable,
        /// The file is larger than a resource file may be.
        FileTooLarge,
        /// A FIFO, socket or device where a file is expected.
        SpecialFile,
        /// The name of the file or folder is not UTF-8.
        FileName,
        /// The folder is nested deeper than is read.
        TooDeep,
        /// The symlink leads out of the source.
        SymlinkEscapes,
        /// The symlink leads nowhere.
        SymlinkDangling,
        /// The symlink leads back to where it came from.
        SymlinkLoop,

        // The text of a file:
        /// The file is not UTF-8.
        Encoding,
        /// A character that cannot be seen, or that changes how the text around it is shown.
        ControlCharacter,
        /// The file is not well-formed YAML.
        Syntax,
        /// The text has more than one reading, and two YAML parsers do not agree on it.
        Ambiguous,
        /// Collections are nested too deeply.
        Nesting,
        /// The file has too many documents.
        TooManyDocuments,
        /// The file has more mistakes than are listed.
        TooManyErrors,
        /// An anchor (`&name`): what is written once would run in several places.
        Anchor,
        /// An alias (`*name`).
        Alias,
        /// A merge key (`<<`).
        MergeKey,
        /// A tag (`!name`).
        Tag,
        /// The same key twice in a mapping.
        DuplicateKey,
        /// A key that is no string.
        KeyType,

        // The shape of a document:
        /// There is no such kind of resource.
        UnknownKind,
        /// There is no such version of this kind.
        UnknownVersion,
        /// There is no such field.
        UnknownField,
        /// A field of the reference system's resource that has no meaning for an MCP server.
        UnsupportedField,
        /// The field has no meaning in this resource, or together with the others of it.
        MisplacedField,
        /// A setting that this version of the program does not have yet.
        NotYetSupported,
        /// A required field is not there.
        MissingField,
        /// A field is there without a value.
        EmptyValue,
        /// Another type of value is expected.
        WrongType,
        /// A string is expected, and what is written is a number, boolean or null unless it is quoted.
        Unquoted,
        /// Not one of the values that the field may have.
        UnknownValue,
        /// A number, length or duration outside of its bounds.
        OutOfRange,
        /// The same value twice in a list whose entries differ.
        DuplicateValue,

        // Values:
        /// Not a name of a resource.
        InvalidName,
        /// Not a label's key.
        InvalidLabelKey,
        /// A label key that belongs to the agent.
        ReservedLabel,
        /// Not a duration.
        InvalidDuration,
        /// Not a size.
        InvalidSize,
        /// Not an RFC 3339 timestamp.
        InvalidTimestamp,
        /// Not a URI that leads to an MCP server.
        InvalidUri,
        /// Not a path that can be used here.
        InvalidPath,
        /// Not the name of an environment variable, secret, host user or the like.
        InvalidIdentifier,
        /// Not an HTTP header.
        InvalidHeader,
        /// Not a label selector.
        InvalidSelector,
        /// Not a pattern of tool names.
        InvalidToolPattern,
        /// Not a predicate.
        InvalidPredicate,
        /// Not a glob.
        InvalidGlob,
        /// Not an address to listen on, or not the name of a host.
        InvalidAddress,
        /// Not an email address.
        InvalidEmail,
        /// Not a key that commits may be signed with.
        InvalidKey,
        /// Not a SHA-256 digest.
        InvalidDigest,
        /// The value contains a NUL character.
        NulCharacter,

        // The agent's configuration:
        /// A gateway that is open to everybody, and that others than this machine could reach.
        OpenGateway,

        // What a server may use:
        /// Limits or a sandbox for the client of a container engine: they would not reach the container.
        StopsAtClient,

        // Several resources together:
        /// Two resources of the same kind have the same name, or names that differ only in case.
        DuplicateResource,
        /// Two users claim the same email, key, token, subject or host user.
        DuplicateIdentity,
        /// The role does not exist.
        UnknownRole,

        // Warnings:
        /// Certificates of a remote server are not checked.
        InsecureTls,
        /// A fingerprint where a whole key is needed to verify what it signed.
        UnverifiableKey,

        // Risks, which only those are told of who write or check files:
        /// An app that names no host user.
        NoHostUser,
        /// A container that is left on the host after its end.
        ContainerNotRemoved,
        /// A container that can do what root can.
        PrivilegedContainer,
        /// A container that shares the host's root, its engine's socket, or its namespaces.
        HostAccess,
        /// An image without a version.
        UnpinnedImage,
        /// A package that is fetched in whatever version is the newest.
        UnpinnedPackage,
        /// A secret that stands in the file.
        LiteralSecret,
        /// Secrets that are sent over plain HTTP.
        SecretInClear,
        /// A regular expression with an alternative that is not anchored.
        LoosePattern,

        // What the configurations of agents say of an app:
        /// No agent runs the app.
        Unselected,
        /// An agent that would run the app may not, by its configuration.
        RefusedByAgent,
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A place in a file: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// How the API describes a [`Position`] that may not be there.
#[derive(utoipa::ToSchema)]
#[schema(as = Position)]
#[expect(dead_code, reason = "it is only described")]
struct AnyPosition {
    /// From 1.
    #[schema(required = false)]
    line: u32,
    /// From 1, in characters.
    #[schema(required = false)]
    column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A mistake in a file, or something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The stable name of the kind of mistake: what `mcpfleet explain` explains.
    #[schema(value_type = String)]
    pub code: Code,
    /// One line; says what is wrong. Text quoted from the file is bounded.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// From the source's root, with `/` between components.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    #[schema(value_type = AnyPosition)]
    pub position: Option<Position>,
    /// The offending line as it stands in the file, bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_text: Option<String>,
    /// How many characters from the position on are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Which document of the file it is about, from 1; only those count that have any content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u32>,
    /// The value that it is about, as a JSON Pointer (RFC 6901) into that document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The other places that belong to it: the twin of a duplicate, say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn about_file(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: None,
            path: path.into(),
            position: None,
            line_text: None,
            length: None,
            document: None,
            pointer: None,
            related: Vec::new(),
        }
    }

    /// The order in which diagnostics are shown: by file, then by place.
    pub fn sort_key(&self) -> (&str, Option<Position>, Severity, Code, &str) {
        (&self.path, self.position, self.severity, self.code, &self.message)
    }
}

/// Another place that belongs to a mistake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Related {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    #[schema(value_type = AnyPosition)]
    pub position: Option<Position>,
    pub message: String,
}
