//! The stored form of a record: its JSON text, readable with any tool.

use ringback_core::{ConversationId, Record};
use serde::Deserialize;

use crate::contract::{ReadError, Version};

/// A record's text.
pub(crate) fn print(record: &Record) -> Result<String, String> {
    serde_json::to_string(record).map_err(|error| format!("a record cannot be printed: {error}"))
}

/// A text's record; says why it is none.
pub(crate) fn parse(conversation: ConversationId, version: Version, text: &str) -> Result<Record, ReadError> {
    /// What every form has.
    #[derive(Deserialize)]
    struct Form {
        v: u32,
    }
    let unreadable = |why| ReadError::Unreadable { conversation, version, why };
    match serde_json::from_str::<Record>(text) {
        Ok(record) if record.v == Record::V => Ok(record),
        outcome => Err(unreadable(match (serde_json::from_str::<Form>(text), outcome) {
            (Ok(form), _) if form.v != Record::V => {
                format!("its form is {}, and this build reads form {}", form.v, Record::V)
            }
            (_, Err(error)) => error.to_string(),
            (_, Ok(_)) => "its form is unknown".to_owned(),
        })),
    }
}
