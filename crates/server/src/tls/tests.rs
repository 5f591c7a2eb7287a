//! The authority over starts, names and time; clients are rustls with nothing but `ca.pem`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn names(more: &[&str]) -> Names {
    let mut names = Names::default();
    for name in more {
        names.add(name).unwrap();
    }
    names
}

fn start(data: &Path, more: &[&str], now: SystemTime) -> Tls {
    Tls::with_authority(&DataFolder::open(data).unwrap(), names(more), now).unwrap()
}

fn served(tls: &Tls) -> CertificateDer<'static> {
    tls.0.served.0.read().unwrap().cert[0].clone()
}

/// What a client says that trusts this PEM and asks for this name at this time.
fn judge(trusted: &[u8], certificate: &CertificateDer<'_>, name: &str, at: SystemTime) -> Result<(), Error> {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted).unwrap()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let name = ServerName::try_from(name).unwrap();
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    verifier.build().unwrap().verify_server_cert(certificate, &[], &name, &[], at).map(|_| ())
}

#[test]
fn an_authority_is_made_once_and_each_start_has_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = start(&data, &[], now());
    assert!(first.is_authority_new());
    let trusted = fs::read(first.authority_file().unwrap()).unwrap();
    let again = start(&data, &[], now() + 30 * DAY);
    assert!(!again.is_authority_new());
    assert_eq!(fs::read(data.join(AUTHORITY_FILE)).unwrap(), trusted);
    assert_ne!(served(&first), served(&again));
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys/authority.pk8"), mode("ca.pem")), (0o600, 0o644));
    for name in STANDS_IN_FOR.into_iter().chain(["localhost", "127.0.0.1", "::1"]) {
        judge(&trusted, &served(&again), name, now() + 30 * DAY).unwrap();
    }
    let other = judge(&trusted, &served(&again), "evil.example", now() + 30 * DAY);
    assert!(matches!(other, Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))));
    let late = judge(&trusted, &served(&first), "localhost", now() + 8 * DAY);
    assert!(matches!(late, Err(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))));
}

#[test]
fn the_authority_speaks_for_no_name_but_ours() {
    let folder = tempfile::tempdir().unwrap();
    let tls = start(folder.path(), &[], now());
    let Source::Authority { authority, .. } = &tls.0.source else { panic!("our own authority") };
    for foreign in ["evil.example", "microsoft.com", "192.0.2.1", "::2"] {
        let refused = authority.issue(&names(&[foreign]), now()).unwrap_err();
        assert!(refused.to_string().contains("NameConstraintViolation"), "{foreign}: {refused}");
    }
}

#[test]
fn a_new_name_needs_a_new_certificate_of_the_authority_and_one_name_less_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), &["ringback.lan"], now());
    let before = fs::read(first.authority_file().unwrap()).unwrap();
    assert!(!start(folder.path(), &[], now()).is_authority_new());
    let grown = start(folder.path(), &["ringback.lan", "10.1.2.3"], now());
    assert!(grown.is_authority_new());
    let after = fs::read(grown.authority_file().unwrap()).unwrap();
    judge(&after, &served(&grown), "10.1.2.3", now()).unwrap();
    assert!(judge(&before, &served(&grown), "ringback.lan", now()).is_err(), "it was not allowed to say so");
}

#[test]
fn an_authority_whose_end_is_near_is_replaced_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path(), &[], now()));
    assert!(!start(folder.path(), &[], now() + 3_500 * DAY).is_authority_new());
    assert!(start(folder.path(), &[], now() + 3_600 * DAY).is_authority_new());
    assert!(!start(folder.path(), &[], now() + 3_600 * DAY).is_authority_new());
}

