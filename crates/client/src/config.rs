//! What a bot's author states about the app and the platform it talks to.

use std::fmt;

/// The app's settings. `Debug` hides the secret.
#[derive(Clone)]
pub struct Config {
    /// The platform, such as `http://127.0.0.1:8480`; no path.
    pub base_url: String,
    /// Tenant id (or a name the token endpoint knows).
    pub tenant: String,
    /// The app's (client) id.
    pub app_id: String,
    /// The app's secret.
    pub secret: String,
    /// Who gives tokens, such as `https://login.microsoftonline.com`; `None` = `base_url`.
    pub authority: Option<String>,
    /// OpenID document of whoever signs notifications; `None` =
    /// `{base_url}/v1/.well-known/OpenIdConfiguration`.
    pub openid_url: Option<String>,
}

impl Config {
    /// Settings with everything at `base_url`.
    pub fn new(
        base_url: impl Into<String>,
        tenant: impl Into<String>,
        app_id: impl Into<String>,
        secret: impl Into<String>,
    ) -> Config {
        Config {
            base_url: base_url.into(),
            tenant: tenant.into(),
            app_id: app_id.into(),
            secret: secret.into(),
            authority: None,
            openid_url: None,
        }
    }

    /// Settings for Microsoft's own hosts.
    pub fn microsoft(tenant: impl Into<String>, app_id: impl Into<String>, secret: impl Into<String>) -> Config {
        Config {
            authority: Some("https://login.microsoftonline.com".into()),
            openid_url: Some("https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration".into()),
            ..Config::new("https://graph.microsoft.com", tenant, app_id, secret)
        }
    }

    pub(crate) fn openid_url(&self) -> String {
        let default = || format!("{}/v1/.well-known/OpenIdConfiguration", self.base_url.trim_end_matches('/'));
        self.openid_url.clone().unwrap_or_else(default)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("base_url", &self.base_url)
            .field("tenant", &self.tenant)
            .field("app_id", &self.app_id)
            .field("authority", &self.authority)
            .field("openid_url", &self.openid_url)
            .finish_non_exhaustive()
    }
}
