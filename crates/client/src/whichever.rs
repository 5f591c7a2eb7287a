//! Whichever comes first: what a notification tells, or what is read where none comes. Bounds how long a bot waits that
//! cannot be told anything. Knows neither calls nor operations, nor how either is asked for.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use crate::{Error, limits};

/// Waits for `told`, and reads beside it at growing intervals. `told` gives `None` if nothing will be told any more;
/// `read` gives `None` while it has not happened; `heard` says whether anything of `call` was ever told.
///
/// # Errors
/// [`Error::Closed`] and [`Error::NotNotified`]; those of `read`, unless they may pass: then only when they have lasted.
pub(crate) async fn whichever<T, R>(
    call: &str,
    told: impl Future<Output = Option<T>>,
    heard: impl Fn() -> bool,
    mut read: impl FnMut() -> R,
) -> Result<T, Error>
where
    R: Future<Output = Result<Option<T>, Error>>,
{
    let mut told = pin!(told);
    let mut pause = limits::READ_AFTER;
    let mut waited = Duration::ZERO;
    let mut failing = None;
    loop {
        let reading = async {
            sleep(pause).await;
            read().await
        };
        let found = tokio::select! {
            biased;
            told = &mut told => match told {
                Some(told) => return Ok(told),
                None => return read().await?.ok_or(Error::Closed),
            },
            found = reading => found,
        };
        waited += pause;
        pause = (pause * 2).min(limits::READ_PAUSE);
        match found {
            Ok(Some(found)) => {
                if !heard() {
                    tracing::warn!(call, "no notification of this call has come: is its callbackUri the webhook?");
                }
                return Ok(found);
            }
            Ok(None) if !heard() && waited >= limits::UNHEARD => return Err(Error::NotNotified(call.to_owned())),
            Ok(None) => failing = None,
            Err(error) => {
                let lasted = waited - *failing.get_or_insert(waited);
                if !error.may_pass() || lasted >= limits::UNHEARD {
                    return Err(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use tokio::time::{Instant, timeout};

    use super::*;

    /// The same, but that a wait without end fails.
    async fn whichever<T, R>(
        call: &str,
        told: impl Future<Output = Option<T>>,
        heard: impl Fn() -> bool,
        read: impl FnMut() -> R,
    ) -> Result<T, Error>
    where
        R: Future<Output = Result<Option<T>, Error>>,
    {
        let waited = timeout(Duration::from_secs(24 * 3600), super::whichever(call, told, heard, read)).await;
        waited.expect("it waits for ever")
    }

    async fn never() -> Option<u8> {
        pending().await
    }

    async fn told_after(time: Duration, what: u8) -> Option<u8> {
        let _ = timeout(time, never()).await;
        Some(what)
    }

    fn broken() -> Error {
        Error::TimedOut { host: "graph".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_first_needs_no_reading() {
        let unread = || async { panic!("not to be read") };
        assert_eq!(whichever("c", ready(Some(1)), || true, unread).await.expect("told"), 1);
        let later = told_after(limits::READ_AFTER - Duration::from_millis(1), 2);
        assert_eq!(whichever("c", later, || true, unread).await.expect("told"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_while_it_is_read_is_not_waited_for_twice() {
        let later = told_after(limits::READ_AFTER + Duration::from_secs(1), 3);
        assert_eq!(whichever("c", later, || true, pending).await.expect("told"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_tells_is_read_ever_less_often() {
        let begun = Instant::now();
        let times = Cell::new(Vec::new());
        let read = || async {
            let mut all = times.take();
            all.push(begun.elapsed().as_secs());
            times.set(all);
            let found = (begun.elapsed() > Duration::from_secs(200)).then_some(4);
            Ok(found)
        };
        assert_eq!(whichever("c", never(), || true, read).await.expect("read"), 4);
        assert_eq!(times.take(), [10, 30, 70, 130, 190, 250]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bot_that_was_never_told_anything_is_told_so() {
        let found = whichever("c-1", never(), || false, || ready(Ok(None))).await;
        let Err(Error::NotNotified(call)) = found else { panic!("found {found:?}") };
        assert_eq!(call, "c-1");
        // What it can read it is given all the same.
        assert_eq!(whichever("c-1", never(), || false, || ready(Ok(Some(5)))).await.expect("read"), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_nothing_is_tried_for_ever() {
        let failures = Cell::new(2);
        let read = || async {
            failures.set(failures.get() - 1);
            if failures.get() > 0 { Err(broken()) } else { Ok(Some(6)) }
        };
        assert_eq!(whichever("c", never(), || true, read).await.expect("read"), 6);
        let found = whichever("c", never(), || true, || ready(Err(broken()))).await;
        assert!(matches!(found, Err(Error::TimedOut { .. })), "{found:?}");
        let read = Cell::new(0);
        let refused = || async {
            read.set(read.get() + 1);
            Err(Error::Config("no".into()))
        };
        assert!(matches!(whichever("c", never(), || true, refused).await, Err(Error::Config(_))));
        assert_eq!(read.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_failure_after_a_long_wait_ends_nothing() {
        let begun = Instant::now();
        let read = || async {
            match begun.elapsed().as_secs() {
                0..600 => Ok(None),
                600..660 => Err(broken()),
                _ => Ok(Some(8)),
            }
        };
        assert_eq!(whichever("c", never(), || true, read).await.expect("read"), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn who_will_be_told_nothing_reads_at_once() {
        let begun = Instant::now();
        assert_eq!(whichever("c", ready(None), || true, || ready(Ok(Some(7)))).await.expect("read"), 7);
        assert!(matches!(whichever::<u8, _>("c", ready(None), || true, || ready(Ok(None))).await, Err(Error::Closed)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
