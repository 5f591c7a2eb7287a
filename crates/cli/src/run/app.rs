//! Who a bot is: its app id and tenant, as bots are usually told them. It must not read secrets.

use std::path::Path;

use serde_json::Value;

use super::environment::Own;
use super::{limits, say};

/// An app id, perhaps a tenant, and where they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) tenant: Option<String>,
    /// The name of a variable or of a file's member.
    pub(super) from: String,
}

/// Names under which bots are told their app id: the Bot Framework's, Azure's, samples'.
const APP: [&str; 20] = [
    "MicrosoftAppId",
    "MICROSOFT_APP_ID",
    "MicrosoftApp__Id",
    "BOT_APP_ID",
    "BOT_ID",
    "Bot__AppId",
    "Bot__AadAppId",
    "BotAppId",
    "AzureAd__ClientId",
    "AZURE_CLIENT_ID",
    "AAD_APP_CLIENT_ID",
    "AAD_APP_ID",
    "GRAPH_CLIENT_ID",
    "MS_CLIENT_ID",
    "TEAMS_APP_ID",
    "CLIENT_ID",
    "ClientId",
    "APP_ID",
    "AppId",
    "APPLICATION_ID",
];

/// And their tenant.
const TENANT: [&str; 12] = [
    "MicrosoftAppTenantId",
    "MICROSOFT_APP_TENANT_ID",
    "AzureAd__TenantId",
    "AZURE_TENANT_ID",
    "AAD_APP_TENANT_ID",
    "GRAPH_TENANT_ID",
    "MS_TENANT_ID",
    "TENANT_ID",
    "TenantId",
    "DIRECTORY_ID",
    "Bot__TenantId",
    "TENANT",
];

/// Members of appsettings.json: an object's name, or none for the file itself, and the member's.
const APP_SETTINGS: [(&str, &str); 12] = [
    ("AzureAd", "ClientId"),
    ("AzureAd", "AppId"),
    ("Bot", "AppId"),
    ("Bot", "AadAppId"),
    ("Bot", "ClientId"),
    ("BotConfiguration", "AadAppId"),
    ("AppSettings", "AadAppId"),
    ("Connections", "ClientId"),
    ("", "MicrosoftAppId"),
    ("", "AadAppId"),
    ("", "AppId"),
    ("", "ClientId"),
];
const TENANT_SETTINGS: [(&str, &str); 4] =
    [("AzureAd", "TenantId"), ("Bot", "TenantId"), ("", "MicrosoftAppTenantId"), ("", "TenantId")];

/// Looks where bots are told: the environment, then `.env` and the appsettings of the working directory.
pub(super) fn find(own: Own<'_>, folder: &Path) -> Option<Found> {
    let variable = |name: &str| own(name).and_then(|value| value.into_string().ok());
    let dotenv = dotenv(&read(&folder.join(".env")).unwrap_or_default());
    let in_dotenv = |name: &str| dotenv.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    by_name(&variable, "").or_else(|| by_name(&in_dotenv, " in .env")).or_else(|| {
        // What a development environment says goes before what all say.
        ["appsettings.Development.json", "appsettings.json"].iter().find_map(|name| in_settings(folder, name))
    })
}

/// An app id as a GUID: other programs' `CLIENT_ID` are none.
fn by_name(look: &dyn Fn(&str) -> Option<String>, of: &str) -> Option<Found> {
    let guid = |name: &&str| look(name).map(|value| value.trim().to_ascii_lowercase()).filter(|value| is_guid(value));
    let (name, id) = APP.iter().find_map(|name| Some((name, guid(name)?)))?;
    Some(Found { id, tenant: TENANT.iter().find_map(guid), from: format!("{name}{of}") })
}

/// The lines `NAME=value` of a file for dotenv: `export`, quotes and comments as there.
fn dotenv(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
        let bare = value.split(" #").next().unwrap_or_default().trim();
        Some((name.trim().to_owned(), quoted.unwrap_or(bare).to_owned()))
    };
    lines.filter_map(pair).collect()
}

