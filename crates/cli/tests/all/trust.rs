//! `trust` on systems made for the purpose: a Debian root in a temporary folder, a Java trust store. What needs a program
//! that is not there is left out, aloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A certificate that an earlier version made; only who installs it matters here.
const PEM: &str = include_str!("authority.pem");
/// Another one, that the system trusts already.
const OTHER: &str = include_str!("other_authority.pem");

fn trust(data: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.arg("trust").args(words).arg("--data").arg(data).output().expect("the program starts")
}

fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("ca.pem"), PEM).unwrap();
    data
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a program is on the search path; if not, the test says so and is over.
fn is_there(program: &str) -> bool {
    let there = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file());
    if !there {
        eprintln!("left out: {program} is not here");
    }
    there
}

#[test]
fn it_says_which_authority_and_what_else_there_is() {
    let data = data();
    let shown = String::from_utf8(trust(data.path(), &[]).stdout).unwrap();
    for wanted in ["SHA-256", "graph.microsoft.com", "certutil -addstore", "security add-trusted-cert", "untested"] {
        assert!(shown.contains(wanted), "no {wanted} in {shown}");
    }
    let none = tempfile::tempdir().unwrap();
    let refused = trust(none.path(), &["install"]);
    assert!(!refused.status.success() && error(&refused).contains("first start"), "{}", error(&refused));
}

#[test]
fn a_debian_system_trusts_it_and_no_longer() {
    if !is_there("update-ca-certificates") {
        return;
    }
    let (data, root) = (data(), tempfile::tempdir().unwrap());
    for folder in [
        "usr/local/share/ca-certificates",
        "usr/share/ca-certificates",
        "etc/ssl/certs",
        "etc/ca-certificates/update.d",
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::write(root.path().join("etc/ca-certificates.conf"), "").unwrap();
    fs::write(root.path().join("usr/local/share/ca-certificates/other.crt"), OTHER).unwrap();
    let at = root.path().to_string_lossy().into_owned();
    let bundle = || fs::read_to_string(root.path().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    let body = PEM.lines().nth(1).unwrap();
    let early = trust(data.path(), &["remove", "--root", &at]);
    assert!(error(&early).contains("it is not installed"), "{}", error(&early));
    let installed = trust(data.path(), &["install", "--root", &at]);
    assert!(installed.status.success(), "{}", error(&installed));
    assert!(bundle().contains(body));
    let removed = trust(data.path(), &["remove", "--root", &at]);
    assert!(removed.status.success(), "{}", error(&removed));
    assert!(!bundle().contains(body));
    assert!(bundle().contains(OTHER.lines().nth(1).unwrap()), "others are trusted as before");
    let links = fs::read_dir(root.path().join("etc/ssl/certs")).unwrap().flatten();
    let left: Vec<_> = links.filter(|link| link.file_name().to_string_lossy().starts_with("ringback")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_java_store_trusts_it_and_no_longer() {
    if !is_there("keytool") {
        return;
    }
    let data = data();
    let store = data.path().join("cacerts").to_string_lossy().into_owned();
    let missing = trust(data.path(), &["install", "--java", &store]);
    assert!(error(&missing).contains("there is no trust store"), "{}", error(&missing));
    let keytool = |words: &[&str]| Command::new("keytool").args(words).output().unwrap();
    let open = ["-keystore", store.as_str(), "-storepass", "changeit"];
    let other = ["-genkeypair", "-alias", "other", "-keyalg", "EC", "-dname", "CN=other"];
    assert!(keytool(&[&other[..], &open].concat()).status.success());
    let list = || String::from_utf8(keytool(&[&["-list"][..], &open].concat()).stdout).unwrap();
    let installed = trust(data.path(), &["install", "--java", &store]);
    assert!(installed.status.success(), "{}", error(&installed));
    assert!(list().contains("ringback-"), "{}", list());
    let removed = trust(data.path(), &["remove", "--java", &store]);
    assert!(removed.status.success(), "{}", error(&removed));
    assert!(!list().contains("ringback-") && list().contains("other"), "{}", list());
}
