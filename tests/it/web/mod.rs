//! The web page, in a real browser and before the real agent. What a browser sees is in the scripts beside this file.

mod files;
mod stage;

use crate::support::{Agent, processes::example};
use stage::{copied, play};

#[tokio::test]
async fn a_folder_from_nothing_to_every_state() {
    let Some(browser) = stage::browser("web::a_folder_from_nothing_to_every_state") else { return };
    // The programs of the tests are there before any app needs them.
    let agent = Agent::start_with(&[], &[]).await;
    copied(&agent, &example("fake-mcp-server"), "fake-mcp-server");
    play(&browser, &agent, "tour.mjs").await;
}

#[tokio::test]
async fn five_hundred_servers() {
    let Some(browser) = stage::browser("web::five_hundred_servers") else { return };
    let agent = Agent::start_with(&[], &[]).await;
    play(&browser, &agent, "large.mjs").await;
}
