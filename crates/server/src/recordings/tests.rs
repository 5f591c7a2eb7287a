//! Recordings on a disk of their own: kept or not, found again, bounded, forgotten.

use std::sync::mpsc::{Receiver, channel};

use ringback_media::wav;
use uuid::Uuid;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);
const PLENTY: u64 = 1 << 30;
/// What the app's folder is called.
const APP_FOLDER: &str = "an%20app%2f%c3%bc";

fn owner(n: u128) -> Owner {
    Owner {
        app: AppId::new("an app/ü"),
        call: CallId(Uuid::from_u128(0xca11)),
        operation: OperationId(Uuid::from_u128(n)),
    }
}

fn begin(recordings: &Recordings, n: u128) -> (TapeIn, Receiver<Outcome>) {
    let (sender, outcome) = channel();
    let done = move |outcome| sender.send(outcome).expect("the test waits");
    (recordings.begin(owner(n), PLENTY, MINUTE, done).expect("room"), outcome)
}

fn ended(end: TapeEnd, kept: bool) -> Outcome {
    Outcome { end: Ok(end), kept }
}

fn audio(recordings: &Recordings, n: u128) -> Option<Vec<i16>> {
    let (mut file, length) = recordings.read(owner(n).operation)?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).expect("readable");
    assert_eq!(bytes.len() as u64, length);
    match wav::decode(&bytes) {
        Ok(wav) => {
            assert_eq!(wav.rate, 16_000);
            assert_eq!(wav::encode(16_000, &wav.pcm), bytes, "the head is what every WAV file's is");
            Some(wav.pcm)
        }
        Err(error) => {
            assert_eq!(error, wav::WavError::Empty);
            Some(vec![])
        }
    }
}

/// Every file below the folder.
fn files(folder: &Path) -> usize {
    let folders = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    folders.map(|folder| std::fs::read_dir(folder).expect("a folder").count()).sum()
}

#[test]
fn what_is_kept_is_whole_before_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let ends = [
        (TapeEnd::StopTone, true),
        (TapeEnd::MaxDuration, true),
        (TapeEnd::MaxSilence, true),
        (TapeEnd::Closed, true),
        (TapeEnd::Overflow, true),
        (TapeEnd::InitialSilence, false),
        (TapeEnd::Discarded, false),
    ];
    let pcm: Vec<i16> = (0..50_000).map(|n| n as i16).collect();
    for (n, (end, kept)) in (1..).zip(ends) {
        let (mut tape, outcome) = begin(&recordings, n);
        assert!(tape.put(&pcm));
        assert!(recordings.read(owner(n).operation).is_none(), "it is not whole");
        tape.end(end);
        assert_eq!(outcome.recv_timeout(PATIENCE), Ok(ended(end, kept)));
        assert_eq!(audio(&recordings, n), kept.then(|| pcm.clone()));
    }
    // Of nothing, nothing is kept, unless somebody ended it on purpose.
    for (n, end, kept) in [(21, TapeEnd::Closed, false), (22, TapeEnd::StopTone, true)] {
        let (tape, outcome) = begin(&recordings, n);
        tape.end(end);
        assert_eq!(outcome.recv_timeout(PATIENCE), Ok(ended(end, kept)));
        assert_eq!(audio(&recordings, n), kept.then(Vec::new));
    }
    assert_eq!(files(folder.path()), 6);
}

#[test]
fn what_a_process_that_died_left_is_made_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let (mut tape, outcome) = begin(&recordings, 1);
    tape.put(&[7; 320]);
    tape.end(TapeEnd::StopTone);
    assert!(outcome.recv_timeout(PATIENCE).expect("told").kept);
    // The parts of two that were being recorded; one of them had only begun, of the other half a sample was written.
    let whole = file::create(folder.path(), &owner(2)).and_then(|mut file| {
        let mut bytes = Vec::new();
        file::append(&mut file, &[9; 1_000], &mut bytes)?;
        std::io::Write::write_all(&mut file, &[1])
    });
    whole.and_then(|()| file::create(folder.path(), &owner(3))).expect("parts");
    std::fs::write(folder.path().join("notes.txt"), "somebody else's").expect("a file");
    drop(recordings);

    let again = Recordings::open(folder.path()).expect("opens");
    assert_eq!(audio(&again, 2), None, "not before it is asked for");
    let ids: Vec<OperationId> = (1..=4).map(|n| owner(n).operation).collect();
    assert_eq!(again.recover(&ids), ids[..2]);
    assert_eq!(again.recover(&ids), ids[..2], "any number of times");
    assert_eq!(audio(&again, 1), Some(vec![7; 320]));
    assert_eq!(audio(&again, 2), Some(vec![9; 1_000]));
    assert_eq!((audio(&again, 3), audio(&again, 4)), (None, None));
}

/// A conversation that broke asks for a recording that is still being written.
#[test]
fn what_is_being_written_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let (mut tape, _outcome) = begin(&recordings, 1);
    tape.put(&[7; 320]);
    let asking = recordings.clone();
    let asked = std::thread::spawn(move || asking.recover(&[owner(1).operation]));
    drop(tape);
    assert_eq!(asked.join().expect("no panic"), [owner(1).operation]);
}

