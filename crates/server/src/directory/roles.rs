//! Application permissions: what an administrator consents to at Microsoft, and the operator grants here.
//!
//! It must not know which verb wants which.

use std::fmt;

/// A permission of the calls API (`contract §2`), as tokens name it in `roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `Calls.AccessMedia.All`: hear, record, and be told keys.
    AccessMedia,
    /// `Calls.Initiate.All`: call one person.
    Initiate,
    /// `Calls.InitiateGroupCall.All`: call several.
    InitiateGroupCall,
    /// `Calls.JoinGroupCall.All`: join a meeting.
    JoinGroupCall,
    /// `Calls.JoinGroupCallAsGuest.All`: join a meeting as a guest.
    JoinGroupCallAsGuest,
}

/// Not the name of a permission; says which there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is none of Calls.AccessMedia.All, Calls.Initiate.All, Calls.InitiateGroupCall.All, Calls.JoinGroupCall.All and \
     Calls.JoinGroupCallAsGuest.All"
)]
pub struct BadRole(String);

impl Role {
    /// All there are.
    pub const ALL: [Role; 5] =
        [Role::AccessMedia, Role::Initiate, Role::InitiateGroupCall, Role::JoinGroupCall, Role::JoinGroupCallAsGuest];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::AccessMedia => "Calls.AccessMedia.All",
            Role::Initiate => "Calls.Initiate.All",
            Role::InitiateGroupCall => "Calls.InitiateGroupCall.All",
            Role::JoinGroupCall => "Calls.JoinGroupCall.All",
            Role::JoinGroupCallAsGuest => "Calls.JoinGroupCallAsGuest.All",
        }
    }

    /// Reads names, without case.
    pub fn parse_all<S: AsRef<str>>(names: &[S]) -> Result<Vec<Role>, BadRole> {
        let role = |name: &S| {
            let found = Role::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(name.as_ref()));
            found.ok_or_else(|| BadRole(name.as_ref().chars().take(64).collect()))
        };
        let mut roles = names.iter().map(role).collect::<Result<Vec<_>, _>>()?;
        roles.sort_unstable();
        roles.dedup();
        Ok(roles)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
