//! `trust`: has this machine, or a Java runtime, trust the certificate authority of a data folder, by hand and until it
//! is removed. `run` needs none of it: this is for programs that heed no variable.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use clap::Subcommand;
use ringback_server::tls::{AUTHORITY_FILE, STANDS_IN_FOR};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::Failure;

/// Options of `trust`.
#[derive(clap::Args, Debug)]
pub(crate) struct Trust {
    /// The data folder whose authority is meant.
    #[arg(long, default_value = "ringback-data", value_name = "DIR", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Say which authority it is, and how each system is told to trust it. So does `trust` alone.
    Show,
    /// Have it trusted, by the system (as root) or by a Java runtime.
    Install(Store),
    /// Have it trusted no longer.
    Remove(Store),
}

/// Who is to trust it.
#[derive(clap::Args, Debug)]
struct Store {
    /// A Java trust store, such as `$JAVA_HOME/lib/security/cacerts`, in place of the system's.
    #[arg(long, value_name = "KEYSTORE")]
    java: Option<PathBuf>,
    /// Its password.
    #[arg(long, default_value = "changeit", value_name = "PASSWORD", requires = "java")]
    password: String,
    /// The system under this folder, such as a container's image, in place of the one that runs.
    #[arg(long, default_value = "/", value_name = "DIR", conflicts_with = "java")]
    root: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: Trust) -> Result<(), Failure> {
    let authority = Authority::read(&args.data)?;
    match args.what {
        None | Some(What::Show) => {
            print!("{}", authority.shown());
            Ok(())
        }
        Some(What::Install(store)) => store.install(&authority),
        Some(What::Remove(store)) => store.remove(&authority),
    }
}

/// The authority of a data folder.
struct Authority {
    file: PathBuf,
    pem: Vec<u8>,
    /// SHA-256 of the certificate.
    fingerprint: String,
}

impl Authority {
    fn read(data: &Path) -> Result<Authority, Failure> {
        let file = data.join(AUTHORITY_FILE);
        let pem = fs::read(&file).map_err(|error| {
            format!("{}: {error}. It is made at the first start of a server with this data folder", file.display())
        })?;
        let certificate = CertificateDer::from_pem_slice(&pem)
            .map_err(|_| format!("{} is no certificate: start the server, which makes it again", file.display()))?;
        let mut fingerprint = String::new();
        for byte in digest(&SHA256, &certificate).as_ref() {
            write!(fingerprint, "{byte:02x}")?;
        }
        Ok(Authority { file: file.canonicalize()?, pem, fingerprint })
    }

    /// What it is called in stores: authorities of several data folders do not get into each other's way.
    fn name(&self) -> String {
        format!("ringback-{}", &self.fingerprint[..8])
    }

    fn shown(&self) -> String {
        let (file, name) = (self.file.display(), self.name());
        format!(
            "The authority of this data folder: {file}
  SHA-256     {fingerprint}
  speaks for  localhost, loopback, {hosts}, and what the configuration names; for no other name
Who trusts it trusts whoever has keys/authority.pk8 with these names. `ringback run` needs none of this.
  Debian, Ubuntu, Fedora (as root)   ringback trust install
  Java                               ringback trust install --java \"$JAVA_HOME/lib/security/cacerts\"
  .NET on Linux                      the system's, as above, or SSL_CERT_FILE
  Windows (untested)                 certutil -addstore -user Root \"{file}\"
                                     certutil -delstore -user Root \"Ringback authority …\"
  macOS (untested)                   security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db \
             \"{file}\"
                                     security delete-certificate -Z {fingerprint}
  Firefox, Chromium on Linux         certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n {name} -i \"{file}\"
  (untested)                         certutil -d sql:$HOME/.pki/nssdb -D -n {name}
",
            fingerprint = self.fingerprint,
            hosts = STANDS_IN_FOR.join(", "),
        )
    }
}

/// A system's own store: where files are put, and the program that takes them up.
struct System {
    folder: &'static str,
    program: &'static str,
}

