//! Whose certificates are taken: those of the authorities of this machine, or of `ca_file`, and nobody else's.

use super::TOKEN;
use crate::support::Home;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use std::{fs, path::Path, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A server with a certificate of its own, which takes everything; its port.
async fn server(cert: &str, key: &str) -> u16 {
    let certs = vec![CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth().with_single_cert(certs, key).expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            // One read has the whole of a small request, or enough of it.
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    port
}

async fn test(home: &Home, name: &str) -> (Option<i32>, String) {
    let output = home.mcpfleet(["notify", "test", name, "-c", "agent.yaml"]).output().await.expect("the binary starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_certificate_of_ones_own_needs_its_authority() {
    let home = Home::new();
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("a writable home");
    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".into()]).expect("a name");
    let cert = params.self_signed(&pair).expect("a certificate").pem();
    let url = format!("https://localhost:{}/hook", server(&cert, &pair.serialize_pem()).await);
    let other = KeyPair::generate().expect("a key");
    let other = CertificateParams::new(vec!["localhost".into()]).expect("a name").self_signed(&other);
    write("ca.pem", &cert);
    write("other.pem", &other.expect("a certificate").pem());
    write("nothing.pem", "nothing\n");
    write("token", TOKEN);
    let hook = |name: &str, ca_file: Option<&Path>| json!({"name": name, "kind": "webhook", "url": url, "secret_file": "token", "ca_file": ca_file});
    let notifications = [
        hook("known", Some(Path::new("ca.pem"))),
        hook("unknown", None),
        hook("other", Some(Path::new("other.pem"))),
        hook("nothing", Some(Path::new("nothing.pem"))),
    ];
    write("agent.yaml", &json!({"notifications": notifications}).to_string());
    assert_eq!(test(&home, "known").await, (Some(0), String::new()));
    for name in ["unknown", "other"] {
        let (code, errors) = test(&home, name).await;
        assert_eq!(code, Some(1), "{name}: {errors}");
        assert!(errors.contains("certificate"), "{name}: {errors}");
    }
    let (code, errors) = test(&home, "nothing").await;
    assert!(code == Some(1) && errors.contains("has no certificate in PEM form"), "{errors}");
}
