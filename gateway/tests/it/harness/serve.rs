//! A Pingora application on a real socket within the test's own runtime.

use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use pingora::apps::ServerApp;
use pingora::server::Fds;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running application; told to stop when dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Serving {
    /// Serves `app` on a free port. Connections wait in the backlog until the service accepts.
    pub(crate) fn start(app: impl ServerApp + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        listener.set_nonblocking(true).expect("non-blocking");
        let addr = listener.local_addr().expect("an address");
        // Pingora takes an open listener out of this table where the address is the same.
        let mut fds = Fds::new();
        fds.add(addr.to_string(), listener.into_raw_fd());
        let fds = Arc::new(parking_lot::Mutex::new(fds));
        let mut service = Service::new("under test".to_owned(), app);
        service.add_tcp(&addr.to_string());
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(async move {
            service.start_service(Some(fds), stopped, 1).await;
        });
        Self { addr, stop, ended }
    }

    /// Says stop, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
        self.ended.abort();
    }
}
