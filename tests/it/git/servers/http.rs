//! `git http-backend` behind a small server, which can misbehave in every way that is wanted.

use super::process::git_program;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::oneshot,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, pki_types::PrivatePkcs8KeyDer},
};

type Body = BoxBody<Bytes, io::Error>;

/// What the server does instead of what it should.
#[derive(Clone, Default)]
pub enum Fault {
    #[default]
    None,
    /// Answers everything so.
    Status(u16, Vec<(&'static str, String)>),
    /// Answers everything with a page.
    Page,
    /// Never answers.
    Hang,
    /// Sends a listing byte by byte, each after a while.
    Trickle,
    /// Ends the pack after so many bytes, with a length that says that this is all.
    Short(usize),
    /// Breaks the connection within the pack.
    Broken(usize),
    /// Fills the middle of the pack with other bytes.
    Garbled,
    /// Does not speak version 2.
    Old,
}

/// What was asked of a server.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    root: PathBuf,
    /// `user:password`.
    password: Mutex<Option<String>>,
    fault: Mutex<Fault>,
    /// The old name of a repository, and the new one, to which it redirects.
    moved: Mutex<Option<(String, String)>>,
    seen: Mutex<Vec<Seen>>,
}

/// A server, which ends with the test.
pub struct GitHttp {
    address: SocketAddr,
    /// The certificate of the authority that has signed the server's.
    authority: Option<String>,
    state: Arc<State>,
    _stop: oneshot::Sender<()>,
}

impl GitHttp {
    /// Serves the repositories below a folder.
    pub fn start(root: &Path) -> GitHttp {
        GitHttp::serve(root, None)
    }

    /// The same over TLS, with a certificate of an authority of its own for `localhost`.
    pub fn start_tls(root: &Path) -> GitHttp {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .expect("a certificate with its key");
        GitHttp::serve(root, Some((authority.pem(), TlsAcceptor::from(Arc::new(config)))))
    }

    fn serve(root: &Path, tls: Option<(String, TlsAcceptor)>) -> GitHttp {
        let state = Arc::new(State { root: root.to_owned(), ..State::default() });
        let (stop, stopped) = oneshot::channel();
        let (address, bound) = std::sync::mpsc::channel();
        let (authority, acceptor) = tls.map_or((None, None), |(authority, acceptor)| (Some(authority), Some(acceptor)));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
                address.send(listener.local_addr().expect("an address")).expect("somebody waits");
                tokio::select! {
                    () = accept(listener, acceptor, shared) => {}
                    // It is dropped with the server.
                    _ = stopped => {}
                }
            });
        });
        let address = bound.recv().expect("a server");
        GitHttp { address, authority, state, _stop: stop }
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}/{path}", self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn authority(&self) -> &str {
        self.authority.as_deref().expect("a server with TLS")
    }

    pub fn require(&self, user_and_password: &str) {
        *self.state.password.lock().expect("no panic") = Some(user_and_password.to_owned());
    }

    pub fn fault(&self, fault: Fault) {
        *self.state.fault.lock().expect("no panic") = fault;
    }

    pub fn moved(&self, from: &str, to: &str) {
        *self.state.moved.lock().expect("no panic") = Some((from.to_owned(), to.to_owned()));
    }

    /// What was asked since this was called last.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.state.seen.lock().expect("no panic"))
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match acceptor {
                // A client that does not like the certificate goes away.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, state).await;
                    }
                }
                None => converse(stream, state).await,
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(request, &state).await) }
    });
    // A connection that breaks is what some tests are about.
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

async fn answer(request: Request<Incoming>, state: &State) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return tunnel(request, state);
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let authorization = header(header::AUTHORIZATION);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    state.seen.lock().expect("no panic").push(Seen { method, path, authorization: authorization.clone() });
    let fault = state.fault.lock().expect("no panic").clone();
    match &fault {
        Fault::Status(status, headers) => {
            let mut response = Response::builder().status(*status);
            for (name, value) in headers {
                response = response.header(*name, value);
            }
            return response.body(full("")).expect("a response");
        }
        Fault::Page => {
            let response = Response::builder().header(header::CONTENT_TYPE, "text/html");
            return response.body(full("<html>Please log in</html>")).expect("a response");
        }
        Fault::Hang => future::pending().await,
        _ => {}
    }
    let moved = state.moved.lock().expect("no panic").clone();
    if let (Some((from, to)), Some(path)) = (moved, request.uri().path_and_query())
        && path.as_str().contains(&from)
    {
        let location = path.as_str().replace(&from, &to);
        return Response::builder().status(301).header(header::LOCATION, location).body(full("")).expect("a response");
    }
    let password = state.password.lock().expect("no panic").clone();
    if let Some(password) = password
        && authorization != Some(format!("Basic {}", BASE64_STANDARD.encode(password)))
    {
        let response = Response::builder().status(401).header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"");
        return response.body(full("")).expect("a response");
    }
    let is_pack = request.method() == Method::POST;
    let (status, headers, body) = backend(request, &state.root, matches!(fault, Fault::Old)).await;
    let is_pack = is_pack && body.windows(4).any(|window| window == b"PACK");
    let body = match fault {
        Fault::Trickle => {
            let bytes = stream::iter(body).then(|byte| async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(Frame::data(Bytes::from(vec![byte])))
            });
            BodyExt::boxed(StreamBody::new(bytes))
        }
        Fault::Short(bytes) if is_pack => full(body[..bytes].to_vec()),
        Fault::Broken(bytes) if is_pack => {
            let parts = [Ok(Frame::data(Bytes::from(body[..bytes].to_vec()))), Err(io::Error::other("broken"))];
            BodyExt::boxed(StreamBody::new(stream::iter(parts)))
        }
        Fault::Garbled if is_pack => {
            let mut body = body;
            let middle = body.len() / 2;
            body[middle..middle + 16].fill(0x55);
            full(body)
        }
        _ => full(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Forwards a connection, as a proxy does.
fn tunnel(request: Request<Incoming>, state: &State) -> Response<Body> {
    let target = request.uri().authority().expect("a host").to_string();
    let seen = Seen { method: Method::CONNECT, path: target.clone(), authorization: None };
    state.seen.lock().expect("no panic").push(seen);
    tokio::spawn(async move {
        let (Ok(client), Ok(mut server)) = (hyper::upgrade::on(request).await, TcpStream::connect(target).await) else {
            return;
        };
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
    });
    Response::new(full(""))
}

/// Runs `git http-backend` as a web server does.
async fn backend(request: Request<Incoming>, root: &Path, old: bool) -> (StatusCode, HeaderMap, Vec<u8>) {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = Command::new(git_program("git-http-backend"));
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("HOME", root);
    command.env("PATH_INFO", head.uri.path()).env("QUERY_STRING", head.uri.query().unwrap_or_default());
    command.env("REQUEST_METHOD", head.method.as_str()).env("CONTENT_TYPE", header("content-type"));
    if !old {
        command.env("GIT_PROTOCOL", header("git-protocol"));
    }
    let body = body.collect().await.expect("a whole request").to_bytes();
    command.env("CONTENT_LENGTH", body.len().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("git http-backend");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It need not read what it does not understand.
    let _ = stdin.write_all(&body).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("an answer").stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("an end of the headers");
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        if name.eq_ignore_ascii_case("status") {
            status = value[..3].parse().expect("a status");
        } else {
            let name = http::HeaderName::try_from(name).expect("a name");
            headers.insert(name, value.parse().expect("a value"));
        }
    }
    (status, headers, output[end + 4..].to_vec())
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed()
}
