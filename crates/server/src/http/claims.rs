//! What a create call claims of itself, its tenant and who calls: held against the token, as Microsoft's calls service does
//! (`contract §2.2`, `§4.5`).

use ringback_graph::{CreateCall, IdentityKind};
use uuid::Uuid;

use super::refusals::Refused;
use crate::auth::Caller;

/// The call's tenant, where it names one, is the token's; else 403/7505.
pub(crate) fn check_tenant(caller: &Caller, create: &CreateCall<'_>) -> Result<(), Refused> {
    let claimed = create.tenant_id.as_deref().unwrap_or_default();
    let own = claimed.is_empty() || claimed.eq_ignore_ascii_case(caller.tenant.as_str());
    if own { Ok(()) } else { Err(Refused::tenant_mismatch()) }
}

/// A call to the telephone network comes from an application instance, the resource account that has the app's number, and
/// from no other app; else 403/7507. Which account is whose is not known here: an object id will do.
pub(crate) fn check_source(caller: &Caller, create: &CreateCall<'_>) -> Result<(), Refused> {
    let source = create.source.as_ref().map(|source| &source.identity);
    let id_of = |kind| source.and_then(|set| set.get(kind)?.id.as_deref());
    let own = id_of(IdentityKind::Application).is_none_or(|id| id.eq_ignore_ascii_case(caller.app.as_str()));
    let instance = id_of(IdentityKind::ApplicationInstance).is_some_and(|id| Uuid::try_parse(id).is_ok());
    if own && instance { Ok(()) } else { Err(Refused::source_invalid()) }
}
