use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

/// A Lua script that Redis keeps under its hash, so that only that travels.
///
/// ```
/// use bartizan_redis::Script;
/// const ONE: Script = Script::new("return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    text: &'static str,
    sha1: &'static str,
}

impl Script {
    /// A script, and its SHA-1 in lowercase hexadecimal digits. With another hash it is sent whole each time.
    pub const fn new(text: &'static str, sha1: &'static str) -> Self {
        Self { text, sha1 }
    }

    /// The script itself.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Its hash.
    pub const fn sha1(&self) -> &'static str {
        self.sha1
    }

    /// Runs what is kept.
    pub(crate) fn by_hash<K: AsRef<[u8]>, A: AsRef<[u8]>>(
        &self,
        keys: &[K],
        arguments: &[A],
    ) -> Cmd {
        command("EVALSHA", self.sha1, keys, arguments)
    }

    /// Runs it whole, after which it is kept.
    pub(crate) fn whole<K: AsRef<[u8]>, A: AsRef<[u8]>>(&self, keys: &[K], arguments: &[A]) -> Cmd {
        command("EVAL", self.text, keys, arguments)
    }
}

/// Whether Redis does not have a script, be it that it restarted or was told to forget.
pub(crate) fn is_missing(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn command<K: AsRef<[u8]>, A: AsRef<[u8]>>(
    name: &str,
    script: &str,
    keys: &[K],
    arguments: &[A],
) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key.as_ref());
    }
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command
}
