//! A headless Chromium, driven through its DevTools socket.
//!
//! Its own switches for dumping and shooting pages do so when the page has loaded, before its events arrive, and its virtual
//! time never ends while an event stream is open.

use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// A running browser with one page.
#[derive(Debug)]
pub struct Browser {
    stream: TcpStream,
    count: u32,
    _process: Process,
}

impl Browser {
    /// Opens a page.
    ///
    /// # Panics
    ///
    /// When there is no Chromium.
    pub fn open(ports: &Ports, folder: &Folder, url: &str) -> Self {
        let installed = |name: &&str| {
            Command::new(name)
                .arg("--version")
                .stdin(Stdio::null())
                .output()
                .is_ok_and(|output| output.status.success())
        };
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let name = names.into_iter().find(installed).expect("chromium is not installed");
        let control = ports.address();
        let mut command = Command::new(name);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--window-size=1280,1000"]);
        command.arg(format!("--user-data-dir={}", folder.file("chromium").display()));
        command.arg(format!("--remote-debugging-port={}", control.port())).arg(url);
        let mut process = Process::start(&mut command, &folder.file("chromium.log"));
        let path = until("the browser's page", PATIENCE * 2, || {
            assert!(process.ended().is_none(), "the browser ended:\n{}", process.output());
            let list = http::get(control, "/json/list").ok()?;
            let pages: Value = serde_json::from_str(&list.body).ok()?;
            let page = pages.as_array()?.iter().find(|page| page["type"] == "page")?;
            let url = page["webSocketDebuggerUrl"].as_str()?;
            Some(url.split_once("/devtools")?.1.to_owned())
        });
        let mut stream = TcpStream::connect(control).expect("the browser");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let upgrade = format!(
            "GET /devtools{path} HTTP/1.1\r\nHost: {control}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).expect("the browser");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the browser's answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { stream, count: 0, _process: process }
    }

    /// Evaluates an expression in the page and returns its text.
    pub fn evaluate(&mut self, expression: &str) -> String {
        let result = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }));
        result["result"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub fn wait_until(&mut self, expression: &str) {
        let expression = format!("String(Boolean({expression}))");
        until(&expression.clone(), PATIENCE, || (self.evaluate(&expression) == "true").then_some(()));
    }

    /// A picture of the page, as PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let result = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        unbase64(result["data"].as_str().unwrap_or_default())
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.count += 1;
        let id = self.count;
        let text = json!({ "id": id, "method": method, "params": parameters }).to_string();
        self.send(text.as_bytes());
        loop {
            let message: Value = serde_json::from_slice(&self.receive()).unwrap_or_default();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// One masked text frame (RFC 6455 §5.2); a mask of zeros changes nothing.
    fn send(&mut self, payload: &[u8]) {
        let mut frame = vec![0x81];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).expect("a short command").to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).expect("the browser");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).expect("the browser");
            let length = match head[1] & 0x7f {
                126 => {
                    let mut bytes = [0; 2];
                    self.stream.read_exact(&mut bytes).expect("the browser");
                    usize::from(u16::from_be_bytes(bytes))
                }
                127 => {
                    let mut bytes = [0; 8];
                    self.stream.read_exact(&mut bytes).expect("the browser");
                    u64::from_be_bytes(bytes) as usize
                }
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).expect("the browser");
            whole.extend(payload);
            if head[0] & 0x80 != 0 {
                return whole;
            }
        }
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(unbase64("SGVsbG8sIHBhZ2Uh"), b"Hello, page!");
        assert_eq!(unbase64("/+8="), [0xff, 0xef]);
    }
}
