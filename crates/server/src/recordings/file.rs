//! Where a recording lies and how it becomes whole: `<folder>/<app>/<call>_<recording>.wav`, and `.part` in place of `.wav`
//! until then. A part is a WAV file whose head says that it is empty; the samples behind it are what was recorded so far.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ringback_core::AppId;
use ringback_media::limits::RATE;
use ringback_media::wav;

use super::Owner;

const WHOLE: &str = "wav";
const PART: &str = "part";

/// A file that was found.
pub(super) struct Found {
    pub(super) owner: Owner,
    pub(super) bytes: u64,
    pub(super) since: SystemTime,
    pub(super) whole: bool,
}

/// A folder that its owner alone may enter.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Every recording, whole or not. What has another name is somebody else's, and left alone.
pub(super) fn scan(folder: &Path) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for app in fs::read_dir(folder)? {
        let app = app?;
        let Some(id) = app.file_name().to_str().and_then(app_of) else { continue };
        if !app.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(app.path())? {
            let file = file?;
            all.extend(found(&id, &file)?);
        }
    }
    Ok(all)
}

fn found(app: &AppId, file: &fs::DirEntry) -> io::Result<Option<Found>> {
    let path = file.path();
    let part = |extension: &str| path.extension().is_some_and(|it| it == extension);
    let ids = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.split_once('_'));
    let Some((call, operation)) = ids.and_then(|(call, operation)| Some((call.parse().ok()?, operation.parse().ok()?)))
    else {
        return Ok(None);
    };
    if !part(WHOLE) && !part(PART) {
        return Ok(None);
    }
    let metadata = file.metadata()?;
    let owner = Owner { app: app.clone(), call, operation };
    let since = metadata.modified().unwrap_or_else(|_| SystemTime::now());
    Ok(Some(Found { owner, bytes: metadata.len(), since, whole: part(WHOLE) }))
}

/// Makes the part of a recording, and its folder if that is its app's first.
pub(super) fn create(folder: &Path, owner: &Owner) -> io::Result<File> {
    let path = path(folder, owner, PART);
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(&folder.join(name_of(&owner.app)))?;
            sync_folder(folder)?;
            open()?
        }
        other => other?,
    };
    file.write_all(&wav::header(RATE, 0))?;
    Ok(file)
}

/// Appends samples to a part.
pub(super) fn append(file: &mut File, pcm: &[i16], bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    bytes.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    file.write_all(bytes)
}

/// Makes a part whole: its head says what it holds, it is on disk, and it has its name. Returns its length in bytes.
pub(super) fn finish(folder: &Path, owner: &Owner, mut file: File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let audio = length.saturating_sub(wav::HEADER_BYTES) / 2 * 2;
    let audio = u32::try_from(audio).map_err(|_| io::Error::other("a recording is too long"))?;
    let length = wav::HEADER_BYTES + u64::from(audio);
    file.set_len(length)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&wav::header(RATE, audio))?;
    file.sync_all()?;
    fs::rename(path(folder, owner, PART), path(folder, owner, WHOLE))?;
    sync_folder(&folder.join(name_of(&owner.app)))?;
    Ok(length)
}

/// Makes whole what an earlier process left, unless no audio is in it. Returns the length in bytes, 0 if nothing is kept.
pub(super) fn complete(folder: &Path, owner: &Owner) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).open(path(folder, owner, PART))?;
    if file.metadata()?.len() < wav::HEADER_BYTES + 2 {
        remove(folder, owner)?;
        return Ok(0);
    }
    finish(folder, owner, file)
}

/// Opens a whole recording.
pub(super) fn read(folder: &Path, owner: &Owner) -> io::Result<(File, u64)> {
    let file = File::open(path(folder, owner, WHOLE))?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Removes a recording, whole or not.
pub(super) fn remove(folder: &Path, owner: &Owner) -> io::Result<()> {
    for extension in [PART, WHOLE] {
        match fs::remove_file(path(folder, owner, extension)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn path(folder: &Path, owner: &Owner, extension: &str) -> PathBuf {
    folder.join(name_of(&owner.app)).join(format!("{}_{}.{extension}", owner.call, owner.operation))
}

/// An app's id as a name of a folder: what is no letter, digit or dash of ASCII is `%` and two digits.
fn name_of(app: &AppId) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    app.as_str()
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") })
        .collect()
}

fn app_of(name: &str) -> Option<AppId> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(AppId::new(&String::from_utf8(bytes).ok()?))
}

/// A new name is on disk once its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
