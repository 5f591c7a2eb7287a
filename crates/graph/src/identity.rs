//! Who takes part: identities and the participant infos that carry them (`contract §1.4, §1.5`).

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::print::{Members, Object};
use crate::read::{BodyError, Node};

/// What sort of identity a member of an identity set is: the member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// `user`: a person of the directory, by object id.
    User,
    /// `phone`: a telephone number.
    Phone,
    /// `applicationInstance`: a resource account, the app's identity in the telephone network.
    ApplicationInstance,
    /// `application`: an app, by its id.
    Application,
    /// `guest`
    Guest,
    /// `device`
    Device,
    /// `encrypted`: a caller hidden from this app.
    Encrypted,
    /// `onPremises`
    OnPremises,
    /// `azureCommunicationServicesUser`
    AzureCommunicationServicesUser,
}

impl IdentityKind {
    /// Every kind, in the order in which a set is searched.
    pub const ALL: &'static [Self] = &[
        Self::User,
        Self::Phone,
        Self::ApplicationInstance,
        Self::Application,
        Self::Guest,
        Self::Device,
        Self::Encrypted,
        Self::OnPremises,
        Self::AzureCommunicationServicesUser,
    ];

    /// The member's name in an identity set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Phone => "phone",
            Self::ApplicationInstance => "applicationInstance",
            Self::Application => "application",
            Self::Guest => "guest",
            Self::Device => "device",
            Self::Encrypted => "encrypted",
            Self::OnPremises => "onPremises",
            Self::AzureCommunicationServicesUser => "azureCommunicationServicesUser",
        }
    }
}

/// One identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Object id; the number of a phone.
    pub id: Option<Cow<'a, str>>,
    /// A name to show.
    pub display_name: Option<Cow<'a, str>>,
    /// The tenant the identity belongs to.
    pub tenant_id: Option<Cow<'a, str>>,
}

/// A set of identities, by kind; in practice exactly one. Kinds not known here are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySet<'a>(pub Vec<(IdentityKind, Identity<'a>)>);

impl<'a> IdentitySet<'a> {
    /// The set of one identity with this id.
    pub fn of(kind: IdentityKind, id: impl Into<Cow<'a, str>>) -> Self {
        IdentitySet(vec![(kind, Identity { id: Some(id.into()), ..Identity::default() })])
    }

    /// The same, with a name to show.
    pub fn named(
        kind: IdentityKind,
        id: impl Into<Cow<'a, str>>,
        display_name: Option<impl Into<Cow<'a, str>>>,
    ) -> Self {
        let display_name = display_name.map(Into::into);
        let identity = Identity { id: Some(id.into()), display_name, tenant_id: None };
        IdentitySet(vec![(kind, identity)])
    }

    /// The identity of this kind.
    pub fn get(&self, kind: IdentityKind) -> Option<&Identity<'a>> {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, identity)| identity)
    }

    /// The first identity, in the order of [`IdentityKind::ALL`].
    pub fn first(&self) -> Option<(IdentityKind, &Identity<'a>)> {
        let kinds = IdentityKind::ALL.iter().copied();
        kinds.filter_map(|kind| Some((kind, self.get(kind)?))).next()
    }
}

/// Who someone in a call is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParticipantInfo<'a> {
    /// Who.
    pub identity: IdentitySet<'a>,
    /// Where, as a country code of two letters.
    pub country_code: Option<Cow<'a, str>>,
    /// Sort of endpoint, a word of `endpointType`.
    pub endpoint_type: Option<Cow<'a, str>>,
    /// A culture name such as `en-US`.
    pub language_id: Option<Cow<'a, str>>,
    /// Home region.
    pub region: Option<Cow<'a, str>>,
    /// Id in the roster.
    pub participant_id: Option<Cow<'a, str>>,
}

/// Who is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvitationParticipantInfo<'a> {
    /// Who.
    pub identity: IdentitySet<'a>,
    /// A call that ends once this one stands (consultative transfer).
    pub replaces_call_id: Option<Cow<'a, str>>,
}

impl Object for Identity<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("identity")?;
        out.given("id", &self.id)?;
        out.given("displayName", &self.display_name)?;
        out.given("tenantId", &self.tenant_id)
    }
}

impl Object for IdentitySet<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("identitySet")?;
        for (kind, identity) in &self.0 {
            out.object(kind.as_str(), identity)?;
        }
        Ok(())
    }
}

impl Object for ParticipantInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("participantInfo")?;
        out.object("identity", &self.identity)?;
        out.maybe("countryCode", &self.country_code)?;
        out.maybe("endpointType", &self.endpoint_type)?;
        out.maybe("region", &self.region)?;
        out.maybe("languageId", &self.language_id)?;
        out.given("participantId", &self.participant_id)
    }
}

impl Object for InvitationParticipantInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("invitationParticipantInfo")?;
        out.object("identity", &self.identity)?;
        out.unset("endpointType")?;
        out.maybe("replacesCallId", &self.replaces_call_id)
    }
}

impl Identity<'static> {
    fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(Identity {
            id: node.member("id").text()?,
            display_name: node.member("displayName").text()?,
            tenant_id: node.member("tenantId").text()?,
        })
    }
}

impl IdentitySet<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let mut set = Vec::new();
        for kind in IdentityKind::ALL {
            if let Some(identity) = node.member(kind.as_str()).object(Identity::read)? {
                set.push((*kind, identity));
            }
        }
        Ok(IdentitySet(set))
    }
}

impl ParticipantInfo<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(ParticipantInfo {
            identity: node.member("identity").object(IdentitySet::read)?.unwrap_or_default(),
            country_code: node.member("countryCode").text()?,
            endpoint_type: node.member("endpointType").text()?,
            language_id: node.member("languageId").text()?,
            region: node.member("region").text()?,
            participant_id: node.member("participantId").text()?,
        })
    }
}

impl InvitationParticipantInfo<'static> {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(InvitationParticipantInfo {
            identity: node.member("identity").object(IdentitySet::read)?.unwrap_or_default(),
            replaces_call_id: node.member("replacesCallId").text()?,
        })
    }
}
