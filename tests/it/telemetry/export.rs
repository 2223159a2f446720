//! Collectors of all kinds, and that none of them holds up the agent.

use super::collector::{Collector, Mood};
use crate::support::{Agent, Got, Home, PlainClient, demo_app, eventually};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use std::{fs, sync::Arc, time::Instant};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

async fn agent(home: Home, settings: &[String]) -> Agent {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Agent::start_in_with(home, &[("demo.yaml", &demo_app("demo"))], &settings).await
}

async fn call(agent: &Agent) -> Got {
    let client = PlainClient::new(&format!("http://{}", agent.listen), "demo");
    client.call("echo", json!({"message": "hello"})).await
}

fn warnings(log: &str) -> usize {
    log.matches("does not take spans").count()
}

#[tokio::test]
async fn no_collector_holds_up_the_agent() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for mood in [Some(Mood::Hangs), Some(Mood::Answers(503)), Some(Mood::Answers(400)), Some(Mood::Answers(302)), None]
    {
        let collector = match mood {
            Some(mood) => Collector::with(mood).await,
            None => Collector::new(Mood::Takes, closed.clone()),
        };
        let agent = agent(Home::new(), &[collector.setting(), "telemetry.otlp.queue=64".into()]).await;
        call(&agent).await;
        eventually("word of it in the log", async || {
            (warnings(&agent.log()) > 0 || mood == Some(Mood::Hangs)).then_some(())
        })
        .await;
        // More than there is room for.
        for _ in 0..200 {
            assert_eq!(call(&agent).await.text(), Some("hello"), "{mood:?}");
        }
        let stopping = Instant::now();
        let home = agent.stop().await;
        // The last spans have three seconds, and the configured timeout of a request is ten.
        assert!(stopping.elapsed().as_secs() < 9, "{mood:?}: {:?}", stopping.elapsed());
        let log = fs::read_to_string(home.path().join("agent.log")).unwrap();
        assert!(warnings(&log) <= 1, "{mood:?}: {log}");
        assert!(!log.contains('\u{1b}') && !log.contains("garbage"), "{log}");
    }
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_what_waits() {
    let collector = Collector::with(Mood::Answers(503)).await;
    let agent = agent(Home::new(), &[collector.setting()]).await;
    call(&agent).await;
    eventually("an attempt", async || (collector.requests() > 0).then_some(())).await;
    collector.set(Mood::Takes);
    collector.span("the call", |span| span.name == "tools/call echo").await;
    eventually("word of it in the log", async || agent.log().contains("takes spans again").then_some(())).await;
    // What is left when the agent stops is sent before it ends.
    let before = collector.spans().len();
    call(&agent).await;
    agent.stop().await;
    assert!(collector.spans()[before..].iter().any(|span| span.name == "tools/call echo"));
}

#[tokio::test]
async fn a_collector_behind_tls_is_known_by_its_own_authority() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let collector = Collector::new(Mood::Takes, url);
    let (router, acceptor) = (collector.router(), TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (router, acceptor) = (router.clone(), acceptor.clone());
            tokio::spawn(async move {
                // Who does not trust the certificate goes away in the middle.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper_util::service::TowerToHyperService::new(router);
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });

    let home = Home::new();
    fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
    fs::write(home.path().join("token"), "Bearer first\n").unwrap();
    let file = |setting: &str, name: &str| format!("telemetry.otlp.{setting}={}", home.path().join(name).display());
    let settings = [collector.setting(), file("ca_file", "ca.pem"), file("headers.Authorization", "token")];
    let agent = agent(home, &settings).await;
    call(&agent).await;
    collector.span("the call", |span| span.name == "tools/call echo").await;
    assert!(collector.header("authorization").iter().all(|value| value == "Bearer first"));
    // Another token, from then on.
    fs::write(agent.home.path().join("token"), "Bearer second").unwrap();
    eventually("the other token", async || {
        call(&agent).await;
        collector.header("authorization").contains(&"Bearer second".to_owned()).then_some(())
    })
    .await;
    assert!(!agent.log().contains("Bearer"));
    agent.stop().await;

    // Without it nobody is trusted, and no header is shown to anybody.
    let before = collector.requests();
    let home = Home::new();
    fs::write(home.path().join("token"), "Bearer first").unwrap();
    fs::write(home.path().join("ca.pem"), certificate_of_another()).unwrap();
    let file = |setting: &str, name: &str| format!("telemetry.otlp.{setting}={}", home.path().join(name).display());
    let settings = [collector.setting(), file("ca_file", "ca.pem"), file("headers.Authorization", "token")];
    let agent = self::agent(home, &settings).await;
    call(&agent).await;
    eventually("word of it in the log", async || (warnings(&agent.log()) == 1).then_some(())).await;
    assert_eq!(collector.requests(), before);
}

fn certificate_of_another() -> String {
    let pair = KeyPair::generate().unwrap();
    CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap().pem()
}

#[tokio::test]
async fn an_agent_does_not_start_without_what_it_is_to_send() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("fleet")).unwrap();
    fs::write(home.path().join("empty"), "").unwrap();
    for (settings, expected) in [
        (vec!["headers.A=gone"], "cannot read"),
        (vec!["ca_file=empty"], "has no certificate in PEM form"),
        (vec!["ca_file=gone"], "cannot read"),
        (vec!["endpoint=ftp://x"], "is not the URL of a collector"),
        (vec!["endpoint=http://192.0.2.1", "headers.A=empty"], "would go over the network in clear"),
        (vec!["sample=1.5"], "sample"),
    ] {
        let mut command = home.mcpfleet(["run", "fleet", "--set", "telemetry.otlp.endpoint=https://127.0.0.1:1"]);
        for setting in &settings {
            command.args(["--set", &format!("telemetry.otlp.{setting}")]);
        }
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{settings:?}: {said}");
        assert!(said.contains(expected), "{settings:?}: {said}");
    }
}

#[tokio::test]
async fn who_sends_is_told() {
    let collector = Collector::start().await;
    let settings =
        [collector.setting(), "telemetry.otlp.service_name=fleet-a".into(), "telemetry.otlp.attributes.zone=b".into()];
    let agent = agent(Home::new(), &settings).await;
    call(&agent).await;
    let span = collector.span("the call", |span| span.name == "tools/call echo").await;
    let get = |key: &str| span.resource.get(key).cloned().unwrap_or_default();
    assert_eq!((get("service.name"), get("zone")), ("fleet-a".into(), "b".into()));
    assert_eq!(get("service.version"), env!("CARGO_PKG_VERSION"));
    assert!(!get("service.instance.id").is_empty() && !get("host.name").is_empty());
    assert_eq!(collector.header("content-type").first().map(String::as_str), Some("application/x-protobuf"));
}
