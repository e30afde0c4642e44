//! A Pingora proxy that forwards and does nothing else: no filter, no policy, no log.
//!
//!     bench-bare LISTEN UPSTREAM THREADS

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::prelude::{HttpPeer, Server};
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _ctx: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, threads] = words.as_slice() else {
        return Err("usage: bench-bare LISTEN UPSTREAM THREADS".into());
    };
    let conf = ServerConf {
        threads: threads.parse()?,
        // As in the gateway: a connection stays on its thread.
        work_stealing: false,
        // A stop has nothing to finish here.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let bare = Bare {
        upstream: upstream.parse()?,
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let app = http_proxy(&server.configuration, bare);
    let mut service = Service::new("bare".to_owned(), app);
    // The buffers of the gateway's own listener.
    let buffers = L4BufferSettings::new(0, 4096);
    service.add_listener(ListenerConfig::tcp(listen.clone()).l4_buffer(buffers));
    server.add_service(service);
    server.run_forever()
}
