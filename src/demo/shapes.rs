//! What the demo server's tools take and give, from which their schemas are made.

use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
pub struct Echo {
    /// What to say back.
    pub message: String,
}

#[derive(Deserialize, JsonSchema)]
pub struct Add {
    /// The first number.
    pub a: f64,
    /// The second number.
    pub b: f64,
}

#[derive(Deserialize, JsonSchema)]
pub struct RollDice {
    /// How many dice, 1 to 100.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub count: u32,
    /// How many sides each of them has, 2 to 1000.
    #[serde(default = "six")]
    #[schemars(range(min = 2, max = 1000))]
    pub sides: u32,
}

fn one() -> u32 {
    1
}

fn six() -> u32 {
    6
}

#[derive(Serialize, JsonSchema)]
pub struct Rolled {
    pub rolls: Vec<u32>,
    pub total: u32,
}

#[derive(Deserialize, JsonSchema)]
pub struct WordCount {
    /// The text to count in.
    pub text: String,
}

#[derive(Serialize, JsonSchema)]
pub struct Counted {
    pub lines: usize,
    pub words: usize,
    pub characters: usize,
}

#[derive(Deserialize, JsonSchema)]
pub struct Now {
    /// An IANA time zone such as `Europe/Vienna`. UTC if left out.
    #[serde(default)]
    pub time_zone: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub struct Countdown {
    /// Where to start, 1 to 60.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 60))]
    pub from: u32,
    /// Milliseconds between two numbers, up to 10000.
    #[serde(default = "second")]
    #[schemars(range(max = 10000))]
    pub interval_ms: u64,
}

fn three() -> u32 {
    3
}

fn second() -> u64 {
    1000
}

/// What a process can find out about itself: it shows how well an app is kept apart from its host.
#[derive(Serialize, JsonSchema)]
pub struct WhoAmI {
    pub user: Option<String>,
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
    pub directory: Option<String>,
    /// The names of the variables in the environment, not their values.
    pub environment: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
pub struct Greeting {
    /// Who is to be greeted.
    pub name: String,
}
