//! Files of certificates: whom the bot would have trusted, and Ringback's own authority.
//!
//! Each variable gets a file of its own, so that a bot which trusts few because its user said so trusts those few and
//! Ringback.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::say;
use crate::{Failure, limits};

/// A variable by which programs are told whom to trust.
struct Variable {
    name: &'static str,
    /// Whether its file adds to the public authorities, or stands for all.
    adds: bool,
    /// Variables that the same programs look at where this one is not set.
    else_from: &'static [&'static str],
}

const VARIABLES: [Variable; 7] = [
    // OpenSSL, and so Python's ssl, httpx and aiohttp, Ruby, PHP; Go; .NET; rustls-native-certs.
    Variable { name: "SSL_CERT_FILE", adds: false, else_from: &[] },
    Variable { name: "REQUESTS_CA_BUNDLE", adds: false, else_from: &["CURL_CA_BUNDLE"] },
    Variable { name: "CURL_CA_BUNDLE", adds: false, else_from: &["SSL_CERT_FILE"] },
    Variable { name: "HTTPLIB2_CA_CERTS", adds: false, else_from: &[] },
    Variable { name: "NIX_SSL_CERT_FILE", adds: false, else_from: &["SSL_CERT_FILE"] },
    Variable { name: "NODE_EXTRA_CA_CERTS", adds: true, else_from: &[] },
    Variable { name: "DENO_CERT", adds: true, else_from: &[] },
];

/// Where systems keep their public authorities in one file: Debian, Fedora, SUSE, Alpine.
const SYSTEMS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Writes the files into `folder` and gives the variables that name them. `own` is the user's environment.
pub(super) fn write(
    folder: &Path,
    authority: &Path,
    own: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<(&'static str, OsString)>, Failure> {
    let ours = fs::read_to_string(authority).map_err(|error| format!("{}: {error}", authority.display()))?;
    let system = SYSTEMS.iter().find_map(|path| certificates(Path::new(path)).ok()).unwrap_or_default();
    if system.is_empty() {
        say("this machine has no file of public authorities: the bot trusts Ringback alone, unless it brings its own");
    }
    let set = |name: &str| own(name).filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value));
    let mut variables = Vec::new();
    for variable in VARIABLES {
        let named = set(variable.name).or_else(|| variable.else_from.iter().find_map(|other| set(other)));
        let whom = match named {
            Some((name, path)) => certificates(Path::new(&path)).unwrap_or_else(|why| {
                say(&format!("{name} names {}, which is left out: {why}", PathBuf::from(path).display()));
                String::new()
            }),
            None if variable.adds => String::new(),
            None => system.clone(),
        };
        let file = folder.join(format!("{}.pem", variable.name));
        fs::write(&file, format!("{whom}{ours}")).map_err(|error| format!("{}: {error}", file.display()))?;
        variables.push((variable.name, file.into_os_string()));
    }
    Ok(variables)
}

/// Every certificate of a PEM file, or of the files of a folder (RFC 7468); what else they hold is left out.
fn certificates(path: &Path) -> Result<String, String> {
    let why = |error: std::io::Error| error.to_string();
    if !path.is_dir() {
        return Ok(blocks(&text(path).map_err(why)?));
    }
    let entries = fs::read_dir(path).map_err(why)?.take(limits::CERTIFICATE_FILES);
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // Folders hold each certificate under its own name and under the hash of its subject.
    files.sort();
    let mut blocks: Vec<String> = files.iter().filter_map(|file| Some(blocks(&text(file).ok()?))).collect();
    blocks.sort();
    blocks.dedup();
    Ok(blocks.concat())
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limits::CERTIFICATES).read_to_end(&mut bytes)?;
    // Comments in bundles are in whatever encoding; certificates are ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn blocks(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        rest = &rest[begin..];
        let Some(end) = rest.find(END) else { break };
        found.push_str(&rest[..end + END.len()]);
        found.push('\n');
        rest = &rest[end + END.len()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n")
    }

    fn written(own: &[(&str, &Path)]) -> impl Fn(&str) -> String + use<> {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        fs::write(&authority, certificate("ringback")).unwrap();
        let look = |name: &str| own.iter().find(|(own, _)| *own == name).map(|(_, path)| path.as_os_str().to_owned());
        let variables = write(folder.path(), &authority, &look).unwrap();
        move |name| {
            let kept = &folder;
            let file = &variables.iter().find(|(variable, _)| *variable == name).unwrap().1;
            assert!(Path::new(file).starts_with(kept.path()));
            fs::read_to_string(file).unwrap()
        }
    }

    #[test]
    fn what_adds_to_the_public_authorities_names_ours_alone() {
        let read = written(&[]);
        assert_eq!(read("NODE_EXTRA_CA_CERTS"), certificate("ringback"));
        assert!(read("SSL_CERT_FILE").ends_with(&certificate("ringback")));
    }

    #[test]
    fn whom_the_user_trusts_is_kept_for_the_programs_he_said_it_to() {
        let folder = tempfile::tempdir().unwrap();
        let (one, many) = (folder.path().join("corp.pem"), folder.path().join("many"));
        fs::write(&one, format!("# Société\n{}rubbish", certificate("corp"))).unwrap();
        fs::create_dir(&many).unwrap();
        for name in ["a.pem", "b.0"] {
            fs::write(many.join(name), certificate("many")).unwrap();
        }
        let read = written(&[("CURL_CA_BUNDLE", &one), ("NODE_EXTRA_CA_CERTS", &one), ("SSL_CERT_FILE", &many)]);
        let corp = certificate("corp") + &certificate("ringback");
        assert_eq!(read("CURL_CA_BUNDLE"), corp);
        assert_eq!(read("REQUESTS_CA_BUNDLE"), corp, "requests looks at CURL_CA_BUNDLE too");
        assert_eq!(read("NODE_EXTRA_CA_CERTS"), corp);
        assert_eq!(read("SSL_CERT_FILE"), certificate("many") + &certificate("ringback"), "each once");
        let nothing = written(&[("SSL_CERT_FILE", &folder.path().join("none.pem"))]);
        assert_eq!(nothing("SSL_CERT_FILE"), certificate("ringback"));
    }
}
