/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detector {
    /// What breaks out of a statement in SQL: tautologies, `UNION SELECT`, a second statement, a comment behind a quote.
    Sql,
    /// What makes a shell run something else: a program behind `;`, `|`, `&&`, or within `$(…)` or backquotes.
    Shell,
    /// Paths that climb far up, encoded or not, and files that are only asked for by attackers: `/etc/shadow`.
    Path,
    /// HTML that runs scripts: `<script`, handlers, `javascript:`, frames.
    Html,
    /// Expressions of template engines, as `{{7*7}}` and `${jndi:`.
    Template,
    /// Addresses of clouds' metadata services, however written, and URLs of protocols that serve to speak to others.
    Metadata,
    /// What speaks to the model instead of the user: hidden tags of Unicode, "ignore previous instructions", marks of a prompt.
    Prompt,
    /// A line of a header behind a carriage return.
    LineBreak,
    /// Credentials, private keys and numbers of payment cards, as `bartizan-sensitive` finds them.
    Secret,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Sql,
        Self::Shell,
        Self::Path,
        Self::Html,
        Self::Template,
        Self::Metadata,
        Self::Prompt,
        Self::LineBreak,
        Self::Secret,
    ];

    /// One lower-case word for records and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Shell => "shell",
            Self::Path => "path",
            Self::Html => "html",
            Self::Template => "template",
            Self::Metadata => "metadata",
            Self::Prompt => "prompt",
            Self::LineBreak => "line_break",
            Self::Secret => "secret",
        }
    }

    /// The rule that is broken, for the operator.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Sql => "screening/sql",
            Self::Shell => "screening/shell",
            Self::Path => "screening/path",
            Self::Html => "screening/html",
            Self::Template => "screening/template",
            Self::Metadata => "screening/metadata",
            Self::Prompt => "screening/prompt",
            Self::LineBreak => "screening/line_break",
            Self::Secret => "screening/secret",
        }
    }

    /// What it is, for the model.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Sql => "an injection of SQL",
            Self::Shell => "an injection of shell commands",
            Self::Path => "a path that leads out",
            Self::Html => "HTML that runs scripts",
            Self::Template => "an expression of a template",
            Self::Metadata => "an address of a metadata service",
            Self::Prompt => "instructions to a model",
            Self::LineBreak => "an injection of header lines",
            Self::Secret => "a secret",
        }
    }

    /// The detector with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|detector| detector.name() == name)
    }
}