const DEBIAN: System = System { folder: "usr/local/share/ca-certificates", program: "update-ca-certificates" };
const FEDORA: System = System { folder: "etc/pki/ca-trust/source/anchors", program: "update-ca-trust" };

impl Store {
    fn install(&self, authority: &Authority) -> Result<(), Failure> {
        let name = authority.name();
        if let Some(keystore) = &self.java {
            let file = authority.file.to_string_lossy();
            self.keytool(keystore, &["-importcert", "-noprompt", "-trustcacerts", "-alias", &name, "-file", &file])?;
            eprintln!("{} trusts it as {name}: Java programs that start from now on", keystore.display());
            return Ok(());
        }
        let (system, file) = self.system(&name)?;
        fs::create_dir_all(file.parent().unwrap_or(&self.root)).map_err(|error| self.cannot(&file, &error))?;
        fs::write(&file, &authority.pem).map_err(|error| self.cannot(&file, &error))?;
        self.take_up(system)?;
        eprintln!("the system trusts it, from {}", file.display());
        Ok(())
    }

    fn remove(&self, authority: &Authority) -> Result<(), Failure> {
        let name = authority.name();
        if let Some(keystore) = &self.java {
            self.keytool(keystore, &["-delete", "-alias", &name])?;
            eprintln!("{} trusts it no longer", keystore.display());
            return Ok(());
        }
        let (system, file) = self.system(&name)?;
        if !file.exists() {
            return Err(format!("it is not installed: there is no {}", file.display()).into());
        }
        fs::remove_file(&file).map_err(|error| self.cannot(&file, &error))?;
        self.take_up(system)?;
        eprintln!("the system trusts it no longer");
        Ok(())
    }

    /// Which kind of system it is, and where the authority's file is in it.
    fn system(&self, name: &str) -> Result<(System, PathBuf), Failure> {
        for system in [DEBIAN, FEDORA] {
            let folder = self.root.join(system.folder);
            let is_it = ["usr/sbin", "usr/bin"].iter().any(|bin| self.root.join(bin).join(system.program).exists());
            if is_it || folder.exists() {
                let file = folder.join(format!("{name}.crt"));
                return Ok((system, file));
            }
        }
        Err("this system has neither update-ca-certificates (Debian's package ca-certificates) nor update-ca-trust: \
             `ringback trust` says what else there is"
            .into())
    }

    /// Has the system read its folder again.
    fn take_up(&self, system: System) -> Result<(), Failure> {
        let mut command = Command::new(system.program);
        if self.root != Path::new("/") {
            if system.program != DEBIAN.program {
                return Err("--root is for systems with update-ca-certificates alone".into());
            }
            for (option, place) in [
                ("--certsconf", "etc/ca-certificates.conf"),
                ("--certsdir", "usr/share/ca-certificates"),
                ("--localcertsdir", DEBIAN.folder),
                ("--etccertsdir", "etc/ssl/certs"),
                ("--hooksdir", "etc/ca-certificates/update.d"),
            ] {
                command.arg(option).arg(self.root.join(place));
            }
        }
        // Links to what is gone are left behind otherwise.
        if system.program == DEBIAN.program {
            command.arg("--fresh");
        }
        done(&mut command)
    }

    fn keytool(&self, keystore: &Path, words: &[&str]) -> Result<(), Failure> {
        if !keystore.exists() {
            return Err(format!("there is no trust store {}", keystore.display()).into());
        }
        let mut command = Command::new("keytool");
        done(command.args(words).arg("-keystore").arg(keystore).args(["-storepass", &self.password]))
    }

    fn cannot(&self, file: &Path, error: &std::io::Error) -> Failure {
        let advice = if error.kind() == std::io::ErrorKind::PermissionDenied { ": do it as root" } else { "" };
        format!("{}: {error}{advice}", file.display()).into()
    }
}

/// Runs another's program; its own words are shown only where it fails.
fn done(command: &mut Command) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program} failed: {}", String::from_utf8_lossy(&said).trim()).into())
}
