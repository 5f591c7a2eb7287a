//! The authority: a key that stays in the data folder, and a certificate that may speak for our names and no others
//! (RFC 5280 §4.2.1.10), so that a machine that trusts it risks nothing else. Its certificates live for days, with keys
//! that are never written down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error as RustlsError, RootCertStore};

use super::{Names, TlsError};
use crate::data_folder::DataFolderError;
use crate::limits;

/// The authority, able to issue.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A new key for an authority, as PKCS#8.
pub(super) fn make_key() -> Result<Vec<u8>, DataFolderError> {
    Ok(KeyPair::generate().map_err(|_| DataFolderError::Random)?.serialize_der())
}

/// Reads such a key.
pub(super) fn read_key(pkcs8: &[u8]) -> Option<KeyPair> {
    KeyPair::try_from(pkcs8).ok()
}

impl Authority {
    /// The authority of this key with the certificate that clients know, if that holds for these names now and for a
    /// good while; with a new one otherwise.
    pub(super) fn open(
        key: KeyPair,
        known: Option<&[u8]>,
        names: &Names,
        now: SystemTime,
    ) -> Result<Authority, TlsError> {
        let params = parameters(&key, names, now)?;
        let fresh = params.self_signed(&key).map_err(|error| cannot(names, &error))?.der().clone();
        let issuer = Issuer::new(params, key);
        let known = known.and_then(|pem| CertificateDer::from_pem_slice(pem).ok());
        let Some(known) = known else { return Ok(Authority { issuer, certificate: fresh }) };
        let known = Authority { issuer, certificate: known };
        match known.issue(names, now).and_then(|_| known.issue(names, now + limits::AUTHORITY_SPARE)) {
            Ok(_) => Ok(known),
            Err(why) => {
                tracing::warn!(%why, "the authority's certificate is replaced");
                Ok(Authority { certificate: fresh, ..known })
            }
        }
    }

    /// The public certificate, as PEM (RFC 7468).
    pub(super) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for start in (0..text.len()).step_by(64) {
            pem.push_str(&text[start..text.len().min(start + 64)]);
            pem.push('\n');
        }
        pem + "-----END CERTIFICATE-----\n"
    }

    /// A certificate for all these names, good from now on, with a key of its own; checked as a client would.
    pub(super) fn issue(&self, names: &Names, now: SystemTime) -> Result<CertifiedKey, TlsError> {
        let key = KeyPair::generate().map_err(|error| cannot(names, &error))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("Ringback");
        params.serial_number = Some(serial()?);
        params.not_before = (now - limits::CERTIFICATE_BACKDATED).into();
        params.not_after = (now + limits::CERTIFICATE_LIFE).into();
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for host in names.hosts() {
            let host = host.to_owned().try_into().map_err(|error| cannot(names, &error))?;
            params.subject_alt_names.push(SanType::DnsName(host));
        }
        params.subject_alt_names.extend(names.addresses().map(SanType::IpAddress));
        let made = params.signed_by(&key, &self.issuer).map_err(|error| cannot(names, &error))?;
        self.check(made.der(), names, now)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok(CertifiedKey::from_der(vec![made.der().clone()], key, &default_provider())?)
    }

    /// What a client does that trusts the authority's certificate.
    fn check(&self, made: &CertificateDer<'_>, names: &Names, now: SystemTime) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        let verifier = verifier.build().map_err(|error| cannot(names, &error))?;
        let at = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO));
        let verify = |certificate: &CertificateDer<'_>, name: ServerName<'static>| {
            verifier.verify_server_cert(certificate, &[], &name, &[], at)
        };
        for host in names.hosts() {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| cannot(names, &error))?;
            verify(made, name)?;
        }
        for address in names.addresses() {
            verify(made, ServerName::IpAddress(address.into()))?;
        }
        // The verifier trusts a root whatever its dates; other clients look at them. Shown the root as if it were a
        // server's, it speaks of its dates before it says that it is none.
        let root = verify(&self.certificate, ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into()));
        match root {
            Err(RustlsError::InvalidCertificate(
                why @ (CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. }),
            )) => Err(RustlsError::InvalidCertificate(why).into()),
            _ => Ok(()),
        }
    }
}

/// What the authority's own certificate says. The name follows from the key, so that two authorities are told apart.
fn parameters(key: &KeyPair, names: &Names, now: SystemTime) -> Result<CertificateParams, TlsError> {
    let mark: String = digest(&SHA256, key.public_key_raw()).as_ref()[..4].iter().map(|b| format!("{b:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("Ringback authority {mark}"));
    params.serial_number = Some(serial()?);
    params.not_before = (now - limits::CERTIFICATE_BACKDATED).into();
    params.not_after = (now + limits::AUTHORITY_LIFE).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let hosts = names.hosts().map(|host| GeneralSubtree::DnsName(host.to_owned()));
    let addresses = names.addresses().map(|address| GeneralSubtree::IpAddress(subnet(address)));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: hosts.chain(addresses).collect(), excluded_subtrees: Vec::new() });
    Ok(params)
}

/// All of loopback, or the one address.
fn subnet(address: IpAddr) -> CidrSubnet {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8),
        IpAddr::V4(_) => CidrSubnet::from_addr_prefix(address, 32),
        IpAddr::V6(_) => CidrSubnet::from_addr_prefix(address, 128),
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// 127 random bits: positive, and never 0 (RFC 5280 §4.1.2.2).
fn serial() -> Result<SerialNumber, DataFolderError> {
    let mut random = [0; 16];
    rand::fill(&mut random).map_err(|_| DataFolderError::Random)?;
    random[0] = random[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&random))
}

fn cannot(names: &Names, why: &dyn std::fmt::Display) -> TlsError {
    TlsError::Issue { names: names.to_string(), why: why.to_string() }
}