/// What each finds by, but for secrets. The engine is linear, whatever stands here.
pub(super) const PATTERNS: [(Detector, &str); 8] = [
    (
        Detector::Sql,
        r#"(?ix)
        ['"]\s*(?:or|and|xor|\|\|)\s+(?:not\s+)?\(?(?:['"]\w*['"]?|\d+)\s*(?:=|<>|!=|<|>|like\b)
        | ['"]\s*(?:or|and)\s+\w+\s+like\s+['"]%
        | \b(?:or|and)\s+(\(?['"]?1['"]?\s*=\s*['"]?1)
        | ['")\d]\s*(?:/\*.{0,40}?\*/|\s)*union(?:/\*.{0,40}?\*/|\s|\()+(?:all\s+)?\(?select\b
        | ['")\d]\s*;\s*(?:drop|alter|truncate|create)\s+(?:table|database|schema|user|view|index)\b
        | ['")\d]\s*;\s*(?:delete\s+from|insert\s+into|update\s+\w+\s+set|exec(?:ute)?\s|shutdown\b)
        | ['"]\s*\)*\s*(?:--|\#|/\*)\s*\z
        | \bselect\s+(?:pg_)?sleep\s*\( | \bwaitfor\s+delay\s+' | \bxp_cmdshell\b
        | \bload_file\s*\( | \binto\s+(?:out|dump)file\b | \binformation_schema\.(?:tables|columns)\b"#,
    ),
    (
        Detector::Shell,
        r"(?ix)
        (?:;|\|\|?|&&?|`|\$\()\s*(?:/(?:usr/)?s?bin/)?
            (?: cat\s+[/~.] | rm\s+- | (?:wget|curl)\s+(?:-\w+\s+)*['\x22]?https?: | nc\s+(?:-|\d) | (?:ba|da|z)?sh\s+-
              | (?:ba|da|z)?sh\s*(?:[;|)`]|\z) | python\d?\s+-c | perl\s+-e | whoami\b | uname\b | nslookup\s
              | ping\s+-[cn] | powershell\b | touch\s+[/~] | sleep\s+\d | (?:shutdown|reboot)\s+- | ls\s+-?[/~la] | env\s*(?:[;|)]|\z) )
        | (?:[;|&]|\$\()\s*id\s*(?:[;|)&]|\z) | /dev/tcp/\d | \$\{?ifs\b | >\s*/etc/",
    ),
    (
        Detector::Path,
        r"(?ix)
        (?:\.\.[/\\]+){3,} | (?:\.\.[/\\]+)+(?:etc|proc|windows|winnt|boot|root|\.ssh|\.git)\b
        | (?:\.\.|%2e%2e|\.%2e|%2e\.)(?:%2f|%5c|%252f|%255c) | %2e%2e[/\\]
        | /etc/(?:passwd|shadow|sudoers)\b | /proc/(?:self|\d+)/(?:environ|cmdline|mem|maps)
        | \b[a-z]:\\windows\\(?:system32|win\.ini)\b | \.\.;/ | \.{4,}[/\\]{2} | %00 | \x00",
    ),
    (
        Detector::Html,
        r#"(?ix)
        <\s*/?\s*script\b | <\s*(?:iframe|object|embed|applet|meta|base)\b[^<>]{0,200}\b(?:src|data|href|http-equiv|srcdoc)\s*=
        | <[a-z][^<>]{0,400}[\s/'"]on[a-z]{3,20}\s*=
        | \b(?:java|vb)script\s*:\s*[a-z]+\s*[(.=] | \bdata:text/html | <\s*svg\b[^<>]{0,200}/?\s*on | \bexpression\s*\(\s*alert"#,
    ),
    (
        Detector::Template,
        r"(?ix)
        \{\{\s*[\d'\x22]+\s*[*+]\s*[\d'\x22] | [$\#*]\{\s*\d+\s*[*+]\s*\d | <%=?\s*(?:\d+\s*[*+]|system|`|file\.)
        | \{\{[^{}]{0,200}(?:__class__|__globals__|__mro__|constructor|\bconfig\.|request\.|\bself\.|range\.constructor)
        | \$\{\s*(?:jndi|env|sys|lower|upper|script|dns|url)\s*: | \$\{\s*t\s*\( | \$\{[^{}]{0,100}(?:getruntime|\.exec\() | \#\{\s*t\s*\(
        | \{%[^{}%]{0,100}(?:__class__|import\s+os|popen)",
    ),
    (
        Detector::Metadata,
        r"(?ix)
        \b169\.254\.169\.254\b | \bmetadata\.(?:google\.internal|azure\.internal|tencentyun\.com)\b | \b100\.100\.100\.200\b
        | \bfd00:ec2::254\b | \b168\.63\.129\.16\b | //(?:2852039166|0x0*a9fea9fe|0*251\.0*376\.0*251\.0*376|0xa9\.0xfe\.0xa9\.0xfe)\b
        | ::ffff:(?:a9fe:a9fe|169\.254\.169\.254) | \b169\.254\.169\.254\.(?:nip|sslip|xip)\.io | /latest/meta-data | /computemetadata/v1
        | \b(?:gopher|dict|ldaps?|tftp)://",
    ),
    (
        Detector::Prompt,
        r"(?ix)
        (?:\A|[^\u{1F3F4}\u{E0020}-\u{E007F}])[\u{E0001}\u{E0020}-\u{E007F}]
        | \b(?:ignore|disregard|forget|override)\s+(?:(?:all|any|the|your|my|these|of)\s+){0,3}
          (?:previous|prior|above|earlier|preceding|system|existing)\s+(?:\w+\s+)?(?:instructions?|prompts?|rules|directions|guidelines|commands)
        | <\s*/?\s*(?:important|system|instructions?|hidden|secret)\s*> | <\|(?:im_start|im_end|system|endoftext)\|> | \[/?inst\] | <</?sys>>
        | \b(?:do\s+not|don't|never)\s+(?:tell|mention|inform|reveal|show)\b[^.]{0,40}\b(?:the\s+user|to\s+anyone)\b
        | \byou\s+are\s+now\s+(?:in\s+)?(?:dan|developer\s+mode|an?\s+unrestricted) | \breveal\s+your\s+(?:system\s+)?(?:prompt|instructions)",
    ),
    (
        Detector::LineBreak,
        r"(?ix)
        \r\n?\s*(?:set-cookie|location|content-length|content-type|transfer-encoding|host|bcc|x-[a-z-]{1,40})\s*:
        | %0d(?:%0a)?(?:set-cookie|location|content-length|content-type|transfer-encoding|host|bcc|x-[a-z-]{1,40})(?:\s*:|%3a)
        | \r\n\s*(?:rcpt\s+to:|mail\s+from:|(?:get|post)\s+/\S*\s+http/)",
    ),
];
