//! What is tested: where it listens, and how a connection is made to it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, StreamOwned};

/// Whose certificates are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Those that the system trusts.
    System,
    /// Those in this PEM file, and no other.
    File(&'a Path),
    /// Any at all.
    Anything,
}

/// Why there is nothing to test.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not an address of a server.
    #[error(
        "{0:?} is no target: write http://HOST:PORT or https://HOST:PORT, without a path (--path names one)"
    )]
    Url(String),
    /// Not a host name.
    #[error("{0:?} is no host name")]
    Host(String),
    /// No such name.
    #[error("{host} cannot be looked up: {why}")]
    Lookup {
        /// The name.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The trusted certificates cannot be read.
    #[error("the trusted certificates cannot be read: {0}; --cacert names a PEM file")]
    Certificates(String),
}

/// A server by its address.
#[derive(Debug)]
pub struct Target {
    url: String,
    /// In the order in which they are tried.
    addrs: Vec<SocketAddr>,
    authority: String,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Target {
    /// Reads an address and looks its name up. `host` stands in for its host name in `Host` and in TLS.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn find(url: &str, host: Option<&str>, trust: Trust<'_>) -> Result<Self, TargetError> {
        let not_one = || TargetError::Url(url.to_owned());
        let uri: http::Uri = url.parse().map_err(|_| not_one())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(not_one()),
        };
        let authority = uri.authority().ok_or_else(not_one)?;
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        if rest != "/" || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(not_one());
        }
        let named = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let host = host.unwrap_or_else(|| authority.as_str());
        let only_name = host
            .parse::<http::uri::Authority>()
            .map_err(|_| TargetError::Host(host.to_owned()))?;
        let tls = if secure {
            let name = only_name
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']');
            Some(Tls::new(name, trust)?)
        } else {
            None
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            addrs: look_up(named, port)?,
            authority: host.to_owned(),
            tls,
        })
    }

    /// As it was written.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What `Host` says.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// It is this machine.
    pub fn is_loopback(&self) -> bool {
        self.addrs
            .iter()
            .all(|addr| addr.ip().to_canonical().is_loopback())
    }

    /// It speaks TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection that speaks HTTP/1.1, on which no read or write takes longer than `patience`.
    pub(super) fn connect(&self, patience: Duration) -> io::Result<Stream> {
        self.open(patience, |tls| &tls.http1)
    }

    /// A connection that speaks HTTP/2; `None` where the server does not offer it.
    pub(super) fn connect_http2(&self, patience: Duration) -> io::Result<Option<Stream>> {
        if self.tls.is_none() {
            return Ok(None);
        }
        let stream = match self.open(patience, |tls| &tls.http2) {
            Ok(stream) => stream,
            // RFC 7301 §3.2: a server that has no protocol in common with us says so with an alert.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(stream.speaks(b"h2").then_some(stream))
    }

    fn open(
        &self,
        patience: Duration,
        protocol: impl Fn(&Tls) -> &Arc<ClientConfig>,
    ) -> io::Result<Stream> {
        let mut socket = self.reach(patience)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(socket));
        };
        let config = Arc::clone(protocol(tls));
        let mut session =
            ClientConnection::new(config, tls.name.clone()).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    /// Connects to the first address that takes the connection.
    fn reach(&self, patience: Duration) -> io::Result<TcpStream> {
        let mut failed = io::Error::other("it has no address");
        for addr in &self.addrs {
            match TcpStream::connect_timeout(addr, patience) {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, TargetError> {
    let failed = |why: String| TargetError::Lookup {
        host: host.to_owned(),
        why,
    };
    let addrs = (host, port).to_socket_addrs();
    let addrs: Vec<SocketAddr> = addrs.map_err(|e| failed(e.to_string()))?.collect();
    if addrs.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    Ok(addrs)
}

impl Tls {
    fn new(name: &str, trust: Trust<'_>) -> Result<Self, TargetError> {
        // The provider that the gateway itself serves with.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| TargetError::Certificates(e.to_string()))?;
        let mut config = match trust {
            Trust::Anything => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Believing(provider)))
                .with_no_client_auth(),
            Trust::System => builder
                .with_root_certificates(system_roots()?)
                .with_no_client_auth(),
            Trust::File(path) => builder
                .with_root_certificates(roots_in(path)?)
                .with_no_client_auth(),
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TargetError::Host(name.to_owned()))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let http2 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            name,
            http1: Arc::new(config),
            http2,
        })
    }
}

fn system_roots() -> Result<RootCertStore, TargetError> {
    let found = rustls_native_certs::load_native_certs()
        .map_err(|e| TargetError::Certificates(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    // A system's store may hold one that no longer parses; it then vouches for nobody.
    roots.add_parsable_certificates(found);
    Ok(roots)
}

fn roots_in(path: &Path) -> Result<RootCertStore, TargetError> {
    let failed = |why: String| TargetError::Certificates(format!("{}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))? {
        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Believes any certificate whose key signed the handshake: what is tested is not who the server is.
#[derive(Debug)]
struct Believing(Arc<CryptoProvider>);

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// No read takes longer than this.
    pub(super) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.sock,
        };
        // Zero would mean for ever.
        socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))
    }

    fn speaks(&self, protocol: &[u8]) -> bool {
        matches!(self, Self::Tls(tls) if tls.conn.alpn_protocol() == Some(protocol))
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_server_and_nothing_else() {
        for (url, authority, loopback) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080", true),
            ("https://[::1]:8443", "[::1]:8443", true),
            ("http://192.0.2.1", "192.0.2.1", false),
        ] {
            let target = Target::find(url, None, Trust::Anything).expect(url);
            assert_eq!(target.authority(), authority);
            assert_eq!(target.is_loopback(), loopback, "{url}");
        }
        for url in [
            "127.0.0.1:8080",
            "ftp://127.0.0.1",
            "http://127.0.0.1:8080/tasks/",
            "http://127.0.0.1:8080/?a",
            "http://admin:admin@127.0.0.1:8080",
            "http://",
            "",
        ] {
            let refused = Target::find(url, None, Trust::Anything).map(|_| ());
            assert!(
                matches!(refused, Err(TargetError::Url(_))),
                "{url}: {refused:?}"
            );
        }
    }

    #[test]
    fn another_host_name_changes_what_is_said_and_not_where_it_goes() {
        let target = Target::find(
            "http://127.0.0.1:8080",
            Some("tasks.example.com"),
            Trust::Anything,
        );
        let target = target.expect("a target");
        assert_eq!(target.authority(), "tasks.example.com");
        assert!(target.is_loopback());
        let refused = Target::find("http://127.0.0.1:8080", Some("a b"), Trust::Anything);
        assert!(matches!(refused, Err(TargetError::Host(_))));
    }
}
