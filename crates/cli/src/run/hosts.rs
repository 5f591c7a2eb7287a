//! Where a host leads: to Ringback, nowhere, or through. Proxy and hooks decide by these two lists alone.

use ringback_server::tls::STANDS_IN_FOR;

/// The port at which Microsoft's hosts are stood in for.
pub(super) const PORT: u16 = 443;

/// Hosts of Microsoft's, and all below them, that take the same tokens or carry the same calls and that Ringback does
/// not stand in for: other clouds, other names of the same services, Skype's and the Bot Framework's. What is sent there
/// in a development run is a mistake, and would tell strangers of it.
const REFUSED: [&str; 18] = [
    "botframework.azure.us",
    "botframework.com",
    "graph.microsoft.de",
    "dod-graph.microsoft.us",
    "graph.microsoft.us",
    "graph.windows.net",
    "login.chinacloudapi.cn",
    "login.microsoft.com",
    "login.microsoftonline.de",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.windows.net",
    "microsoftgraph.chinacloudapi.cn",
    "microsoftonline.com",
    "skype.com",
    "smba.trafficmanager.net",
    "sts.windows.net",
    "teams.microsoft.com",
];

/// Domains of Microsoft's: a host that is one of them or below it, and not stood in for, leads nowhere.
pub(super) fn microsofts() -> impl Iterator<Item = &'static str> {
    STANDS_IN_FOR.into_iter().chain(REFUSED)
}

/// Where a connection is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// To Ringback's HTTPS listener.
    Here,
    /// Nowhere: it is Microsoft's, and not stood in for.
    Nowhere,
    /// Where it says.
    Through,
}

/// Where a connection to a host (any case, a dot at its end or none) and port leads.
pub(super) fn leads(host: &str, port: u16) -> Leads {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if STANDS_IN_FOR.contains(&host.as_str()) {
        return if port == PORT { Leads::Here } else { Leads::Nowhere };
    }
    if microsofts().any(|domain| is_below(&host, domain)) { Leads::Nowhere } else { Leads::Through }
}

/// Whether a host is that domain or below it.
pub(super) fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What is said of a connection that leads nowhere. The hooks say the same.
pub(super) fn refusal(host: &str, port: u16) -> String {
    format!("{host}:{port} is Microsoft's, and Ringback does not stand in for it: refused, nothing was sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_hosts_lead_here_or_nowhere() {
        for host in STANDS_IN_FOR {
            assert_eq!(leads(host, 443), Leads::Here, "{host}");
            assert_eq!(leads(&format!("{}.", host.to_ascii_uppercase()), 443), Leads::Here, "{host}");
            assert_eq!(leads(host, 80), Leads::Nowhere, "{host}");
            assert_eq!(leads(&format!("canary.{host}"), 443), Leads::Nowhere, "{host}");
        }
        for host in ["skype.com", "API.flightproxy.skype.com", "login.windows.net.", "smba.trafficmanager.net"] {
            assert_eq!(leads(host, 443), Leads::Nowhere, "{host}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for host in ["example.com", "graph.microsoft.com.example", "notskype.com", "learn.microsoft.com", "127.0.0.1"] {
            assert_eq!(leads(host, 443), Leads::Through, "{host}");
        }
    }
}
