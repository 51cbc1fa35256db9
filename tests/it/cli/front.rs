//! A front before the cloud: it writes down each request with its body, and answers as told instead of the cloud.
//!
//! Through it servers have multicast addresses, to which TCP cannot connect on any computer, so that what a command
//! sees of them does not depend on the network that a test runs in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use futures_util::stream;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::environment::{LOOK, SOON};

/// What the lab calls its addresses, and what they are called here.
const ADDRESSES: [&str; 2] = ["198.18.64.", "224.18.64."];

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Method and path, without `/v1` and query.
    pub(super) what: String,
    pub(super) body: Value,
    /// The answer's status.
    pub(super) status: u16,
}

/// What happens to a request instead of what should.
#[derive(Clone, Debug)]
pub(super) enum Trick {
    /// It is answered with this, and the cloud never hears of it.
    Answer(u16, String),
    /// The cloud does it, but the answer is a gateway's complaint.
    BadGateway,
    /// The cloud does it, but the connection breaks in the middle of the answer.
    Break,
    /// The cloud does it, and the answer takes this long.
    Delay(Duration),
}

/// The front of one cloud.
pub(super) struct Front {
    port: u16,
    inner: Arc<Inner>,
    runtime: Runtime,
}

struct Inner {
    /// The lab, without `/v1`.
    lab: String,
    http: reqwest::Client,
    seen: Mutex<Vec<Seen>>,
    tricks: Mutex<Vec<(String, Trick)>>,
}

impl Front {
    /// A front before the API at this base URL.
    pub(super) fn new(lab: &str) -> Self {
        // another test may have installed it already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inner = Arc::new(Inner {
            lab: lab.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            seen: Mutex::default(),
            tricks: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(inner.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { port, inner, runtime }
    }

    /// The base URL for clients.
    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Plays this trick once with the next request that begins with `what`, such as `POST /servers`.
    pub(super) fn play(&self, what: &str, trick: Trick) {
        self.inner.tricks.lock().unwrap().push((what.to_owned(), trick));
    }

    /// Waits until such a request has come, and the cloud has done what it asks for.
    #[track_caller]
    pub(super) fn until_asked(&self, what: &str) {
        let until = Instant::now() + SOON;
        while !self.inner.seen.lock().unwrap().iter().any(|seen| seen.what == what) {
            assert!(Instant::now() < until, "nobody asked for {what}");
            std::thread::sleep(LOOK);
        }
    }

    /// How often such a request has come.
    pub(super) fn count(&self, what: &str) -> usize {
        self.inner.seen.lock().unwrap().iter().filter(|seen| seen.what == what).count()
    }

    /// All requests, without their queries.
    pub(super) fn asked(&self) -> Vec<String> {
        self.inner.seen.lock().unwrap().iter().map(|seen| seen.what.clone()).collect()
    }

    /// All requests that change something.
    pub(super) fn changes(&self) -> Vec<Seen> {
        let seen = self.inner.seen.lock().unwrap();
        seen.iter().filter(|s| !s.what.starts_with("GET ")).cloned().collect()
    }

    /// The same as text, a line each.
    pub(super) fn changed(&self) -> Vec<String> {
        self.changes().iter().map(|seen| format!("{} {}", seen.what, seen.status)).collect()
    }

    /// Asks the lab itself.
    #[track_caller]
    pub(super) fn ask(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.ask_at(&format!("/v1{path}"), token, method, body)
    }

    /// Lets something go wrong in the cloud from now on.
    #[track_caller]
    pub(super) fn fault(&self, token: &str, fault: &Value) {
        self.ask_at("/control/faults", token, "POST", Some(fault));
    }

    #[track_caller]
    fn ask_at(&self, path: &str, token: &str, method: &str, body: Option<&Value>) -> Value {
        let method: Method = method.parse().unwrap();
        let mut request =
            self.inner.http.request(method, format!("{}{path}", self.inner.lab)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let (status, text) = self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            (response.status(), response.text().await.unwrap())
        });
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

async fn pass(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let what = format!("{method} {}", uri.path().trim_start_matches("/v1"));
    let trick = {
        let mut tricks = inner.tricks.lock().unwrap();
        let place = tricks.iter().position(|(when, _)| what.starts_with(when.as_str()));
        place.map(|place| tricks.remove(place).1)
    };
    let (status, text) = match &trick {
        Some(Trick::Answer(status, text)) => (StatusCode::from_u16(*status).unwrap(), text.clone()),
        _ => forward(&inner, &method, &uri, &headers, body.clone()).await,
    };
    inner.seen.lock().unwrap().push(Seen {
        what,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: status.as_u16(),
    });
    let answer = Response::builder().header("x-correlation-id", "0123456789abcdef");
    match trick {
        Some(Trick::BadGateway) => answer.status(502).body("<html>Bad Gateway</html>".into()).unwrap(),
        Some(Trick::Break) => {
            let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("broken"))]);
            answer.status(status).body(Body::from_stream(broken)).unwrap()
        }
        Some(Trick::Delay(time)) => {
            tokio::time::sleep(time).await;
            answer.status(status).body(text.into()).unwrap()
        }
        Some(Trick::Answer(..)) | None => answer.status(status).body(text.into()).unwrap(),
    }
}

async fn forward(
    inner: &Inner,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let [real, shown] = ADDRESSES;
    let target = uri.path_and_query().unwrap().as_str().replace(shown, real);
    let mut request = inner.http.request(method.clone(), format!("{}{target}", inner.lab)).body(body);
    for name in ["authorization", "content-type", "user-agent"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value.clone());
        }
    }
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap().replace(real, shown))
}
