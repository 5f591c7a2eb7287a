//! TLS for what listens: a certificate authority of our own, made on first use, and the certificates it issues; or the
//! operator's own certificate.
//!
//! It must not know what is spoken inside TLS, nor who asks. The time of the day is told.

mod authority;
mod names;
mod operators;

pub use names::{Names, STANDS_IN_FOR};
pub use operators::{CertificateFiles, believing};

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::data_folder::{DataFolder, DataFolderError};
use crate::limits;
use authority::Authority;

/// The public certificate of the authority, in the data folder: what clients are told to trust.
pub const AUTHORITY_FILE: &str = "ca.pem";

/// Its key, in the data folder's keys.
const AUTHORITY_KEY: &str = "authority.pk8";

/// Why there is no TLS; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authority's key cannot be kept.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// The authority's key does not read.
    #[error("{} is damaged: restore it, or delete it (a new authority is made, which clients must be told to trust)", .0.display())]
    Damaged(PathBuf),
    /// A certificate could not be made, or does not hold under the authority.
    #[error("a certificate for {names} could not be made: {why}")]
    Issue {
        /// For whom.
        names: String,
        /// Why.
        why: String,
    },
    /// A file of the operator's.
    #[error("{key}, {}: {why}", path.display())]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The cryptography does not start.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The certificate that is served, now and after its renewal. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    source: Source,
    served: Arc<Served>,
}

enum Source {
    Authority { authority: Box<Authority>, names: Names, file: PathBuf, renewed: bool },
    Operator(CertificateFiles),
}

impl Tls {
    /// TLS with certificates for `names`, of the authority in the data folder, which is made if there is none. An
    /// authority that may not speak for one of the names, or whose end is near, gets a new certificate, which clients
    /// must be told to trust.
    pub fn with_authority(data: &DataFolder, names: Names, now: SystemTime) -> Result<Tls, TlsError> {
        let key = data.key(AUTHORITY_KEY, authority::make_key)?;
        let file = data.path().join(AUTHORITY_FILE);
        let known = std::fs::read(&file).ok();
        let key = authority::read_key(&key).ok_or_else(|| TlsError::Damaged(data.key_path(AUTHORITY_KEY)))?;
        let authority = Authority::open(key, known.as_deref(), &names, now)?;
        let pem = authority.pem();
        let renewed = known.as_deref() != Some(pem.as_bytes());
        if renewed {
            data.publish(AUTHORITY_FILE, pem.as_bytes())?;
        }
        let served = Served::new(authority.issue(&names, now)?);
        Ok(Tls(Arc::new(Inner {
            source: Source::Authority { authority: Box::new(authority), names, file, renewed },
            served,
        })))
    }

    /// TLS with the operator's own certificate.
    pub fn with_files(files: CertificateFiles) -> Result<Tls, TlsError> {
        let served = Served::new(files.read()?);
        Ok(Tls(Arc::new(Inner { source: Source::Operator(files), served })))
    }

    /// What a listener needs, for protocols that name themselves so in ALPN (RFC 7301); none: the client's ALPN is not
    /// looked at. TLS 1.2 and 1.3, no client certificates.
    pub fn server_config(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let served: Arc<dyn ResolvesServerCert> = Arc::clone(&self.0.served) as _;
        let mut config = builder.with_cert_resolver(served);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Where the authority's public certificate lies; none: the operator's own certificate is served.
    pub fn authority_file(&self) -> Option<&PathBuf> {
        match &self.0.source {
            Source::Authority { file, .. } => Some(file),
            Source::Operator(_) => None,
        }
    }

    /// This start made or changed the authority's certificate: clients must be told to trust it.
    pub fn is_authority_new(&self) -> bool {
        matches!(self.0.source, Source::Authority { renewed: true, .. })
    }

    /// Reads the operator's files again. What does not read changes nothing.
    pub fn reload(&self) -> Result<(), TlsError> {
        match &self.0.source {
            Source::Authority { .. } => Ok(()),
            Source::Operator(files) => {
                self.0.served.replace(files.read()?);
                Ok(())
            }
        }
    }

    /// A new certificate from the authority; connections that are up keep theirs.
    fn renew(&self, now: SystemTime) -> Result<(), TlsError> {
        if let Source::Authority { authority, names, .. } = &self.0.source {
            self.0.served.replace(authority.issue(names, now)?);
        }
        Ok(())
    }

    /// Renews the certificate before it expires, for ever. Looks often, since a machine that slept wakes up late.
    pub async fn renew_for_ever(self) {
        let mut made = SystemTime::now();
        loop {
            tokio::time::sleep(limits::CERTIFICATE_LOOK).await;
            let now = SystemTime::now();
            // A clock that was set back counts as old too.
            if now.duration_since(made).is_ok_and(|age| age < limits::CERTIFICATE_RENEWED) {
                continue;
            }
            match self.renew(now) {
                Ok(()) => made = now,
                Err(error) => tracing::error!(%error, "the certificate was not renewed; it is tried again"),
            }
        }
    }
}

/// The one certificate, whatever name the client asks for: one that asks for another name says so itself, in words.
#[derive(Debug)]
struct Served(RwLock<Arc<CertifiedKey>>);

impl Served {
    fn new(key: CertifiedKey) -> Arc<Served> {
        Arc::new(Served(RwLock::new(Arc::new(key))))
    }

    fn replace(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests;
