//! The data folder: one process's own place on disk, with the secrets that are made on first use.
//!
//! It knows files and their modes, and neither what is signed nor what else is stored there.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const LOCK: &str = "ringback.lock";
const OPERATOR_TOKEN: &str = "operator.token";
const KEYS: &str = "keys";
const SIGNING_KEY: &str = "signing.pk8";
const RECORDINGS_KEY: &str = "recordings.key";
const RECORDINGS: &str = "recordings";
/// No secret of ours is longer than this.
const LONGEST_SECRET: u64 = 16 * 1024;

/// Why the data folder cannot be used; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// A file or folder cannot be made, read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("{} is in use by another ringback process: stop it, or give another folder with --data", .0.display())]
    InUse(PathBuf),
    /// The folder holds somebody else's files.
    #[error("{} is not empty and not a data folder: give an empty or new one with --data", .0.display())]
    NotOurs(PathBuf),
    /// A secret that others may read is no secret.
    #[error("{} can be read by others: delete it (a new one is made at the next start), or chmod 600 it", .0.display())]
    Exposed(PathBuf),
    /// A secret that does not read.
    #[error("{} is damaged: restore it, or delete it (a new one is made at the next start)", .0.display())]
    Damaged(PathBuf),
    /// The system gave no random bytes, or no key could be made of them.
    #[error("the system's source of random bytes failed")]
    Random,
}

/// The open data folder. Held as long as the process uses it: the lock goes with it.
pub struct DataFolder {
    path: PathBuf,
    operator_token: String,
    _lock: File,
}

impl DataFolder {
    /// Opens or makes the folder (mode 0700), takes its lock, and reads or makes its secrets (mode 0600).
    pub fn open(path: &Path) -> Result<DataFolder, DataFolderError> {
        make_folder(path)?;
        let lock_path = path.join(LOCK);
        if !lock_path.exists() && fs::read_dir(path).map_err(at(path))?.next().is_some() {
            return Err(DataFolderError::NotOurs(path.to_owned()));
        }
        let mut options = OpenOptions::new();
        let lock =
            options.create(true).truncate(false).write(true).mode(0o600).open(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataFolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => {
                return Err(DataFolderError::Io { path: lock_path, source });
            }
        }
        // It is ours (just made, empty, or with our lock in it), so its mode may be put right.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at(path))?;
        make_folder(&path.join(KEYS))?;
        // It lies beside bots, in their repositories.
        let ignore = path.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(at(&ignore))?;
        }
        Ok(DataFolder {
            path: path.to_owned(),
            operator_token: operator_token(&path.join(OPERATOR_TOKEN))?,
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bearer token of the operator's door: 64 hexadecimal digits.
    pub fn operator_token(&self) -> &str {
        &self.operator_token
    }

    /// Where the operator's token lies, for a command line that runs beside the server.
    pub fn operator_token_path(folder: &Path) -> PathBuf {
        folder.join(OPERATOR_TOKEN)
    }

    /// The RSA-2048 key that signs tokens, as PKCS#8.
    pub fn signing_key(&self) -> Result<Vec<u8>, DataFolderError> {
        self.key(SIGNING_KEY, make_signing_key)
    }

    /// Where that key lies.
    pub fn signing_key_path(&self) -> PathBuf {
        self.key_path(SIGNING_KEY)
    }

    /// The key of which recordings' access tokens are made: 32 random bytes.
    pub fn recordings_key(&self) -> Result<Vec<u8>, DataFolderError> {
        self.key(RECORDINGS_KEY, || {
            let mut random = vec![0; 32];
            rand::fill(&mut random).map_err(|_| DataFolderError::Random)?;
            Ok(random)
        })
    }

    /// Where recordings lie.
    pub fn recordings(&self) -> PathBuf {
        self.path.join(RECORDINGS)
    }

    /// A key of this name, made on first use (mode 0600).
    pub fn key(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, DataFolderError>,
    ) -> Result<Vec<u8>, DataFolderError> {
        secret_file(&self.key_path(name), make)
    }

    /// Where a key of this name lies.
    pub fn key_path(&self, name: &str) -> PathBuf {
        self.path.join(KEYS).join(name)
    }

    /// Writes what is no secret (mode 0644, within a folder that others cannot enter); it appears whole or not at all.
    pub fn publish(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DataFolderError> {
        let path = self.path.join(name);
        write_whole(&path, bytes, 0o644).map_err(at(&path))?;
        Ok(path)
    }
}

impl fmt::Debug for DataFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataFolder({})", self.path.display())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DataFolderError + '_ {
    move |source| DataFolderError::Io { path: path.to_owned(), source }
}

fn make_folder(path: &Path) -> Result<(), DataFolderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

fn operator_token(path: &Path) -> Result<String, DataFolderError> {
    let bytes = secret_file(path, || {
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(|_| DataFolderError::Random)?;
        let mut text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push('\n');
        Ok(text.into_bytes())
    })?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let token = text.trim();
    if token.len() < 32 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(DataFolderError::Damaged(path.to_owned()));
    }
    Ok(token.to_owned())
}

fn make_signing_key() -> Result<Vec<u8>, DataFolderError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| DataFolderError::Random)?;
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(|_| DataFolderError::Random)?;
    Ok(der.as_ref().to_vec())
}

