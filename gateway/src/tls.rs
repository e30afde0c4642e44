//! Certificates of the client listener, swapped whole when their files change.
//!
//! Invariant: a certificate that does not load, or whose key is not its own, never takes the place of one
//! that works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsFiles;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM of the kind.
    #[error("{what} {path}: {why}; it must be PEM and readable for the gateway", path = path.display())]
    File {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the reader says.
        why: String,
    },
    /// The key is not the certificate's, or of a kind that is not served.
    #[error("certificate {cert} and key {key} cannot be used together: {why}", cert = cert.display(), key = key.display())]
    Pair {
        /// Certificate file.
        cert: PathBuf,
        /// Key file.
        key: PathBuf,
        /// What the library says.
        why: String,
    },
}

/// The certificate that is shown to clients now.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            current: ArcSwap::from_pointee(read(files)?),
        })
    }

    /// Reads the files again. Connections that are open stay as they are.
    ///
    /// # Errors
    /// See [`TlsError`]; the old certificate stays.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(files)?));
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let file = |what, path: &Path, why: String| TlsError::File {
        what,
        path: path.to_owned(),
        why,
    };
    let failed = |e: rustls::pki_types::pem::Error| file("certificate", &files.cert, e.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if chain.is_empty() {
        return Err(file(
            "certificate",
            &files.cert,
            "no certificate in it".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| file("private key", &files.key, e.to_string()))?;
    // Pingora's listener speaks with this provider.
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|why| TlsError::Pair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        why: why.to_string(),
    })
}
