//! The gateway over TLS: who trusts its certificate, and what becomes of it when the files change.

use crate::support::{Agent, Home, demo_app, eventually};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use std::{fs, path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version,
    },
};

/// A certificate and its key, as the two files have them.
struct Made {
    cert: String,
    key: String,
}

fn made() -> Made {
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    Made { cert: params.self_signed(&pair).unwrap().pem(), key: pair.serialize_pem() }
}

fn write(folder: &Path, cert: &str, key: &str) {
    for (name, text) in [("tls.crt", cert), ("tls.key", key)] {
        // In one step each, as whoever renews certificates does.
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
}

/// An agent that speaks TLS, with its certificate.
async fn agent(folder: &Path) -> (Agent, Made) {
    let made = made();
    write(folder, &made.cert, &made.key);
    let setting = |name: &str, file: &str| format!("gateway.tls.{name}={}", folder.join(file).display());
    let settings = [setting("cert_file", "tls.crt"), setting("key_file", "tls.key")];
    let agent = Agent::start_with(&[("demo.yaml", &demo_app("demo"))], &settings.each_ref().map(|s| &**s)).await;
    (agent, made)
}

/// What a client that trusts only this certificate comes to.
async fn connect(
    address: &str,
    cert: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(ProtocolVersion, Option<Vec<u8>>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let mut config =
        builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (_, session) = stream.get_ref();
    Ok((session.protocol_version().unwrap(), session.alpn_protocol().map(<[u8]>::to_vec)))
}

#[tokio::test]
async fn a_client_that_trusts_it_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, shown) = agent(dir.path()).await;
    let url = format!("https://{}", agent.listen);
    let ca = dir.path().join("tls.crt");
    let ca = ca.to_str().unwrap();
    let remote =
        async |arguments: &[&str]| agent.home.mcpfleet(arguments).env("MCPFLEET_AGENT", &url).output().await.unwrap();

    let called = remote(&["mcp", "call", "demo", "add", r#"{"a":1,"b":2}"#, "--ca-file", ca]).await;
    assert_eq!(called.status.code(), Some(0), "{called:?}\n{}", agent.log());
    let status = remote(&["status", "-o", "json", "--ca-file", ca]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["agent"]["gateway"], *url);
    assert!(status["agent"]["tls"]["cert_file"].as_str().unwrap().ends_with("tls.crt"));
    assert_eq!(status["apps"][0]["url"], format!("{url}/mcp/demo"));

    let other = made();
    fs::write(dir.path().join("other.crt"), &other.cert).unwrap();
    let other = dir.path().join("other.crt");
    let refused = remote(&["status", "--ca-file", other.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("certificate"), "{said}");
    let nothing = remote(&["status", "--ca-file", dir.path().join("none").to_str().unwrap()]).await;
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    let mut plain = agent.home.mcpfleet(["status"]);
    let plain = plain.env("MCPFLEET_AGENT", format!("http://{}", agent.listen)).output().await.unwrap();
    assert_eq!(plain.status.code(), Some(3));

    for (offered, expected) in
        [(&version::TLS13, ProtocolVersion::TLSv1_3), (&version::TLS12, ProtocolVersion::TLSv1_2)]
    {
        let agreed = connect(&agent.listen, &shown.cert, &[offered]).await.unwrap();
        assert_eq!(agreed, (expected, Some(b"http/1.1".to_vec())));
    }
    // The socket of this machine needs none.
    agent.says(&["status"]).await;
    agent.stop().await;
}

#[tokio::test]
async fn new_files_are_shown_and_bad_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, first) = agent(dir.path()).await;
    let shows = async |cert: &str| connect(&agent.listen, cert, &[&version::TLS13]).await.is_ok();
    assert!(shows(&first.cert).await);
    // One who has agreed on nothing yet holds up nobody.
    let _silent = TcpStream::connect(&agent.listen).await.unwrap();

    let second = made();
    write(dir.path(), &second.cert, &second.key);
    eventually("the new certificate", async || shows(&second.cert).await.then_some(())).await;
    assert!(!shows(&first.cert).await);
    eventually("an event", async || agent.says(&["events"]).await.contains("certificate-renewed").then_some(())).await;

    write(dir.path(), &first.cert, &second.key);
    eventually("a problem in the status", async || {
        agent.says(&["status"]).await.contains("certificate: the one from before stays").then_some(())
    })
    .await;
    assert!(agent.says(&["events"]).await.contains("certificate-failed"));
    assert!(agent.log().contains("is not the key of the first certificate"), "{}", agent.log());
    assert!(shows(&second.cert).await);
    write(dir.path(), &first.cert, &first.key);
    eventually("all is well again", async || {
        (shows(&first.cert).await && !agent.says(&["status"]).await.contains("certificate:")).then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn files_that_do_not_fit_are_a_mistake_of_the_configuration() {
    let home = Home::new();
    let (one, two) = (made(), made());
    let text =
        "sources: [{name: local, directory: {path: .}}]\ngateway: {tls: {cert_file: tls.crt, key_file: tls.key}}\n";
    fs::write(home.path().join("agent.yaml"), text).unwrap();
    let check = async || home.mcpfleet(["config", "check", "-c", "agent.yaml"]).output().await.unwrap();
    let missing = check().await;
    let said = String::from_utf8_lossy(&missing.stdout).into_owned();
    assert!(missing.status.code() == Some(2) && said.contains("gateway.tls.cert_file"), "{said}");
    write(home.path(), &one.cert, &two.key);
    let wrong = check().await;
    let said = String::from_utf8_lossy(&wrong.stdout).into_owned();
    assert!(wrong.status.code() == Some(2) && said.contains("is not the key"), "{said}");
    let run = home.mcpfleet(["run", "-c", "agent.yaml"]).output().await.unwrap();
    assert!(!run.status.success() && String::from_utf8_lossy(&run.stderr).contains("is not the key"), "{run:?}");
    write(home.path(), &one.cert, &one.key);
    assert_eq!(check().await.status.code(), Some(0));
}
