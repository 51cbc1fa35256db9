//! Requests byte by byte, such as no proper client sends.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Client, token};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Sends a request with the token on a connection of its own. The target is what stands in the first line.
pub(super) async fn send(lab: &Client, method: &str, target: &[u8], body: &[u8]) -> Reply {
    send_as(lab, &format!("authorization: Bearer {}\r\n", token()), method, target, body).await
}

/// The same with other headers; each ends its line.
pub(super) async fn send_as(lab: &Client, headers: &str, method: &str, target: &[u8], body: &[u8]) -> Reply {
    let address = lab.base.trim_start_matches("http://").trim_end_matches("/v1");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\n"].concat();
    let length = body.len();
    request.extend(format!("host: lab\r\nconnection: close\r\ncontent-length: {length}\r\n").bytes());
    request.extend(headers.bytes().chain(*b"\r\n"));
    request.extend_from_slice(body);
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer to {method} {}", target.escape_ascii()));
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: answer[end + 4..].to_vec() }
}

impl Reply {
    /// The error's code, if this is an error as the API documents it; fails if it is half of one.
    pub(super) fn code(&self) -> Option<String> {
        assert!(
            self.head.contains("\r\nx-correlation-id: ") && self.head.contains("\r\nratelimit-limit: "),
            "{self:?}"
        );
        if self.status < 400 {
            assert!(self.status == 204 || serde_json::from_slice::<Value>(&self.body).is_ok(), "{self:?}");
            return None;
        }
        assert!(self.head.contains("\r\ncontent-type: application/json"), "{self:?}");
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        let error = body["error"].as_object().unwrap_or_else(|| panic!("{self:?}"));
        assert!(error.len() == 3 && (error["details"].is_null() || error["details"].is_object()), "{self:?}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        let code = error["code"].as_str().unwrap();
        assert!(!code.is_empty() && code.chars().all(|c| c == '_' || c.is_ascii_lowercase()), "{self:?}");
        Some(code.to_owned())
    }

    /// Status and code.
    pub(super) fn refusal(&self) -> (u16, String) {
        (self.status, self.code().unwrap_or_default())
    }
}