#[test]
fn a_lost_or_foreign_certificate_is_made_again_and_a_damaged_key_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop((start(folder.path(), &[], now()), start(other.path(), &[], now())));
    fs::copy(other.path().join(AUTHORITY_FILE), folder.path().join(AUTHORITY_FILE)).unwrap();
    let again = start(folder.path(), &[], now());
    assert!(again.is_authority_new());
    judge(&fs::read(folder.path().join(AUTHORITY_FILE)).unwrap(), &served(&again), "localhost", now()).unwrap();
    fs::write(folder.path().join(AUTHORITY_FILE), "-----BEGIN NONSENSE").unwrap();
    assert!(start(folder.path(), &[], now()).is_authority_new());
    let key = folder.path().join("keys/authority.pk8");
    fs::write(&key, "no key").unwrap();
    let open = || Tls::with_authority(&DataFolder::open(folder.path()).unwrap(), Names::default(), now());
    assert!(matches!(open(), Err(TlsError::Damaged(path)) if path == key));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(), Err(TlsError::DataFolder(DataFolderError::Exposed(path))) if path == key));
}

#[test]
fn a_renewed_certificate_is_served_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let tls = start(folder.path(), &[], now());
    let trusted = fs::read(tls.authority_file().unwrap()).unwrap();
    let before = served(&tls);
    tls.renew(now() + 6 * DAY).unwrap();
    assert!(judge(&trusted, &before, "localhost", now() + 10 * DAY).is_err());
    judge(&trusted, &served(&tls), "localhost", now() + 10 * DAY).unwrap();
}

#[test]
fn names_are_hosts_and_addresses_and_nothing_else() {
    let names = names(&["Calls.Example.", "[2001:db8::1]", "192.0.2.7"]);
    for ours in ["calls.example", "CALLS.example", "[2001:db8::1]", "192.0.2.7", "localhost", "[::1]", "127.0.0.1"] {
        assert!(names.contains(ours), "{ours}");
    }
    for foreign in ["example", "x.calls.example", "192.0.2.8", "", "127.0.0.2"] {
        assert!(!names.contains(foreign), "{foreign}");
    }
    for bad in ["*.example", "", "a b", "https://x", "x:80"] {
        assert!(Names::default().add(bad).is_err(), "{bad}");
    }
    let mut many = Names::default();
    assert!((0..limits::CERTIFICATE_NAMES).any(|n| many.add(&format!("n{n}.example")).is_err()));
}

/// A certificate and key as an operator would have them: from another authority, in PEM files.
fn operators(folder: &Path, name: &str) -> CertificateFiles {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let write = |file: &str, label: &str, der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let path = folder.join(file);
        fs::write(&path, format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")).unwrap();
        path
    };
    let files = CertificateFiles {
        certificate: write(&format!("{name}.crt"), "CERTIFICATE", made.der()),
        key: write(&format!("{name}.key"), "PRIVATE KEY", &key.serialize_der()),
    };
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    files
}

#[test]
fn the_operators_own_certificate_is_served_and_read_again_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = operators(folder.path(), "a.example");
    let tls = Tls::with_files(files.clone()).unwrap();
    assert!(tls.authority_file().is_none() && !tls.is_authority_new());
    let before = served(&tls);
    let other = operators(folder.path(), "b.example");
    fs::copy(&other.certificate, &files.certificate).unwrap();
    let mismatch = tls.reload().unwrap_err();
    assert!(mismatch.to_string().starts_with("server.tls_key"), "{mismatch}");
    assert_eq!(served(&tls), before, "what does not fit changes nothing");
    fs::copy(&other.key, &files.key).unwrap();
    tls.reload().unwrap();
    assert_ne!(served(&tls), before);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = operators(folder.path(), "a.example");
    let said = |files: &CertificateFiles| Tls::with_files(files.clone()).err().unwrap().to_string();
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&files).ends_with("can be read by everybody: chmod 600 it"));
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
    Tls::with_files(files.clone()).unwrap();
    let swapped = CertificateFiles { certificate: files.key.clone(), key: files.key.clone() };
    assert!(said(&swapped).contains("holds no certificate in PEM form"));
    let missing = CertificateFiles { certificate: folder.path().join("none.crt"), ..files };
    assert!(said(&missing).starts_with("server.tls_certificate, ") && said(&missing).contains("none.crt"));
}
