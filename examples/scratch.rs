use mcpfleet::{
    gateway::{Access, Gateway, Guard, Listener, router, serve},
    instance::{fleet::Fleet, host::*, launch::Launcher, user},
    resource::*,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter("warn").with_writer(std::io::stderr).init();
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().unwrap().parse().unwrap();
    let keeper = args.next().unwrap();
    let command = args.next().unwrap();
    let args: Vec<String> = args.collect();
    let agent = user::current().unwrap();
    let ambient = BTreeMap::from([("PATH".to_string(), std::env::var_os("PATH").unwrap())]);
    let settings = HostSettings {
        runtime_dir: "/tmp/mcpfleet-scratch".into(),
        default_host_user: Some("root".into()),
        allow_root: true,
        host_users: None,
        ambient,
        allowed: BTreeMap::new(),
        parallel_starts: 4,
        drain_timeout: Duration::from_secs(3600),
    };
    let fleet = Fleet::new(Host::new(settings, Launcher::with_keeper(keeper), agent));
    for (name, sessions) in [("x", Sessions::Auto), ("shared", Sessions::Shared)] {
        let stdio = Stdio {
            command: command.clone(),
            args: args.clone(),
            run_as_host_user: None,
            env: BTreeMap::new(),
            working_directory: None,
            sessions,
            warm: 1,
            max_instances: 64,
            idle_timeout: Duration::from_secs(1800),
            restart: Restart::default(),
            startup_timeout: Duration::from_secs(30),
            health: None,
            stop: Stop::default(),
            on_tool_change: OnToolChange::Warn,
            limits: Limits::default(),
            sandbox: None,
        };
        fleet.run(Arc::new(App {
            metadata: Metadata::named(name),
            spec: AppSpec { server: Server::Stdio(Box::new(stdio)), dynamic_labels: BTreeMap::new() },
        }));
    }
    fleet.set_applied();
    let gateway = Gateway::new(fleet.clone(), Limits2(), Guard { access: Access::Open, hosts: vec![], uid: 0 });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let token = tokio_util::sync::CancellationToken::new();
    let t = tokio::spawn(serve(Listener::Tcp(listener), router(gateway.clone(), axum::Router::new()), token.clone()));
    tokio::signal::ctrl_c().await.unwrap();
    fleet.stop_all(Duration::from_secs(2));
    fleet.stopped().await;
    drop((t, token));
}
#[allow(non_snake_case)]
fn Limits2() -> mcpfleet::gateway::Limits {
    mcpfleet::gateway::Limits { body: 4 << 20, sessions: 10000 }
}
