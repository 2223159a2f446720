//! Starts a process as the agent does and holds it until it is killed itself: what tests kill to see what is left.
//!
//! `hold-a-process KEEPER RUNTIME_DIR TIMES PROGRAM [ARGUMENT…]` starts the program that often. All but the last are
//! stopped; the number of the last is written to stdout.

use anyhow::Context;
use mcpfleet::{
    instance::launch::{LaunchSpec, Launcher, Program},
    resource::StopSignal,
};
use std::{collections::BTreeMap, env, time::Duration};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut next = |what| arguments.next().context(what);
    let launcher = Launcher::with_keeper(next("a keeper")?);
    let (runtime_dir, times) = (next("a folder")?.into(), next("how often")?.parse::<u32>()?);
    let mut spec = LaunchSpec {
        app: "held".into(),
        instance: String::new(),
        program: Program::Named(next("a program")?),
        args: arguments.collect(),
        env: BTreeMap::from([("HELD_BY".into(), std::process::id().to_string().into())]),
        working_directory: None,
        runtime_dir,
        user: None,
        redaction: std::sync::Arc::default(),
        plan: Default::default(),
    };
    for n in 1..times {
        spec.instance = format!("held-{n}");
        let mut process = launcher.launch(spec.clone()).await?;
        process.control.stop(StopSignal::Term, Duration::from_secs(10));
        process.control.wait().await;
    }
    spec.instance = format!("held-{times}");
    let mut process = launcher.launch(spec).await?;
    println!("{}", process.pid);
    process.control.wait().await;
    std::future::pending().await
}
