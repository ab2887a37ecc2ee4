//! HTTP/1.1 messages as bytes.

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// An HTTP/1.1 request or response, unchanged.
pub struct Message {
    head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one message. Returns `None` at the end of the connection.
    pub async fn read(connection: &mut TcpStream) -> Option<Self> {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        let end = loop {
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let count = connection.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            head.extend_from_slice(&buffer[..count]);
        };
        let body = head.split_off(end);
        let mut message = Self { head, body };
        let length: usize = message.header("content-length").expect("a message with Content-Length").parse().unwrap();
        while message.body.len() < length {
            let count = connection.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            message.body.extend_from_slice(&buffer[..count]);
        }
        Some(message)
    }

    /// Returns the operation and its table.
    pub fn call(&self, body: &Value) -> String {
        let target = self.header("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let table = body["TableName"].as_str().unwrap_or_default();
        format!("{operation} {table}").trim_end().to_owned()
    }

    pub fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.body].concat()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = str::from_utf8(&self.head).unwrap().lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Returns an error response of DynamoDB.
pub fn error_response(status: u16, code: &str) -> Vec<u8> {
    let body = format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"an injected fault\"}}");
    let head = "content-type: application/x-amz-json-1.0";
    format!("HTTP/1.1 {status} Fault\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