/// Reads a secret; the first time, makes it. It appears whole or not at all, and is on disk before it is used.
fn secret_file(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, DataFolderError>,
) -> Result<Vec<u8>, DataFolderError> {
    match File::open(path) {
        Ok(mut file) => {
            let metadata = file.metadata().map_err(at(path))?;
            if metadata.mode() & 0o077 != 0 {
                return Err(DataFolderError::Exposed(path.to_owned()));
            }
            if metadata.len() == 0 || metadata.len() > LONGEST_SECRET {
                return Err(DataFolderError::Damaged(path.to_owned()));
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(at(path))?;
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            write_whole(path, &bytes, 0o600).map_err(at(path))?;
            Ok(bytes)
        }
        Err(error) => Err(at(path)(error)),
    }
}

fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // What a crash left behind was never used.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::RsaKeyPair;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn secrets_are_made_once_and_for_the_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/data");
        let first = DataFolder::open(&path).unwrap();
        let (token, key) = (first.operator_token().to_owned(), first.signing_key().unwrap());
        assert_eq!(fs::read_to_string(path.join(".gitignore")).unwrap(), "*\n");
        assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(RsaKeyPair::from_pkcs8(&key).unwrap().public_modulus_len(), 256);
        let token_path = DataFolder::operator_token_path(&path);
        for (path, expected) in [
            (&path, 0o700),
            (&token_path, 0o600),
            (&path.join("keys"), 0o700),
            (&path.join("keys/signing.pk8"), 0o600),
            (&path.join("ringback.lock"), 0o600),
        ] {
            assert_eq!(mode(path), expected, "{}", path.display());
        }
        drop(first);
        let again = DataFolder::open(&path).unwrap();
        assert_eq!((again.operator_token(), again.signing_key().unwrap()), (token.as_str(), key));
        assert!(fs::read_dir(path.join("keys")).unwrap().count() == 1, "nothing temporary is left");
    }

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::InUse(_))));
        drop(first);
        DataFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("thesis.txt"), "x").unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::NotOurs(_))));
        assert_eq!(mode(folder.path()), 0o755);
        fs::remove_file(folder.path().join("thesis.txt")).unwrap();
        DataFolder::open(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o700, "an empty folder is taken over");
    }

    #[test]
    fn a_secret_that_others_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataFolder::open(folder.path()).unwrap());
        let token = DataFolder::operator_token_path(folder.path());
        fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::Exposed(path)) if path == token));
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        for damage in ["", "short", "0000000000000000\n0000000000000000000000"] {
            fs::write(&token, damage).unwrap();
            assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::Damaged(_))), "{damage:?}");
        }
        fs::remove_file(&token).unwrap();
        DataFolder::open(folder.path()).unwrap();
    }
}