fn in_settings(folder: &Path, name: &str) -> Option<Found> {
    let text = read(&folder.join(name))?;
    // .NET writes a byte order mark, and allows comments and commas that JSON does not.
    let Ok(settings) = serde_json::from_str::<Value>(&without_comments(text.trim_start_matches('\u{feff}'))) else {
        say(&format!("{name} does not read as JSON: if the app id is in it, give --app-id"));
        return None;
    };
    let look = |(object, member): &(&str, &str)| {
        let object = if object.is_empty() { Some(&settings) } else { any_case(&settings, object) };
        let value = any_case(object?, member)?.as_str()?.trim().to_ascii_lowercase();
        is_guid(&value).then_some(value)
    };
    let (place, id) = APP_SETTINGS.iter().find_map(|place| Some((place, look(place)?)))?;
    let member = [place.0, place.1].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(":");
    Some(Found { id, tenant: TENANT_SETTINGS.iter().find_map(look), from: format!("{member} in {name}") })
}

/// .NET's keys have no case.
fn any_case<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// JSON without its `//` comments, outside of strings.
fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let mut in_string = false;
        let mut before = '\0';
        for (at, letter) in line.char_indices() {
            match letter {
                '"' if before != '\\' => in_string = !in_string,
                '/' if before == '/' && !in_string => return line[..at - 1].to_owned(),
                _ => {}
            }
            before = letter;
        }
        line.to_owned()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn read(path: &Path) -> Option<String> {
    let length = path.metadata().ok()?.len();
    if length > limits::SETTINGS { None } else { std::fs::read_to_string(path).ok() }
}

/// Reads `--app-id`.
pub(super) fn id(text: &str) -> Result<String, String> {
    let id = text.trim().to_ascii_lowercase();
    if is_guid(&id) {
        Ok(id)
    } else {
        Err("an app id is a GUID, such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned())
    }
}

/// 32 hexadecimal digits and four dashes in their places.
pub(super) fn is_guid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36 && text.bytes().enumerate().all(|(at, b)| if dash(at) { b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    const OTHER: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

    fn found(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Option<Found> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let own = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).into());
        find(&own, folder.path())
    }

    #[test]
    fn the_environment_goes_before_files_and_only_guids_are_ids() {
        let all = [("CLIENT_ID", "spotify-client"), ("AZURE_CLIENT_ID", ID), ("AZURE_TENANT_ID", OTHER)];
        let in_file = [(".env", "MicrosoftAppId=6f9619ff-8b86-4011-b42d-00c04fc964ff\n")];
        let of_env = found(&all, &in_file).unwrap();
        assert_eq!((of_env.id.as_str(), of_env.tenant.as_deref()), (ID, Some(OTHER)));
        assert_eq!(of_env.from, "AZURE_CLIENT_ID");
        assert_eq!(found(&[("CLIENT_ID", "spotify-client")], &[]), None);
    }

    #[test]
    fn an_app_id_is_a_guid() {
        assert_eq!(id(&format!(" {} ", ID.to_uppercase())), Ok(ID.to_owned()));
        for wrong in ["", "my-bot", "3f2504e04f8941d39a0c0305e82c3301", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}"] {
            assert!(id(wrong).is_err_and(|why| why.contains("GUID")), "{wrong}");
        }
    }

    #[test]
    fn dotenv_files_are_read_as_dotenv_does() {
        let text = format!(
            "# MicrosoftAppId={OTHER}\nexport MicrosoftAppId=\"{}\" # mine\nTENANT_ID='{OTHER}'\n",
            ID.to_uppercase()
        );
        let of_file = found(&[], &[(".env", &text)]).unwrap();
        assert_eq!((of_file.id.as_str(), of_file.tenant.as_deref()), (ID, Some(OTHER)));
        assert_eq!(of_file.from, "MicrosoftAppId in .env");
    }

    #[test]
    fn appsettings_are_read_as_net_does() {
        let text = format!(
            "\u{feff}{{\n  // the bot\n  \"bot\": {{ \"AppId\": \"{ID}\", \"url\": \"https://x.example\" }},\n  \
             \"AzureAd\": {{ \"tenantId\": \"{OTHER}\" }} // its tenant\n}}"
        );
        let of_file = found(&[], &[("appsettings.json", &text)]).unwrap();
        assert_eq!((of_file.id.as_str(), of_file.tenant.as_deref()), (ID, Some(OTHER)));
        assert_eq!(of_file.from, "Bot:AppId in appsettings.json");
        assert_eq!(found(&[], &[("appsettings.json", "{ nothing")]), None);
        let both = [
            ("appsettings.json", text.as_str()),
            ("appsettings.Development.json", r#"{"AppId": "6f9619ff-8b86-4011-b42d-00c04fc964ff"}"#),
        ];
        assert_eq!(found(&[], &both).unwrap().id, OTHER);
    }
}
