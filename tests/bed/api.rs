//! The cloud's API and its control endpoint, as a test asks them: one connection for each request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// One project of a cloud.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    port: u16,
    token: String,
    project: String,
}

/// A fault that is in force until it is lifted.
#[derive(Clone, Copy, Debug)]
#[must_use = "a fault that nobody lifts stays"]
pub(crate) struct InForce(u64);

impl Api {
    pub(crate) fn new(port: u16, token: &str, project: &str) -> Self {
        Self { port, token: token.to_owned(), project: project.to_owned() }
    }

    /// The token of the project.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The name of the project.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// Sends a request of the API; it must succeed.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        self.send(method, &format!("/v1{path}"), body)
    }

    /// Puts a fault in force, for this project alone.
    pub(crate) fn fault(&self, mut fault: Value) -> Result<InForce> {
        if let Some(fields) = fault.as_object_mut() {
            fields.insert("project".to_owned(), self.project.as_str().into());
        }
        let answer = self.send("POST", "/control/faults", Some(&fault))?;
        let id = answer.get("id").and_then(Value::as_u64).context("a fault has no id")?;
        Ok(InForce(id))
    }

    /// Takes a fault away again.
    pub(crate) fn lift(&self, fault: InForce) -> Result<()> {
        self.send("DELETE", &format!("/control/faults/{}", fault.0), None).map(drop)
    }

    fn send(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value> {
        let (status, text) = self.exchange(method, target, body)?;
        ensure!((200..300).contains(&status), "{method} {target}: {status} {text}");
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    fn exchange(&self, method: &str, target: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).context("the lab does not answer")?;
        stream.set_read_timeout(Some(ANSWER))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let (token, length) = (&self.token, body.len());
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nhost: lab\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, text) = answer.split_once("\r\n\r\n").context("the answer is cut short")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok((status.context("the answer has no status")?, text.to_owned()))
    }

    /// What the lab says against a fault that it does not know; it names all that there are.
    pub(crate) fn refusal_of(&self, fault: &Value) -> Result<String> {
        Ok(self.exchange("POST", "/control/faults", Some(fault))?.1)
    }
}
