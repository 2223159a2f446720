//! Settings that are planned, and not there yet.

use crate::manifest::{
    Code,
    decode::{Context, Fields},
    text::Finding,
    yaml::{Node, Value},
};
use serde::{Serialize, Serializer};

/// The default of a setting that this version does not have, and so the only value that the setting can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Later {
    Null,
}

impl Later {
    /// Reads the setting `name`: left out, empty, or as the default has it, it is fine; anything else is reported as
    /// not yet supported. `within` is where the setting belongs, as in `gateway.`.
    pub(super) fn decode(self, within: &str, name: &'static str, f: &mut Fields, context: &Context) -> Later {
        if let Some(entry) = f.entry(name)
            && !self.is(&entry.value)
        {
            let finding =
                Finding::error(Code::NotYetSupported, entry.mark, format!("`{within}{name}` is not yet supported"));
            context.report(finding.help("remove it: this version does not have this setting"));
        }
        self
    }

    fn is(self, node: &Node) -> bool {
        match self {
            Later::Null => node.value == Value::Null,
        }
    }
}

impl Serialize for Later {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Later::Null => serializer.serialize_none(),
        }
    }
}
