use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{
    NetworkConfigError,
    host::{Host, Name},
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
}

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
        Ok(Self { name, port })
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

    proptest! {
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
