//! The command line.

use std::{ffi::OsString, time::Duration};

use bartizan::apikey::{KeyGrant, KeyId, USUAL_LIFE};
use lexopt::{Arg, Parser, ValueExt as _};

use super::Failure;

pub(super) const USAGE: &str = "\
usage: keys [--store STORE] [--pepper-file PATH] [--brand NAME] [--environments A,B] [--schema NAME] [--json] COMMAND

  init                        makes a pepper, and a store that is a file
  issue OWNER                 [--user] [--name NAME] [--environment E] [--tenant T] [--role R]... [--scope S]...
                              [--capability C]... [--tool PATTERN]... [--network CIDR]... [--life 90d]
  issue --honey LABEL         a decoy, which is never good [--environment E]
  list
  inspect ID
  rotate ID [--overlap 24h]   or rotate ID --again, if the new key's text was lost
  revoke ID --reason TEXT
  leaked                      revokes the key on standard input
  remove-ended [--older-than 90d]
";

pub(crate) struct Options {
    pub(super) store: Option<String>,
    pub(super) pepper_file: Option<String>,
    pub(super) brand: String,
    pub(super) environments: Vec<String>,
    pub(super) schema: Option<String>,
    pub(super) json: bool,
    pub(super) action: Action,
}

pub(super) enum Action {
    Help,
    Init,
    Issue {
        grant: Box<KeyGrant>,
        life: Duration,
    },
    Honey {
        label: String,
        environment: String,
    },
    List,
    Inspect {
        id: KeyId,
    },
    Rotate {
        id: KeyId,
        overlap: Duration,
        again: bool,
    },
    Revoke {
        id: KeyId,
        reason: String,
    },
    Leaked,
    RemoveEnded {
        older_than: Duration,
    },
}

/// All that may be said, before it is known what for.
#[derive(Default)]
struct Said {
    words: Vec<String>,
    user: bool,
    again: bool,
    honey: Option<String>,
    name: Option<String>,
    environment: Option<String>,
    tenant: Option<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
    capabilities: Vec<String>,
    tools: Vec<String>,
    networks: Vec<String>,
    life: Option<String>,
    overlap: Option<String>,
    older_than: Option<String>,
    reason: Option<String>,
    help: bool,
}

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Options, Failure> {
    let mut options = Options {
        store: environment("KEYS_STORE"),
        pepper_file: environment("KEYS_PEPPER_FILE"),
        brand: "acme".to_owned(),
        environments: vec!["live".to_owned(), "test".to_owned()],
        schema: None,
        json: false,
        action: Action::Help,
    };
    let mut said = Said::default();
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("store") => options.store = Some(text(&mut parser)?),
            Arg::Long("pepper-file") => options.pepper_file = Some(text(&mut parser)?),
            Arg::Long("brand") => options.brand = text(&mut parser)?,
            Arg::Long("environments") => {
                let list = text(&mut parser)?;
                options.environments = list.split(',').map(str::to_owned).collect();
            }
            Arg::Long("schema") => options.schema = Some(text(&mut parser)?),
            Arg::Long("json") => options.json = true,
            Arg::Long("help") | Arg::Short('h') => said.help = true,
            Arg::Long("user") => said.user = true,
            Arg::Long("again") => said.again = true,
            Arg::Long("honey") => said.honey = Some(text(&mut parser)?),
            Arg::Long("name") => said.name = Some(text(&mut parser)?),
            Arg::Long("environment") => said.environment = Some(text(&mut parser)?),
            Arg::Long("tenant") => said.tenant = Some(text(&mut parser)?),
            Arg::Long("role") => said.roles.push(text(&mut parser)?),
            Arg::Long("scope") => said.scopes.push(text(&mut parser)?),
            Arg::Long("capability") => said.capabilities.push(text(&mut parser)?),
            Arg::Long("tool") => said.tools.push(text(&mut parser)?),
            Arg::Long("network") => said.networks.push(text(&mut parser)?),
            Arg::Long("life") => said.life = Some(text(&mut parser)?),
            Arg::Long("overlap") => said.overlap = Some(text(&mut parser)?),
            Arg::Long("older-than") => said.older_than = Some(text(&mut parser)?),
            Arg::Long("reason") => said.reason = Some(text(&mut parser)?),
            Arg::Value(word) => said.words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    options.action = action(said, &options.environments)?;
    Ok(options)
}

fn text(parser: &mut Parser) -> Result<String, lexopt::Error> {
    parser.value()?.string()
}

