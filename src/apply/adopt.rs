//! Creates something that has a unique name exactly once, although answers get lost and lists lag.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::polling;
use crate::hcloud::Error;

/// How often a create whose fate is unknown is looked up and sent again.
const SENDS: u32 = 3;
/// How long what a lost answer was about is looked for before it is asked for again, which is safe.
const GLANCE: Duration = Duration::from_secs(2);
/// How long something that exists may be missing in lists; a minute was seen.
pub(super) const LAG: Duration = Duration::from_secs(90);

/// What a create came to.
#[derive(Debug)]
pub(super) enum Made<T> {
    /// It was made just now, as far as anybody knows.
    New(T),
    /// It was there: an earlier request had made it.
    Found(T),
}

/// What a failed create means for the thing that was to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was not made.
    Refused,
    /// It may exist.
    Unknown,
    /// Something of that name exists, whether lists show it or not.
    Exists,
}

/// Sends a create until the fate of what it makes is known. `look` gives what has the name and is ours; it fails where
/// it is somebody else's.
pub(super) async fn once<T, S, L>(send: impl Fn() -> S, look: impl Fn() -> L) -> Result<Made<T>>
where
    S: Future<Output = Result<Result<T, Error>>>,
    L: Future<Output = Result<Option<T>>>,
{
    let mut last = anyhow!("nothing was sent");
    for _ in 0..SENDS {
        let error = match send().await? {
            Ok(made) => return Ok(Made::New(made)),
            Err(error) => error,
        };
        let patience = match fate(&error) {
            Fate::Refused => return Err(error.into()),
            Fate::Unknown => GLANCE,
            Fate::Exists => LAG,
        };
        if let Some(found) = until_seen(&look, patience).await? {
            return Ok(Made::Found(found));
        }
        last = error.into();
    }
    Err(last)
}

/// Looks until it shows; none where it does not within that time.
pub(super) async fn until_seen<T, L>(look: impl Fn() -> L, patience: Duration) -> Result<Option<T>>
where
    L: Future<Output = Result<Option<T>>>,
{
    let mut pauses = polling(patience);
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if pauses.pause().await.is_err() {
            return Ok(None);
        }
    }
}

/// Asks again while somebody else is at work on the thing, or something that is going still needs it.
pub(super) async fn when_free<T, A>(limit: Duration, ask: impl Fn() -> A) -> Result<T>
where
    A: Future<Output = std::result::Result<T, Error>>,
{
    let mut pauses = polling(limit);
    loop {
        match ask().await {
            Err(error) if is_busy(&error) => {
                let late = pauses.pause().await;
                late.with_context(|| error.to_string())?;
            }
            answer => return Ok(answer?),
        }
    }
}

fn is_busy(error: &Error) -> bool {
    matches!(error.code(), Some("locked" | "resource_in_use" | "must_be_unassigned"))
}

/// Whether what was to be made may exist.
pub(super) fn fate_is_unknown(error: &Error) -> bool {
    match fate(error) {
        Fate::Refused => false,
        Fate::Unknown | Fate::Exists => true,
    }
}

fn fate(error: &Error) -> Fate {
    match error {
        Error::Unanswered { source, .. } if source.is_connect() => Fate::Refused,
        Error::Unanswered { .. } | Error::Garbled { .. } => Fate::Unknown,
        Error::Api(api) if api.code == "uniqueness_error" => Fate::Exists,
        Error::Api(api) if api.status >= 500 => Fate::Unknown,
        Error::Api(_) | Error::Request { .. } => Fate::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::hcloud::ApiError;

    fn api(status: u16, code: &str) -> Error {
        let (code, message) = (code.to_owned(), String::new());
        Error::Api(ApiError { status, code, message, fields: Vec::new(), correlation_id: None })
    }

    /// What comes of a create that is answered so, one answer after the other, while lists show it from the so-many-th
    /// look on; and how often it was sent.
    async fn attempt(answers: &[Option<(u16, &str)>], shows_at: u32) -> (Result<Made<()>>, usize) {
        let (sent, looks) = (Cell::new(0), Cell::new(0));
        let send = async || {
            let answer = answers.get(sent.get()).copied().flatten();
            sent.set(sent.get() + 1);
            Ok(answer.map_or(Ok(()), |(status, code)| Err(api(status, code))))
        };
        let look = async || {
            looks.set(looks.get() + 1);
            Ok((looks.get() >= shows_at).then_some(()))
        };
        (once(send, look).await, sent.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_looked_up_and_asked_for_again() {
        let (made, sent) = attempt(&[Some((502, "bad_gateway"))], 1).await;
        assert!(matches!(made, Ok(Made::Found(()))) && sent == 1);
        let (made, sent) = attempt(&[Some((502, "bad_gateway"))], u32::MAX).await;
        assert!(matches!(made, Ok(Made::New(()))) && sent == 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_exists_is_waited_for_as_long_as_lists_may_lag() {
        let answers = [Some((500, "server_error")), Some((409, "uniqueness_error"))];
        let (made, sent) = attempt(&answers, 25).await;
        assert!(matches!(made, Ok(Made::Found(()))) && sent == 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final() {
        let (made, sent) = attempt(&[Some((412, "resource_unavailable"))], 1).await;
        assert!(made.is_err() && sent == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_locked_is_asked_again_until_it_is_late() {
        let left = Cell::new(3);
        let ask = async || match left.replace(left.get() - 1) {
            0 => Ok("free"),
            _ => Err(api(423, "locked")),
        };
        assert_eq!(when_free(Duration::from_secs(9), ask).await.unwrap(), "free");
        let never = async || Err::<(), _>(api(422, "must_be_unassigned"));
        let late = when_free(Duration::from_secs(9), never).await.unwrap_err();
        assert!(format!("{late:#}").ends_with("no success within 9 s"), "{late:#}");
    }
}
