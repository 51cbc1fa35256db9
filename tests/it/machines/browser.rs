//! Headless Chromium, told what to do over its own protocol.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::bed::Bed;

/// Longest wait for a page to say what is hoped for.
const PATIENCE: Duration = Duration::from_secs(90);

/// Opens pages, one after the other, in a browser that nobody used before and that trusts the lab's certificates only,
/// until each says what is hoped for.
pub(super) fn visit(bed: &Bed, pages: &[(&str, &str)]) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = tempfile::tempdir_in(bed.scratch("")).unwrap();
    trust(home.path(), bed.variable("CLAWBERTH_ACME_ROOT"));
    let browser = Browser::start(home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = browser.address(home.path()).await;
        let mut page = Page::open(&address).await;
        for (url, hoped) in pages {
            page.call("Page.navigate", json!({ "url": url })).await;
            let until = Instant::now() + PATIENCE;
            while let text = page.text().await
                && !text.contains(hoped)
            {
                assert!(Instant::now() < until, "the page does not say {hoped:?}:\n{text}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    });
}

/// Chromium on Linux reads its roots from the user's NSS database.
fn trust(home: &Path, roots: &str) {
    let database = home.join(".pki/nssdb");
    std::fs::create_dir_all(&database).unwrap();
    let database = format!("sql:{}", database.display());
    let run = |words: &[&str]| {
        let output = Command::new("certutil").args(["-d", &database]).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["-N", "--empty-password"]);
    let bundle = std::fs::read_to_string(roots).unwrap();
    for (number, root) in bundle.split_inclusive("-----END CERTIFICATE-----").enumerate() {
        if root.contains("BEGIN CERTIFICATE") {
            let file = home.join(format!("root{number}.pem"));
            std::fs::write(&file, root).unwrap();
            run(&["-A", "-t", "C,,", "-n", &format!("acme {number}"), "-i", file.to_str().unwrap()]);
        }
    }
}

struct Browser(Child);

impl Browser {
    fn start(home: &Path) -> Self {
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-port=0",
        ];
        let profile = format!("--user-data-dir={}", home.join("profile").display());
        let mut command = Command::new("chromium");
        command.args(flags).arg(profile).arg("about:blank").env("HOME", home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("chromium is installed by scripts/setup --tests"))
    }

    /// Where its pages are driven: port and path, which it writes down when it is ready.
    async fn address(&self, home: &Path) -> String {
        let file = home.join("profile/DevToolsActivePort");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(port) =
                std::fs::read_to_string(&file).ok().and_then(|t| t.lines().next().map(str::to_owned))
            {
                return format!("127.0.0.1:{port}");
            }
            assert!(Instant::now() < until, "Chromium does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Page {
    socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    calls: u64,
}

impl Page {
    async fn open(address: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let list =
            client.get(format!("http://{address}/json/list")).send().await.unwrap().text().await.unwrap();
        let pages: Vec<Value> = serde_json::from_str(&list).unwrap();
        let page = pages.iter().find(|page| page.get("type") == Some(&json!("page"))).unwrap();
        let url = page.get("webSocketDebuggerUrl").unwrap().as_str().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Self { socket, calls: 0 }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let request = json!({ "id": id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let message = self.socket.next().await.expect("Chromium answers").unwrap();
            let Message::Text(text) = message else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer.get("id") == Some(&json!(id)) {
                return answer;
            }
        }
    }

    /// What the page says, in its shadow trees too.
    async fn text(&mut self) -> String {
        const READ: &str = "(function read(node) {
            if (node.nodeType === 3) return node.textContent;
            if (['SCRIPT', 'STYLE', 'TEMPLATE'].includes(node.nodeName)) return '';
            const children = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
            return children.map(read).join(' ');
        })(document.documentElement).replace(/\\s+/g, ' ')";
        let answer =
            self.call("Runtime.evaluate", json!({ "expression": READ, "returnByValue": true })).await;
        answer.pointer("/result/result/value").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
