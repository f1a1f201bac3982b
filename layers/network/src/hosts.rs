use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{
    NetworkConfigError,
    host::{Host, Name, parse_port},
};

/// The hosts that requests may name.
#[derive(Debug, Clone, Default)]
pub(crate) enum Hosts {
    #[default]
    Loopback,
    Listed(Vec<Pattern>),
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    name: PatternName,
    port: Option<u16>,
    /// The name as it was listed; `None` of a wildcard.
    spelled: Option<Box<str>>,
}

const SPELLED_LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternName {
    Dns(Box<str>),
    OneLabelBelow(Box<str>),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Hosts {
    pub(crate) fn allow(&mut self, text: &str) -> Result<(), NetworkConfigError> {
        let error = |problem| NetworkConfigError::new("host", text, problem);
        let pattern = Pattern::parse(text).map_err(error)?;
        match self {
            Self::Loopback => *self = Self::Listed(vec![pattern]),
            Self::Listed(patterns) if patterns.contains(&pattern) => {}
            Self::Listed(patterns) => patterns.push(pattern),
            Self::Any => return Err(error("is listed although any host is allowed")),
        }
        Ok(())
    }

    pub(crate) fn danger_allow_any(&mut self) -> Result<(), NetworkConfigError> {
        if let Self::Listed(_) = self {
            let problem = "is allowed although hosts are listed";
            return Err(NetworkConfigError::new("host", "*", problem));
        }
        *self = Self::Any;
        Ok(())
    }

    /// Whether a field is, byte for byte, one of these hosts with or without a port that may be there:
    /// what clients send, told without parsing. `false` says nothing.
    pub(crate) fn spell(&self, field: &[u8]) -> bool {
        match self {
            Self::Loopback => SPELLED_LOOPBACK
                .iter()
                .any(|name| spells(name, None, field)),
            Self::Listed(patterns) => patterns.iter().any(|pattern| {
                let name = pattern.spelled.as_deref();
                name.is_some_and(|name| spells(name, pattern.port, field))
            }),
            Self::Any => false,
        }
    }

    pub(crate) fn admit(&self, host: &Host<'_>) -> bool {
        match self {
            Self::Loopback => match host.name {
                Name::Dns(name) => name.eq_ignore_ascii_case("localhost"),
                Name::V4(v4) => v4 == Ipv4Addr::LOCALHOST,
                Name::V6(v6) => v6 == Ipv6Addr::LOCALHOST,
            },
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.admits(host)),
            Self::Any => true,
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Err("is any host: say so with danger_allow_any_host");
        }
        if text.contains('/') {
            return Err("has a scheme or a path: a host is a name and perhaps a port");
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err("is an IPv6 address without brackets");
        }
        if !text.is_ascii() {
            return Err("is not ASCII: write it in Punycode");
        }
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(parent) => (true, parent),
            None => (false, text),
        };
        if rest.contains('*') {
            return Err("has a wildcard that is not its whole first label");
        }
        let host = Host::parse(rest)?;
        let name = match host.name {
            Name::Dns(parent) if wildcard && !parent.contains('.') => {
                return Err("is a wildcard over a top-level domain");
            }
            Name::Dns(parent) if wildcard => PatternName::OneLabelBelow(parent.into()),
            _ if wildcard => return Err("is a wildcard over an address"),
            Name::Dns(name) => PatternName::Dns(name.into()),
            Name::V4(v4) => PatternName::V4(v4),
            Name::V6(v6) => PatternName::V6(v6),
        };
        let port = host.port;
        let spelled = match port {
            Some(_) => rest.rsplit_once(':').map(|(name, _)| name),
            None => Some(rest),
        };
        let spelled = spelled.filter(|_| !wildcard).map(Box::from);
        Ok(Self {
            name,
            port,
            spelled,
        })
    }

    fn admits(&self, host: &Host<'_>) -> bool {
        let name = match (&self.name, host.name) {
            (PatternName::Dns(listed), Name::Dns(name)) => listed.eq_ignore_ascii_case(name),
            (PatternName::OneLabelBelow(parent), Name::Dns(name)) => name
                .split_once('.')
                .is_some_and(|(_, above)| parent.eq_ignore_ascii_case(above)),
            (PatternName::V4(listed), Name::V4(v4)) => *listed == v4,
            (PatternName::V6(listed), Name::V6(v6)) => *listed == v6,
            _ => false,
        };
        name && (self.port.is_none() || self.port == host.port)
    }
}

