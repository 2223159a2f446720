//! Servers over TLS.

use super::server::{Inner, Speaks, connection, router};
use crate::lifecycle::world::World;
use mcpfleet::status::model::AppState;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::json;
use std::{fs, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// A server for `localhost` with a certificate of an authority of its own: its port, and that authority's certificate.
async fn start() -> (u16, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let router = router(Inner::new(Speaks::Modern));
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection(stream, router).await;
                }
            });
        }
    });
    (port, authority.pem())
}

fn put(world: &World, port: u16, host: &str, insecure: bool) {
    let spec = json!({"uri": format!("mcp+https://{host}:{port}/mcp"), "insecure_skip_verify": insecure});
    world.put("far.yaml", &json!({"kind": "app", "version": "v3", "metadata": {"name": "far"}, "spec": spec}));
}

#[tokio::test]
async fn a_certificate_is_checked_unless_the_app_says_otherwise() {
    let (port, _) = start().await;
    let world = World::new();
    put(&world, port, "localhost", false);
    let mut agent = world.run();
    let row = agent.app("far", "failed", |app| app.state == Some(AppState::Failed)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("invalid peer certificate: UnknownIssuer"), "{reason}");
    put(&world, port, "localhost", true);
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(agent.call("far", "echo", json!({"text": "over TLS"})).await.as_deref(), Ok("over TLS"));
    agent.stop().await;
}

#[tokio::test]
async fn authorities_of_the_machine_are_trusted_for_their_names() {
    let (port, authority) = start().await;
    let world = World::new();
    fs::write(world.path("authority.pem"), authority).unwrap();
    put(&world, port, "localhost", false);
    let mut command = world.command(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]);
    command.env("SSL_CERT_FILE", world.path("authority.pem"));
    let mut agent = world.spawn(command);
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(agent.call("far", "echo", json!({"text": "over TLS"})).await.as_deref(), Ok("over TLS"));
    // The certificate is for the name, and not for the address.
    put(&world, port, "127.0.0.1", false);
    let row = agent.app("far", "refused", |app| app.state == Some(AppState::Degraded)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("invalid peer certificate: certificate not valid for name"), "{reason}");
    agent.stop().await;
}
