//! A certificate that the operator got elsewhere: two PEM files, read at the start and whenever they are told to have
//! changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use super::TlsError;

/// `server.tls_certificate` and `server.tls_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that lead to its root: PEM.
    pub certificate: PathBuf,
    /// Its key: PEM, readable by owner and group at most.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// Reads both; the key must be the certificate's.
    pub(super) fn read(&self) -> Result<CertifiedKey, TlsError> {
        let bad = |key, path: &Path, why: String| TlsError::File { key, path: path.to_owned(), why };
        let certificate = |why| bad("server.tls_certificate", &self.certificate, why);
        let key = |why| bad("server.tls_key", &self.key, why);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect);
        let chain = chain.map_err(|error| certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(certificate("holds no certificate in PEM form".into()));
        }
        let mode = std::fs::metadata(&self.key).map_err(|error| key(error.to_string()))?.mode();
        if mode & 0o007 != 0 {
            return Err(key("can be read by everybody: chmod 600 it".into()));
        }
        let pair = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| key(error.to_string()))?;
        CertifiedKey::from_der(chain, pair, &default_provider())
            .map_err(|error| key(format!("is not a usable key of the certificate: {error}")))
    }
}

/// A client that believes the authorities in a PEM file, named by `key` of the configuration.
pub fn believing(key: &'static str, path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let bad = |why: String| TlsError::File { key, path: path.to_owned(), why };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let mut roots = RootCertStore::empty();
    for certificate in found.map_err(|error| bad(error.to_string()))? {
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("holds no certificate in PEM form".into()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
