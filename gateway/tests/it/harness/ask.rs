//! Requests written down with little noise; what they hold is sent as it is.

/// A request that lacks its end.
#[derive(Debug, Clone)]
pub(crate) struct Ask(String);

/// Begins a request: `POST /tasks/`.
pub(crate) fn ask(line: &str) -> Ask {
    Ask(format!("{line} HTTP/1.1\r\nHost: localhost\r\n"))
}

impl Ask {
    /// One more header line, `Name: value`.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.0.push_str(line);
        self.0.push_str("\r\n");
        self
    }

    /// `Authorization: JWT …`
    pub(crate) fn jwt(self, token: &str) -> Self {
        self.line(&format!("Authorization: JWT {token}"))
    }

    /// `Authorization: Bearer …`
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.line(&format!("Authorization: Bearer {token}"))
    }

    /// The handshake of a WebSocket (RFC 6455 §4.1).
    pub(crate) fn websocket(self) -> Self {
        self.line("Connection: Upgrade")
            .line("Upgrade: websocket")
            .line("Sec-WebSocket-Version: 13")
            .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// Without a body.
    pub(crate) fn end(self) -> String {
        self.0 + "\r\n"
    }

    /// With a body of a length, and no media type.
    pub(crate) fn body(self, body: &str) -> String {
        let length = format!("Content-Length: {}", body.len());
        self.line(&length).end() + body
    }

    /// With a chunked body of one chunk.
    pub(crate) fn chunked(self, body: &str) -> String {
        let head = self.line("Transfer-Encoding: chunked").end();
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: &serde_json::Value) -> String {
        self.line("Content-Type: application/json")
            .body(&body.to_string())
    }

    /// With the body of a form.
    pub(crate) fn form(self, body: &str) -> String {
        self.line("Content-Type: application/x-www-form-urlencoded")
            .body(body)
    }
}
