//! Reading a log instead of living it: what a conversation's state no longer holds.

use alloc::vec::Vec;

use crate::event::Event;
use crate::ids::CallId;
use crate::operation::{Operation, OperationStatus};
use crate::result::ResultInfo;

/// Every operation a call ever had, in the order they began, as they stand at the end of `events`.
pub fn operations_of<'a>(call: CallId, events: impl IntoIterator<Item = &'a Event>) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    let step = |operations: &mut Vec<Operation>, id, to: OperationStatus, result: Option<&ResultInfo>| {
        // Operations end near where they began, so a search from the back is short.
        if let Some(found) = operations.iter_mut().rev().find(|operation| operation.id == id)
            && let Ok(status) = found.status.step(to)
        {
            found.status = status;
            found.result = result.cloned();
        }
    };
    for event in events {
        match event {
            Event::OperationStarted { call: of, operation } if *of == call => operations.push(operation.clone()),
            Event::OperationBegan { call: of, operation } if *of == call => {
                step(&mut operations, *operation, OperationStatus::Running, None);
            }
            Event::OperationEnded { call: of, operation, status, result } if *of == call => {
                step(&mut operations, *operation, *status, Some(result));
            }
            _ => {}
        }
    }
    operations
}
