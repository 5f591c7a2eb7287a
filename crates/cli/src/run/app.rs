//! Who a bot is: its app id and tenant, as bots are usually told them. It must not read secrets.

use std::path::Path;

use serde_json::Value;

use super::environment::Own;
use super::{read, say};

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

/// Keys of appsettings.json, as .NET names them: members of objects, or with the colon in one name.
const APP_SETTINGS: [&str; 12] = [
    "AzureAd:ClientId",
    "AzureAd:AppId",
    "Bot:AppId",
    "Bot:AadAppId",
    "Bot:ClientId",
    "BotConfiguration:AadAppId",
    "AppSettings:AadAppId",
    "Connections:ClientId",
    "MicrosoftAppId",
    "AadAppId",
    "AppId",
    "ClientId",
];
const TENANT_SETTINGS: [&str; 4] = ["AzureAd:TenantId", "Bot:TenantId", "MicrosoftAppTenantId", "TenantId"];

/// Looks where bots are told: the environment and `.env`, then the appsettings of the working directory.
pub(super) fn find(own: Own<'_>, folder: &Path) -> Option<Found> {
    let dotenv = dotenv(&read(&folder.join(".env")).unwrap_or_default());
    // A name that is a bot's own counts before one that many programs have, wherever it stands.
    let look = |name: &str| {
        let variable = own(name).and_then(|value| value.into_string().ok()).map(|value| (value, name.to_owned()));
        let in_file = dotenv.iter().rev().find(|(key, _)| key == name);
        guid(variable).or_else(|| guid(in_file.map(|(_, value)| (value.clone(), format!("{name} in .env")))))
    };
    if let Some((id, from)) = APP.into_iter().find_map(look) {
        return Some(Found { id, tenant: TENANT.into_iter().find_map(look).map(|(tenant, _)| tenant), from });
    }
    // What a development environment says goes before what all say.
    ["appsettings.Development.json", "appsettings.json"].iter().find_map(|name| in_settings(folder, name))
}

/// An id and where it is from, if it is a GUID: other programs' `CLIENT_ID` are none.
fn guid(found: Option<(String, String)>) -> Option<(String, String)> {
    let (value, from) = found?;
    id(&value).ok().map(|id| (id, from))
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
    // .NET writes a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let Ok(settings) = serde_json::from_str::<Value>(text).or_else(|_| serde_json::from_str(&strict(text))) else {
        say(&format!("{name} does not read as JSON: if the app id is in it, give --app-id"));
        return None;
    };
    let look = |key: &str| id(setting(&settings, key)?.as_str()?).ok();
    let (key, id) = APP_SETTINGS.into_iter().find_map(|key| Some((key, look(key)?)))?;
    Some(Found { id, tenant: TENANT_SETTINGS.into_iter().find_map(look), from: format!("{key} in {name}") })
}

/// What .NET finds by this key: names have no case, and a colon may stand for an object or in a name.
fn setting<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find_map(|(name, value)| {
        let is_name = key.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        match key.get(name.len()..).filter(|_| is_name)? {
            "" => Some(value),
            rest => setting(value, rest.strip_prefix(':')?),
        }
    })
}

/// JSON of what .NET reads as such: without comments, and without commas that nothing follows.
fn strict(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '}', ']']) {
        let (before, from) = rest.split_at(at);
        json.push_str(before);
        let comment = match from.get(..2) {
            Some("//") => Some(from.find('\n').unwrap_or(from.len())),
            Some("/*") => Some(from[2..].find("*/").map_or(from.len(), |at| at + 4)),
            _ => None,
        };
        let taken = comment.unwrap_or_else(|| if from.starts_with('"') { string(from) } else { 1 });
        if from.starts_with(['}', ']']) {
            json.truncate(json.trim_end().trim_end_matches(',').len());
        }
        if comment.is_none() {
            json.push_str(&from[..taken]);
        }
        rest = &from[taken..];
    }
    json + rest
}

/// Bytes of the string that this text begins with, its quotes included.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |at| at + 2)
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
    fn the_environment_goes_before_files_a_bots_own_name_before_others_and_only_guids_are_ids() {
        let all = [("CLIENT_ID", "spotify-client"), ("AZURE_CLIENT_ID", ID), ("AZURE_TENANT_ID", OTHER)];
        let of_env = found(&all, &[(".env", &format!("AZURE_CLIENT_ID={OTHER}\nCLIENT_ID={OTHER}\n"))]).unwrap();
        assert_eq!((of_env.id.as_str(), of_env.tenant.as_deref()), (ID, Some(OTHER)));
        assert_eq!(of_env.from, "AZURE_CLIENT_ID");
        let of_file = found(&all, &[(".env", &format!("MicrosoftAppId={OTHER}\n"))]).unwrap();
        assert_eq!((of_file.id.as_str(), of_file.tenant.as_deref()), (OTHER, Some(OTHER)));
        assert_eq!(of_file.from, "MicrosoftAppId in .env");
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
        let id_of = |text: &str| found(&[], &[("appsettings.json", text)]).map(|found| (found.id, found.from));
        for text in [
            r#"{"AzureAd:ClientId": "ID", "logs": "C:\\logs\\", "url": "https://x.example"}"#,
            r#"{"logs": "C:\\logs\\", /* "a": 1, */ "say": "\"// not one, ]\\",
                "list": [1, 2, ], "azuread": {"ClientId": "ID", /**/ }, } // its end"#,
            r#"{"AzureAd": {"ClientId": "ID"}, "AzureAd:Instance": "https://login.microsoftonline.com/"}"#,
            r#"{"AzureAd": {"TenantId": ""}, "AzureAd:ClientId": "ID"} /* unfinished"#,
        ] {
            let wanted = (ID.to_owned(), "AzureAd:ClientId in appsettings.json".to_owned());
            assert_eq!(id_of(&text.replace("ID\"", &format!("{ID}\""))), Some(wanted), "{text}");
        }
    }
}
