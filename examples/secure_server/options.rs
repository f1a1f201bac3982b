//! The command line and the environment.

use std::env;

use lexopt::prelude::*;

/// What the caller asks for.
pub(crate) struct Options {
    /// An issuer and an audience to trust instead of embedded ones.
    pub(crate) trusted: Option<(String, String)>,
    /// `PORT`; 0 picks one.
    pub(crate) port: u16,
    /// One line for scripts instead of a text for people.
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, lexopt::Error> {
        let (mut issuer, mut audience, mut json) = (None, None, false);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("issuer") => issuer = Some(parser.value()?.string()?),
                Long("audience") => audience = Some(parser.value()?.string()?),
                Long("json") => json = true,
                Long("help") | Short('h') => {
                    println!("usage: secure_server [--issuer URL --audience URL] [--json]");
                    std::process::exit(0);
                }
                _ => return Err(argument.unexpected()),
            }
        }
        let trusted = match (issuer, audience) {
            (Some(issuer), Some(audience)) => Some((issuer, audience)),
            (None, None) => None,
            _ => return Err("--issuer and --audience go together".into()),
        };
        let port = match env::var("PORT") {
            Ok(port) => port
                .parse()
                .map_err(|_| format!("PORT `{port}` is not a port"))?,
            Err(_) => 8080,
        };
        Ok(Self {
            trusted,
            port,
            json,
        })
    }
}
