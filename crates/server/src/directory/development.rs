//! The published development directory: what `serve` knows when it is given no configuration.
//!
//! Everybody can read these secrets, so a listener that others can reach refuses to start with any of them
//! ([`published_identity`], [`super::Config::check_safety`]).

use super::secret::{SecretError, SecretHash};
use super::sip::ha1;
use super::{App, Directory, DirectoryParts, Line, Open, Reach, Role, Tenant, User, Webhook};
use ringback_core::{AppId, TenantId};
use std::sync::Arc;

/// The development tenant.
pub const TENANT_ID: &str = "0a0a0a0a-0000-4000-8000-000000000001";
/// The development app, which is a bot's client id.
pub const APP_ID: &str = "0a0a0a0a-0000-4000-8000-0000000000b0";
/// The development app's client secret.
pub const APP_SECRET: &str = "ringback-development-secret";
/// Where the development app is told of calls: the port most bot samples listen on.
pub const APP_WEBHOOK: &str = "http://127.0.0.1:3978/api/calls";
/// The numbers at which the development app is called.
pub const APP_NUMBERS: [&str; 2] = ["5000", "+15550100"];
/// The SIP password of both development phones.
pub const PHONE_PASSWORD: &str = "ringback";
/// The two development phones: user id and SIP login.
pub const PHONES: [(&str, &str); 2] =
    [("0a0a0a0a-0000-4000-8000-000000001001", "1001"), ("0a0a0a0a-0000-4000-8000-000000001002", "1002")];
/// The development test line, which answers at once: user id and number.
pub const NULL_LINE: (&str, &str) = ("0a0a0a0a-0000-4000-8000-000000009000", "9000");

/// [`APP_SECRET`], hashed (`hash_secret` with a fixed salt).
const APP_SECRET_HASH: &str =
    "pbkdf2-sha256$600000$cmluZ2JhY2stZGV2ZWxvcA==$EPXGTjRaotOYw6EqX69LIZac12usRc/bRnypmCjDYGc=";

/// The directory above. Each constant is checked by a test, so this fails only where that test does.
pub(super) fn directory() -> Result<Directory, SecretError> {
    let mut directory = Directory::new(parts()?);
    directory.development = true;
    Ok(directory)
}

fn parts() -> Result<DirectoryParts, SecretError> {
    let tenant = TenantId::new(TENANT_ID);
    let phone = |(id, sip): (&str, &str), line: Line| User {
        id: id.to_owned(),
        tenant: tenant.clone(),
        name: if line == Line::Null { format!("Test line {sip}") } else { format!("Phone {sip}") },
        sip: sip.to_owned(),
        ha1: (line == Line::Sip).then(|| ha1(sip, PHONE_PASSWORD)),
        nat: false,
        line,
    };
    let app = App {
        id: AppId::new(APP_ID),
        tenant: tenant.clone(),
        configured: false,
        name: "Development bot".to_owned(),
        secret: Some(SecretHash::parse(APP_SECRET_HASH)?),
        reach: Reach::new(Some(Webhook::parse(APP_WEBHOOK).map_err(|_| SecretError::Malformed)?), None, Vec::new()),
        roles: Role::ALL.to_vec(),
        numbers: APP_NUMBERS.map(str::to_owned).to_vec(),
        prefixes: Vec::new(),
        max_calls: super::config::DEFAULT_MAX_CALLS,
        max_recording_mib: super::config::DEFAULT_MAX_RECORDING_MIB,
    };
    let users = vec![phone(PHONES[0], Line::Sip), phone(PHONES[1], Line::Sip), phone(NULL_LINE, Line::Null)];
    let tenants = vec![Tenant { id: tenant.clone(), name: "development.ringback.example".to_owned() }];
    Ok(DirectoryParts { tenants, apps: vec![app], users, trunks: Vec::new(), open: Some(Open::default()) })
}

/// The first identity of this directory whose secret everybody knows, in words; `None` if there is none.
///
/// Slow: compares each app's hash with the published secret (about 0.1 s an app).
pub(super) fn published_identity(directory: &Directory) -> Option<String> {
    let published = |user: &&Arc<User>| user.ha1.as_deref() == Some(ha1(&user.sip, PHONE_PASSWORD).as_str());
    let phone = directory.users().filter(published).min_by(|a, b| a.sip.cmp(&b.sip));
    if let Some(user) = phone {
        return Some(format!(
            "user {} (users, sip = {:?}) has the password published for development",
            user.id, user.sip
        ));
    }
    let published = |app: &&Arc<App>| app.secret.as_ref().is_some_and(|secret| secret.verify(APP_SECRET));
    let app = directory.apps().find(published)?;
    Some(format!("app {} has the secret published for development", app.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_directory_is_what_is_published() {
        let directory = directory().unwrap();
        let app = directory.app(&AppId::new(APP_ID)).unwrap();
        assert!(app.secret.as_ref().unwrap().verify(APP_SECRET));
        assert_eq!(app.reach.webhook().unwrap().url().as_str(), APP_WEBHOOK);
        assert_eq!(directory.app_by_number("5000").unwrap().id, app.id);
        assert_eq!(directory.user_by_sip("1001").unwrap().name, "Phone 1001");
        assert_eq!(directory.user(PHONES[1].0).unwrap().sip, "1002");
        assert_eq!(directory.user_by_sip("9000").unwrap().line, Line::Null);
        assert!(directory.is_development() && directory.is_open());
    }

    #[test]
    fn a_published_password_or_secret_is_found() {
        let find = |parts| published_identity(&Directory::new(parts));
        let mut parts = parts().unwrap();
        assert!(find(parts.clone()).unwrap().contains("the password"), "phones are found");
        parts.users.clear();
        assert!(find(parts.clone()).unwrap().contains(APP_ID), "so is the app");
        parts.apps.clear();
        assert_eq!(find(parts), None);
    }
}
