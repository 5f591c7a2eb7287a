//! Who a party is: one member of Graph's `identitySet` (`contract §1.5`).

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Which member of the `identitySet` an identity stands under.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IdentityKind {
    /// A person of the directory.
    User,
    /// A telephone number (E.164).
    Phone,
    /// A bot.
    Application,
    /// A resource account, for the telephone network.
    ApplicationInstance,
    /// A guest of a meeting.
    Guest,
    /// A device.
    Device,
    /// Someone the app may not see.
    Encrypted,
    /// A user of an on-premises system.
    OnPremises,
    /// A user of Azure Communication Services.
    AzureCommunicationServicesUser,
}

/// One identity: kind, id, name and tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Which member of the set.
    pub kind: IdentityKind,
    /// Directory id, number or SIP address.
    pub id: String,
    /// What to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The tenant it belongs to, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
