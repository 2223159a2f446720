//! The marker: agent, run and instance in one word.

use std::fmt;

/// The variable that every server finds it in.
pub const VARIABLE: &str = "MCPFLEET_INSTANCE";
/// The label that it is for a container.
pub const LABEL: &str = "mcpfleet.instance";

/// `AGENT.RUN.INSTANCE`. The first two never have a dot in them, the last may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker<'a> {
    /// Stays the same over the runs of an agent.
    pub agent: &'a str,
    /// Of this run only.
    pub run: &'a str,
    pub instance: &'a str,
}

impl<'a> Marker<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (agent, rest) = text.split_once('.')?;
        let (run, instance) = rest.split_once('.')?;
        let whole = ![agent, run, instance].contains(&"");
        whole.then_some(Marker { agent, run, instance })
    }

    /// That of an environment: the bytes of `/proc/PID/environ`.
    pub fn in_environment(environment: &'a [u8]) -> Option<Self> {
        let value = |entry: &'a [u8]| entry.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"=");
        let value = environment.split(|byte| *byte == 0).find_map(value)?;
        Marker::parse(std::str::from_utf8(value).ok()?)
    }
}

impl fmt::Display for Marker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.agent, self.run, self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_written() {
        let marker = Marker { agent: "a1", run: "b2", instance: "docs.example-3" };
        let text = marker.to_string();
        assert_eq!(Marker::parse(&text), Some(marker));
        for text in ["", "a", "a.b", "a.b.", ".b.c", "a..c"] {
            assert_eq!(Marker::parse(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_found_in_an_environment() {
        let marker = Marker { agent: "a", run: "b", instance: "c-1" };
        for (environment, expected) in [
            (&b"PATH=/bin\0MCPFLEET_INSTANCE=a.b.c-1\0HOME=/"[..], Some(marker)),
            (b"MCPFLEET_INSTANCE=a.b.c-1\0", Some(marker)),
            (b"XMCPFLEET_INSTANCE=a.b.c-1\0MCPFLEET_INSTANCES=a.b.c-1\0", None),
            (b"MCPFLEET_INSTANCE=\0", None),
            (b"MCPFLEET_INSTANCE=a.b.\xff\0", None),
            (b"", None),
        ] {
            assert_eq!(Marker::in_environment(environment), expected);
        }
    }
}
