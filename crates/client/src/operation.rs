//! An operation in a bot's hands: what its action was answered with, and its end when it comes.

use ringback_graph as wire;
use tokio::sync::watch;

use crate::whichever::whichever;
use crate::{Call, Error};

/// An operation: what the action answered, and its end when it comes.
pub struct OperationHandle {
    call: Call,
    answered: wire::CommsOperation<'static>,
    told: watch::Receiver<Option<wire::CommsOperation<'static>>>,
}

impl OperationHandle {
    pub(crate) fn new(call: Call, answered: wire::CommsOperation<'static>) -> OperationHandle {
        let told = match is_terminal(&answered) {
            true => watch::channel(Some(answered.clone())).1,
            false => call.followed.end_of(&answered.id),
        };
        OperationHandle { call, answered, told }
    }

    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.answered.id
    }

    /// The status its action was answered with (`S3`, `S4`).
    pub fn status(&self) -> wire::OperationStatus {
        self.answered.status
    }

    /// The operation as its action was answered.
    pub fn answered(&self) -> &wire::CommsOperation<'static> {
        &self.answered
    }

    /// Waits for the operation's end, and gives it `completed`: the answer itself, if that was the end (`S3`), else
    /// whatever comes first, the notification (`S4`) or, where none comes, the operation as it is read: after
    /// [`limits::READ_AFTER`](crate::limits::READ_AFTER), then ever less often. Cancel-safe; can be asked again.
    ///
    /// # Errors
    /// [`Error::OperationFailed`] with the operation and its `resultInfo`; [`Error::NotNotified`] if nothing was ever
    /// told of this call and the operation goes on; [`Error::Closed`] if nothing will be told any more and it goes on;
    /// those of [`Graph::get_operation`](crate::Graph::get_operation).
    pub async fn finished(&self) -> Result<wire::CommsOperation<'static>, Error> {
        let ended = self.end().await?;
        if ended.status == wire::OperationStatus::Failed {
            return Err(Error::OperationFailed(Box::new(ended)));
        }
        Ok(ended)
    }

    async fn end(&self) -> Result<wire::CommsOperation<'static>, Error> {
        let mut told = self.told.clone();
        // The channel is closed when the call has ended or no notifications are received any more.
        let told = async { told.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone()) };
        let read = || async {
            let operation = self.call.graph.get_operation(self.call.id(), self.id()).await?;
            Ok(is_terminal(&operation).then_some(operation))
        };
        whichever(self.call.id(), told, || self.call.followed.was_heard_of(), read).await
    }
}

/// Final: nothing more will be told of it (`S3`).
fn is_terminal(operation: &wire::CommsOperation<'_>) -> bool {
    matches!(operation.status, wire::OperationStatus::Completed | wire::OperationStatus::Failed)
}
