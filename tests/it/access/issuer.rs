//! An issuer of signed tokens, on this machine.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Served {
    url: String,
    /// Numbers of the keys that are published.
    keys: Vec<u8>,
    down: bool,
    asked: usize,
}

pub struct Issuer {
    pub url: String,
    served: Arc<Mutex<Served>>,
    task: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

async fn configuration(State(served): State<Arc<Mutex<Served>>>) -> axum::response::Response {
    let mut served = served.lock().unwrap();
    served.asked += 1;
    if served.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    axum::Json(json!({"issuer": served.url, "jwks_uri": format!("{}/keys", served.url)})).into_response()
}

async fn keys(State(served): State<Arc<Mutex<Served>>>) -> axum::Json<Value> {
    let jwk = |number: &u8| json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{number}"), "x": encode(pair(*number).public_key())});
    axum::Json(json!({"keys": served.lock().unwrap().keys.iter().map(jwk).collect::<Vec<_>>()}))
}

impl Issuer {
    /// One that publishes these keys.
    pub async fn start(keys_published: &[u8]) -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served =
            Arc::new(Mutex::new(Served { url: url.clone(), keys: keys_published.to_vec(), ..Served::default() }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .with_state(served.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Issuer { url, served, task }
    }

    pub fn publish(&self, keys: &[u8]) {
        self.served.lock().unwrap().keys = keys.to_vec();
    }

    pub fn set_down(&self, down: bool) {
        self.served.lock().unwrap().down = down;
    }

    /// How often it has been asked.
    pub fn asked(&self) -> usize {
        self.served.lock().unwrap().asked
    }

    /// A token for `subject`, signed with a key, in which `change` may change what it says.
    pub fn token(&self, key: u8, subject: &str, change: impl FnOnce(&mut Value)) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": self.url, "sub": subject, "aud": "fleet", "nbf": now - 5, "exp": now + 600});
        change(&mut claims);
        let header = json!({"alg": "EdDSA", "kid": format!("k{key}"), "typ": "JWT"});
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{signed}.{}", encode(pair(key).sign(signed.as_bytes())))
    }
}
