//! hyper, as a service that honours method overrides. Usage: `reader_hyper RECORD`

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

const HEADERS: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// The file, and how many requests stand in it.
type Record = Arc<Mutex<(File, u64)>>;

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn override_of(headers: &HeaderMap, query: &str) -> Option<String> {
    let named = HEADERS
        .iter()
        .find_map(|name| headers.get(*name))
        .map(|value| latin1(value.as_bytes()));
    named.or_else(|| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "_method")
            .map(|(_, value)| value.into_owned())
    })
}

async fn serve(request: Request<Incoming>, record: Record) -> io::Result<Response<Empty<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let method = head.method.to_string();
    let named = override_of(&head.headers, head.uri.query().unwrap_or_default());
    let effective = named.filter(|name| !name.is_empty());
    let headers: Vec<(&str, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), latin1(value.as_bytes())))
        .collect();
    let number = {
        let mut record = record.lock().map_err(|e| io::Error::other(e.to_string()))?;
        record.1 += 1;
        let seen = json!({
            "id": record.1,
            "effective": effective.unwrap_or_else(|| method.clone()).trim().to_uppercase(),
            "method": method,
            "target": head.uri.to_string(),
            "headers": headers,
            "body": latin1(body.as_deref().unwrap_or_default()),
            "whole": body.is_ok(),
        });
        writeln!(record.0, "{seen}")?;
        record.1
    };
    Response::builder()
        .header("x-read", number)
        .header("content-length", 0)
        .body(Empty::new())
        .map_err(io::Error::other)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let path = std::env::args()
        .nth(1)
        .ok_or_else(|| io::Error::other("usage: reader_hyper RECORD"))?;
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let record = Arc::new(Mutex::new((file, 0)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let record = Arc::clone(&record);
        let service = service_fn(move |request| serve(request, Arc::clone(&record)));
        tokio::spawn(async move {
            // A client that goes away in mid-request is not the server's failure.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
