//! A client that writes bytes and reads answers, one connection at a time. It
//! refuses any answer with a header that is not on the list.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

const ALLOWED_HEADERS: &[&str] = &[
    "allow",
    "connection",
    "content-length",
    "content-type",
    "date",
    "location",
    "retry-after",
    "vary",
    "www-authenticate",
    "x-frame-options",
];

pub(crate) const SIGNED_IN: &str = "X-Auth-Status: authenticated\r\nX-Auth-User-Id: 1\r\n";

#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(sent, _)| sent == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is sent twice: {self:?}");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn id(&self) -> u64 {
        self.json()["id"].as_u64().unwrap()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends one request; a body is JSON unless `headers` say otherwise.
    pub(crate) fn ask(&mut self, line: &str, headers: &str, body: &str) -> Reply {
        self.write(request(line, headers, body)).unwrap();
        let head = line.starts_with("HEAD ");
        self.read(head).unwrap()
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.ask(&format!("GET {path}"), "", "")
    }

    pub(crate) fn create(&mut self, title: &str) -> Reply {
        self.ask("POST /tasks/", SIGNED_IN, &task(title))
    }

    /// Reads one answer.
    pub(crate) fn read(&mut self, head: bool) -> io::Result<Reply> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            assert!(ALLOWED_HEADERS.contains(&name), "{line}");
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: String::new(),
        };
        let length = reply
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        if !head {
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body)?;
            reply.body = String::from_utf8(body).unwrap();
        }
        Ok(reply)
    }

    /// Waits until the service closes the connection.
    pub(crate) fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(String::from_utf8_lossy(&rest), ""),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches("\r\n").to_owned())
    }
}

pub(crate) fn request(line: &str, headers: &str, body: &str) -> String {
    let content_type = if headers.contains("Content-Type") || body.is_empty() {
        ""
    } else {
        "Content-Type: application/json\r\n"
    };
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!("{line} HTTP/1.1\r\nHost: tasks.example\r\n{headers}{content_type}{length}\r\n{body}")
}

pub(crate) fn task(title: &str) -> String {
    format!(r#"{{"title":"{title}","due_to":"2016-10-18T19:12:01Z","person":1}}"#)
}

pub(crate) fn person(id: u64, name: &str) -> String {
    format!(r#"{{"id":{id},"username":"{name}","email":"{name}@example.com","active":true}}"#)
}