/// What was said and is not for this command is an error, not ignored: it may have been meant to limit something.
fn action(mut said: Said, environments: &[String]) -> Result<Action, Failure> {
    if said.help {
        return Ok(Action::Help);
    }
    let words = std::mem::take(&mut said.words);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let action = match words[..] {
        ["init"] => Action::Init,
        ["issue"] => honey(&mut said, environments)?,
        ["issue", owner] => issue(owner, &mut said, environments)?,
        ["list"] => Action::List,
        ["inspect", id] => Action::Inspect { id: key_id(id)? },
        ["rotate", id] => Action::Rotate {
            id: key_id(id)?,
            overlap: duration(said.overlap.take(), DAY)?,
            again: std::mem::take(&mut said.again),
        },
        ["revoke", id] => {
            let reason = said.reason.take();
            Action::Revoke {
                id: key_id(id)?,
                reason: reason.ok_or_else(|| usage("revoke needs a --reason"))?,
            }
        }
        ["leaked"] => Action::Leaked,
        ["remove-ended"] => Action::RemoveEnded {
            older_than: duration(said.older_than.take(), 90 * DAY)?,
        },
        [] => return Err(usage("no command; see --help")),
        [command, ..] => {
            return Err(usage(&format!(
                "`{command}` does not take that; see --help"
            )));
        }
    };
    match said.left() {
        Some(option) => {
            let command = words.first().copied().unwrap_or_default();
            Err(usage(&format!("{command} does not take --{option}")))
        }
        None => Ok(action),
    }
}

fn honey(said: &mut Said, environments: &[String]) -> Result<Action, Failure> {
    let label = said.honey.take();
    Ok(Action::Honey {
        label: label.ok_or_else(|| usage("issue needs an OWNER, or --honey LABEL"))?,
        environment: environment(said, environments),
    })
}

/// What is said, or else the first one.
fn environment(said: &mut Said, environments: &[String]) -> String {
    let first = environments.first();
    let environment = said.environment.take();
    environment.or(first.cloned()).unwrap_or_default()
}

fn issue(owner: &str, said: &mut Said, environments: &[String]) -> Result<Action, Failure> {
    use std::mem::take;
    let environment = environment(said, environments);
    let mut grant = match take(&mut said.user) {
        true => KeyGrant::user(owner, &environment),
        false => KeyGrant::service(owner, &environment),
    }
    .roles(take(&mut said.roles))
    .scopes(take(&mut said.scopes))
    .capabilities(take(&mut said.capabilities));
    if let Some(name) = said.name.take() {
        grant = grant.named(&name);
    }
    if let Some(tenant) = said.tenant.take() {
        grant = grant.tenant(&tenant);
    }
    if !said.tools.is_empty() {
        grant = grant.only_tools(take(&mut said.tools));
    }
    let mut networks = Vec::new();
    for network in take(&mut said.networks) {
        let parsed = network.parse().map_err(|_| {
            usage(&format!(
                "network `{network}` is not as 192.0.2.0/24 or 2001:db8::/32"
            ))
        })?;
        networks.push(parsed);
    }
    Ok(Action::Issue {
        grant: Box::new(grant.networks(networks)),
        life: duration(said.life.take(), USUAL_LIFE)?,
    })
}

impl Said {
    /// An option that nobody took.
    fn left(&self) -> Option<&'static str> {
        let options = [
            ("user", self.user),
            ("again", self.again),
            ("honey", self.honey.is_some()),
            ("name", self.name.is_some()),
            ("environment", self.environment.is_some()),
            ("tenant", self.tenant.is_some()),
            ("role", !self.roles.is_empty()),
            ("scope", !self.scopes.is_empty()),
            ("capability", !self.capabilities.is_empty()),
            ("tool", !self.tools.is_empty()),
            ("network", !self.networks.is_empty()),
            ("life", self.life.is_some()),
            ("overlap", self.overlap.is_some()),
            ("older-than", self.older_than.is_some()),
            ("reason", self.reason.is_some()),
        ];
        options
            .into_iter()
            .find(|(_, said)| *said)
            .map(|(option, _)| option)
    }
}

fn key_id(text: &str) -> Result<KeyId, Failure> {
    text.parse()
        .map_err(|error| usage(&format!("`{text}`: {error}")))
}

/// A number and one of `s`, `m`, `h`, `d`.
fn duration(text: Option<String>, usual: Duration) -> Result<Duration, Failure> {
    let Some(text) = text else {
        return Ok(usual);
    };
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 0,
    };
    let number = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
    let is_plain = number.bytes().all(|b| b.is_ascii_digit());
    let seconds = number.parse().ok().filter(|_| is_plain && unit > 0);
    let seconds = seconds.and_then(|number: u64| number.checked_mul(unit));
    let seconds =
        seconds.ok_or_else(|| usage(&format!("`{text}` is not as 30s, 15m, 24h or 90d")))?;
    Ok(Duration::from_secs(seconds))
}

fn usage(problem: &str) -> Failure {
    Failure::Usage(problem.to_owned())
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}
