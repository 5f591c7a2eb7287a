//! What each verb wants among the roles of the token; else 403/7504 (`contract §2.1`, `§2.2`, `§4.5`).
//!
//! Microsoft's calls service looks at permissions when a call is created or joined, and when media is taken out of it;
//! for the other verbs its pages say that nothing is checked (`contract §2`, `§7` no. 43).

use ringback_graph::{Action, CreateCall, IdentityKind};

use super::refusals::Refused;
use crate::auth::Caller;
use crate::directory::Role;

/// By what a call is created: one target, several, or none and a meeting instead.
pub(crate) fn of_create(caller: &Caller, create: &CreateCall<'_>) -> Result<(), Refused> {
    let is_guest = || create.source.as_ref().is_some_and(|source| source.identity.get(IdentityKind::Guest).is_some());
    want(
        caller,
        match (create.joins_meeting(), create.targets.len()) {
            (true, _) if is_guest() => Role::JoinGroupCallAsGuest,
            (true, _) => Role::JoinGroupCall,
            (false, 0..=1) => Role::Initiate,
            (false, _) => Role::InitiateGroupCall,
        },
    )
}

/// By what is done with it.
pub(crate) fn of_action(caller: &Caller, action: Action) -> Result<(), Refused> {
    match action {
        Action::RecordResponse | Action::Record | Action::SubscribeToTone => want(caller, Role::AccessMedia),
        Action::Answer
        | Action::Reject
        | Action::KeepAlive
        | Action::PlayPrompt
        | Action::SendDtmfTones
        | Action::CancelMediaProcessing => Ok(()),
    }
}

fn want(caller: &Caller, role: Role) -> Result<(), Refused> {
    let has = caller.roles.iter().any(|held| held == role.as_str());
    if has { Ok(()) } else { Err(Refused::lacks_role(role)) }
}
