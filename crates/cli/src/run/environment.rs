//! The environment of a bot: what it has, and the variables by which its programs find Ringback in Microsoft's place.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ringback_server::tls::STANDS_IN_FOR;
use serde_json::{Value, json};

use super::folder::Folder;
use super::hosts::{self, is_below, microsofts};
use super::proxy::Upstream;
use crate::{Failure, limits};

/// A look at the user's own environment.
pub(super) type Own<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Variables by which clients are told of a proxy for https. Some read the one, some the other.
const PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// And of a proxy for everything, where the former are not set.
const ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// And of what goes past it.
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy that the user's environment names, if any.
pub(super) fn upstream(own: Own<'_>) -> Result<Option<Upstream>, Failure> {
    let set = PROXY.iter().chain(&ALL_PROXY).find_map(|name| text(own, name));
    let past: Vec<String> =
        NO_PROXY.iter().filter_map(|name| text(own, name)).flat_map(|list| cleaned(&list).1).collect();
    set.map(|address| Upstream::parse(&address, past)).transpose()
}

/// What is to be set, and what it leads to.
pub(super) struct Set<'a> {
    pub(super) folder: &'a Folder,
    pub(super) proxy: SocketAddr,
    /// Where the hooks lead to Ringback.
    pub(super) ringback: SocketAddr,
    /// Its authority's certificate.
    pub(super) authority: &'a Path,
    /// Whether the user has a proxy of his own.
    pub(super) has_upstream: bool,
    /// The variables of trust.
    pub(super) trusted: &'a [(&'static str, OsString)],
}

impl Set<'_> {
    /// The variables and their values.
    pub(super) fn variables(&self, own: Own<'_>) -> Vec<(&'static str, OsString)> {
        let proxy = self.address();
        let mut set: Vec<(&'static str, OsString)> = PROXY.iter().map(|name| (*name, proxy.clone().into())).collect();
        let kept = |name: &&'static str| text(own, name).map(|list| (*name, cleaned(&list).0.into()));
        set.extend(NO_PROXY.iter().filter_map(kept));
        set.push(("NODE_OPTIONS", first(&self.node_options(), " ", own("NODE_OPTIONS"))));
        // Without a PATH, programs are looked for in the system's usual folders.
        for (name, folder) in self.first().into_iter().filter(|(name, _)| *name != "PATH" || own(name).is_some()) {
            set.push((name, first(&folder.to_string_lossy(), ":", own(name))));
        }
        set.extend(self.trusted.iter().cloned());
        set
    }

    fn address(&self) -> String {
        format!("http://{}", self.proxy)
    }

    fn node_options(&self) -> String {
        node_option(&self.folder.node_hook())
    }

    /// Lists of folders, and the one that is to come first.
    fn first(&self) -> [(&'static str, PathBuf); 2] {
        [("PYTHONPATH", self.folder.python_path()), ("PATH", self.folder.programs())]
    }

    /// What the hooks are told. In Node's own process there is no proxy, unless the user has one: older axios would send
    /// requests for https to it in the clear. Its children get back what this process has set.
    pub(super) fn told(&self, own: Own<'_>) -> Value {
        let proxy = self.address();
        let mut node = serde_json::Map::new();
        let mut children = serde_json::Map::new();
        for name in PROXY {
            node.insert(name.to_owned(), if self.has_upstream { proxy.as_str().into() } else { Value::Null });
            children.insert(name.to_owned(), proxy.as_str().into());
        }
        for name in NO_PROXY {
            let kept = text(own, name).map(|list| cleaned(&list).0);
            let past: Vec<String> = kept.iter().cloned().chain(STANDS_IN_FOR.map(str::to_owned)).collect();
            node.insert(name.to_owned(), past.join(",").into());
            children.insert(name.to_owned(), kept.into());
        }
        let names = |values: Vec<(&'static str, OsString)>| -> serde_json::Map<String, Value> {
            values.into_iter().map(|(name, value)| (name.to_owned(), value.to_string_lossy().into())).collect()
        };
        json!({
            "ringback": { "host": self.ringback.ip().to_string(), "port": self.ringback.port() },
            "port": hosts::PORT,
            "hosts": STANDS_IN_FOR,
            "refused": microsofts().collect::<Vec<_>>(),
            "authority": self.authority,
            "said": self.folder.said(),
            "saidAtMost": limits::SAID,
            "node": node,
            "children": children,
            "nodeOptions": self.node_options(),
            "first": names(self.first().map(|(name, folder)| (name, folder.into_os_string())).into()),
            "trusted": names(self.trusted.to_vec()),
        })
    }
}

fn text(own: Own<'_>, name: &str) -> Option<String> {
    own(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

/// A list of what goes past a proxy, without what Microsoft's hosts would go past it by; and the domains left out.
fn cleaned(list: &str) -> (String, Vec<String>) {
    let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    let domain = |entry: &str| {
        let host = entry.split(':').next().unwrap_or_default();
        host.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase()
    };
    let microsofts = |entry: &&str| {
        let domain = domain(entry);
        domain == "*" || microsofts().any(|host| is_below(host, &domain) || is_below(&domain, host))
    };
    let (removed, kept): (Vec<&str>, Vec<&str>) = entries.partition(microsofts);
    (kept.join(","), removed.into_iter().map(domain).collect())
}

/// Node's option that has it load the hook. A path in quotes may hold anything (`node --help`).
pub(super) fn node_option(hook: &Path) -> String {
    let path = hook.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("--require \"{path}\"")
}

/// A list that begins with ours and goes on with what the user has.
pub(super) fn first(ours: &str, separator: &str, own: Option<OsString>) -> OsString {
    let mut list = OsString::from(ours);
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        list.push(separator);
        list.push(own);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_microsofts_goes_past_the_proxy() {
        assert_eq!(
            cleaned("localhost, 10.0.0.0/8,.corp.example"),
            ("localhost,10.0.0.0/8,.corp.example".into(), vec![])
        );
        let (kept, removed) = cleaned("localhost,.microsoft.com graph.microsoft.com:443,*.api.skype.com,com,*");
        assert_eq!(kept, "localhost");
        assert_eq!(removed, ["microsoft.com", "graph.microsoft.com", "api.skype.com", "com", "*"]);
    }

    #[test]
    fn what_the_user_has_set_for_node_and_python_stays() {
        assert_eq!(first("/hook", ":", Some("lib:more".into())), "/hook:lib:more");
        assert_eq!(first("/hook", ":", Some("".into())), "/hook");
        let own = first("--require \"/hook\"", " ", Some("--max-old-space-size=512".into()));
        assert_eq!(own, "--require \"/hook\" --max-old-space-size=512");
    }

    #[test]
    fn the_users_proxy_is_the_one_for_https() {
        let own = |name: &str| match name {
            "ALL_PROXY" => Some("http://all.example:1".into()),
            "HTTPS_PROXY" => Some("http://https.example:2".into()),
            "no_proxy" => Some(".microsoft.com".into()),
            _ => None,
        };
        let expected = Upstream::parse("http://https.example:2", vec!["microsoft.com".to_owned()]).unwrap();
        assert_eq!(upstream(&own).unwrap(), Some(expected));
        assert_eq!(upstream(&|_| None).unwrap(), None);
    }
}