#[test]
fn an_app_keeps_no_more_than_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let most = 2 * bytes_of(MINUTE);
    let begin = |n| recordings.begin(owner(n), most, MINUTE, |_| {});
    let (first, second) = (begin(1).expect("room"), begin(2).expect("room"));
    assert_eq!(begin(3).err(), Some(NoRoom::App));
    assert!(!recordings.has_room(&owner(1).app, most, MINUTE));
    assert!(recordings.has_room(&AppId::new("another"), most, MINUTE));
    drop(first);
    recordings.recover(&[owner(1).operation]);
    // It was empty, and counts no more.
    let third = begin(3).expect("room");
    for tape in [second, third] {
        tape.end(TapeEnd::StopTone);
    }
    recordings.recover(&[owner(2).operation, owner(3).operation]);
    // Small ones count for a block each, now and after a restart.
    let used = recordings.shared.index().used(&owner(1).app);
    assert_eq!(used, 2 * limits::RECORDING_LEAST);
    assert_eq!(Recordings::open(folder.path()).expect("opens").shared.index().used(&owner(1).app), used);
}

#[test]
fn recordings_are_forgotten_with_their_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let (tape, outcome) = begin(&recordings, 1);
    tape.end(TapeEnd::StopTone);
    assert!(outcome.recv_timeout(PATIENCE).expect("told").kept);
    let (open, still) = begin(&recordings, 2);
    assert_eq!(recordings.old_calls(MINUTE), []);
    assert_eq!(recordings.old_calls(Duration::ZERO), [owner(1).call]);
    recordings.forget(owner(1).call);
    assert!(recordings.read(owner(1).operation).is_none());
    assert_eq!(recordings.old_calls(Duration::ZERO), []);
    open.end(TapeEnd::StopTone);
    assert_eq!(
        still.recv_timeout(PATIENCE),
        Ok(ended(TapeEnd::StopTone, true)),
        "what is being recorded is not touched"
    );
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn a_disk_that_does_not_take_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    // A file where the app's folder would be.
    let in_the_way = folder.path().join(APP_FOLDER);
    std::fs::write(&in_the_way, "in the way").expect("a file");
    let (mut tape, outcome) = begin(&recordings, 1);
    assert!(tape.put(&[7; 320]));
    let told = outcome.recv_timeout(PATIENCE).expect("told, though the tape goes on");
    assert!(told.end.is_err() && !told.kept, "{told:?}");
    tape.end(TapeEnd::StopTone);
    assert_eq!(recordings.recover(&[owner(1).operation]), []);
    assert_eq!(recordings.shared.index().used(&owner(1).app), 0);

    // A folder where the whole file would be: what was written stays, and counts, until its call is forgotten.
    std::fs::remove_file(&in_the_way).expect("gone");
    let name = |end: &str| in_the_way.join(format!("{}_{}.{end}", owner(2).call, owner(2).operation));
    std::fs::create_dir_all(name("wav").join("in the way")).expect("a folder");
    let (mut tape, outcome) = begin(&recordings, 2);
    assert!(tape.put(&[7; 320]));
    tape.end(TapeEnd::StopTone);
    let told = outcome.recv_timeout(PATIENCE).expect("told");
    assert!(told.end.is_err() && !told.kept, "{told:?}");
    assert!(recordings.read(owner(2).operation).is_none());
    assert!(name("part").exists() && recordings.shared.index().used(&owner(2).app) > 0);
    std::fs::remove_dir_all(name("wav")).expect("gone");
    assert_eq!(recordings.recover(&[owner(2).operation]), [owner(2).operation], "it is all there");
    assert_eq!(audio(&recordings, 2), Some(vec![7; 320]));
}

/// In a process of its own, whose files may have so many blocks: what is beyond them is refused as by a full disk.
#[test]
fn what_the_disk_took_before_it_failed_is_kept() {
    const SMALL_DISK: &str = "RINGBACK_TEST_SMALL_DISK";
    let this = "recordings::tests::what_the_disk_took_before_it_failed_is_kept";
    if std::env::var_os(SMALL_DISK).is_none() {
        let limited = "ulimit -f 64 && trap '' XFSZ && exec \"$0\" --exact \"$1\"";
        let program = std::env::current_exe().expect("this program");
        let mut child = std::process::Command::new("sh");
        let child = child.args(["-c", limited]).arg(program).arg(this).env(SMALL_DISK, "yes");
        let output = child.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout);
        // Under another name it would run nothing, and be content.
        return assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::open(folder.path()).expect("opens");
    let pcm: Vec<i16> = (0..60_000).map(|n| n as i16).collect();
    let (mut tape, outcome) = begin(&recordings, 1);
    assert!(tape.put(&pcm));
    let told = outcome.recv_timeout(PATIENCE).expect("told, though the tape goes on");
    assert!(told.kept && told.end.expect_err("not to its end").starts_with("the disk failed: "));
    let kept = audio(&recordings, 1).expect("a whole file");
    assert!(kept.len() > 10_000 && kept.len() < pcm.len() && pcm.starts_with(&kept), "{}", kept.len());
    // Its room is what it takes.
    assert_eq!(recordings.shared.index().used(&owner(1).app), wav::HEADER_BYTES + 2 * kept.len() as u64);
}