/// Whether a field is this name alone or with the port, where one is asked for.
fn spells(name: &str, port: Option<u16>, field: &[u8]) -> bool {
    match field.strip_prefix(name.as_bytes()) {
        None => false,
        Some([]) => port.is_none(),
        Some([b':', digits @ ..]) => match parse_port(digits) {
            Some(stated) => port.is_none_or(|port| port == stated),
            None => false,
        },
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(entries: &[&str]) -> Hosts {
        let mut hosts = Hosts::default();
        for entry in entries {
            hosts.allow(entry).unwrap();
        }
        hosts
    }

    #[test]
    fn an_entry_that_could_mean_two_things_does_not_build() {
        for bad in [
            "",
            "*",
            "*.com",
            "*.127.0.0.1",
            "*.[::1]",
            "*.*.example.com",
            "a.*.example.com",
            "*example.com",
            "https://mcp.example.com",
            "mcp.example.com/mcp",
            "user@mcp.example.com",
            "mcp.example.com.",
            "mcp..example.com",
            "mcp.example.com:",
            "mcp.example.com:0",
            "mcp.example.com:080",
            "mcp.example.com:65536",
            "mcp.example.com:*",
            " mcp.example.com",
            "a.example,b.example",
            "bücher.example",
            "::1",
            "[::1",
            "[::1]x",
            "127.1",
            "0x7f000001",
        ] {
            let error = Hosts::default().allow(bad).unwrap_err().to_string();
            assert!(error.starts_with("host `"), "{error}");
        }
    }

    #[test]
    fn listed_hosts_and_any_host_contradict_each_other() {
        let mut hosts = listed(&["a.example"]);
        assert!(hosts.danger_allow_any().is_err());
        assert!(matches!(hosts, Hosts::Listed(_)));
        let mut hosts = Hosts::default();
        hosts.danger_allow_any().unwrap();
        let error = hosts.allow("a.example").unwrap_err().to_string();
        assert!(error.contains("`a.example`"), "{error}");
    }

    #[test]
    fn a_list_replaces_the_loopback_default() {
        let local = Host::parse("localhost").unwrap();
        assert!(Hosts::default().admit(&local));
        assert!(!listed(&["a.example"]).admit(&local));
    }

    #[test]
    fn what_clients_send_is_told_without_parsing() {
        let hosts = listed(&[
            "mcp.example.com",
            "a.example:8443",
            "[2001:db8::1]",
            "*.b.example",
        ]);
        for (hosts, text, spelled) in [
            (&hosts, "mcp.example.com", true),
            (&hosts, "mcp.example.com:443", true),
            (&hosts, "mcp.example.com:0443", false),
            (&hosts, "mcp.example.com:", false),
            (&hosts, "mcp.example.com.", false),
            (&hosts, "a.example:8443", true),
            (&hosts, "a.example", false),
            (&hosts, "a.example:443", false),
            (&hosts, "[2001:db8::1]:80", true),
            (&hosts, "c.b.example", false),
            (&hosts, "localhost", false),
            (&Hosts::Loopback, "localhost:8080", true),
            (&Hosts::Loopback, "[::1]", true),
            (&Hosts::Loopback, "localhosts", false),
            (&Hosts::Any, "localhost", false),
        ] {
            assert_eq!(hosts.spell(text.as_bytes()), spelled, "{text}");
        }
    }

    proptest! {
        #[test]
        fn oh_3_what_is_told_without_parsing_is_admitted_when_parsed(
            entry in "[aA]{1,2}(\\.b)?(:80)?|\\[::1\\]|127\\.0\\.0\\.1(:80)?|\\*\\.a\\.b",
            text in "([aA]{1,2}(\\.b)?|\\[::1\\]|127\\.0\\.0\\.1|localhost)(:[0-9x]{0,6})?[.:]?",
        ) {
            for hosts in [listed(&[&entry]), Hosts::Loopback, Hosts::Any] {
                if hosts.spell(text.as_bytes()) {
                    let host = Host::parse(&text);
                    prop_assert!(host.is_ok_and(|host| hosts.admit(&host)), "{text} {hosts:?}");
                }
            }
        }

        #[test]
        fn oh_3_no_neighbour_of_a_listed_name_is_admitted(
            before in "[a-z0-9-]{1,5}",
            after in "[a-z0-9-]{1,5}",
        ) {
            let hosts = listed(&["mcp.example.com", "*.wild.example.com"]);
            for text in [
                format!("{before}mcp.example.com"),
                format!("{before}.mcp.example.com"),
                format!("mcp.example.com.{after}x"),
                format!("mcp.example.com{after}"),
                format!("{before}wild.example.com"),
                format!("{before}.{after}.wild.example.com"),
                format!("{before}.wild.example.com.{after}x"),
            ] {
                let host = Host::parse(&text);
                prop_assert!(!host.is_ok_and(|host| hosts.admit(&host)), "{text}");
            }
            let below = format!("{before}.wild.example.com");
            prop_assert!(hosts.admit(&Host::parse(&below).unwrap()));
        }
    }
}
