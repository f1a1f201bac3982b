//! Keys and tokens of well-known services, by their prefixes.

use crate::bytes::{ALNUM, DIGIT, TOKEN, is, is_at, is_before, slice};

/// How the keys of one service look.
pub(crate) struct Form {
    pub(crate) prefix: &'static str,
    /// Characters behind the prefix, at least.
    least: usize,
    rule: Rule,
}

#[derive(PartialEq)]
enum Rule {
    /// Nothing else begins so.
    Any,
    /// Words may begin so: there is a digit and a letter in it, and a part that is long without dashes.
    Mixed,
    /// Sixteen capital letters and digits, and no more.
    Aws,
}

const fn any(prefix: &'static str, least: usize) -> Form {
    let rule = Rule::Any;
    Form {
        prefix,
        least,
        rule,
    }
}

const fn mixed(prefix: &'static str, least: usize) -> Form {
    let rule = Rule::Mixed;
    Form {
        prefix,
        least,
        rule,
    }
}

const fn aws(prefix: &'static str) -> Form {
    Form {
        prefix,
        least: 16,
        rule: Rule::Aws,
    }
}

/// The longer prefix of two that begin alike stands first.
pub(crate) static FORMS: &[Form] = &[
    // Stripe, and the many who write their keys alike.
    mixed("sk_live_", 8),
    mixed("sk_test_", 8),
    mixed("rk_live_", 8),
    mixed("rk_test_", 8),
    mixed("sk_", 12),
    mixed("whsec_", 16),
    // OpenAI, Anthropic, OpenRouter and their kin.
    mixed("sk-", 16),
    mixed("gsk_", 20),
    mixed("xai-", 20),
    mixed("pplx-", 20),
    mixed("nvapi-", 20),
    mixed("r8_", 20),
    mixed("hf_", 20),
    // GitHub, GitLab, Atlassian.
    any("ghp_", 20),
    any("gho_", 20),
    any("ghu_", 20),
    any("ghs_", 20),
    any("ghr_", 20),
    any("github_pat_", 20),
    mixed("glpat-", 16),
    mixed("gldt-", 16),
    mixed("glrt-", 16),
    mixed("glptt-", 16),
    any("ATATT3", 20),
    any("ATCTT3", 20),
    // Slack.
    mixed("xoxb-", 10),
    mixed("xoxp-", 10),
    mixed("xoxa-", 10),
    mixed("xoxr-", 10),
    mixed("xoxs-", 10),
    mixed("xoxe-", 10),
    mixed("xoxe.xox", 10),
    mixed("xapp-", 10),
    // Clouds.
    aws("AKIA"),
    aws("ASIA"),
    any("AIza", 35),
    mixed("ya29.", 20),
    any("GOCSPX-", 20),
    mixed("dop_v1_", 32),
    mixed("doo_v1_", 32),
    mixed("dapi", 32),
    mixed("hvs.", 20),
    mixed("hvb.", 20),
    mixed("tskey-", 16),
    mixed("pul-", 32),
    mixed("sbp_", 32),
    mixed("dckr_pat_", 20),
    mixed("glsa_", 24),
    // Registries.
    any("npm_", 30),
    any("pypi-AgE", 30),
    mixed("rubygems_", 32),
    // Shops, mail, work.
    mixed("shpat_", 24),
    mixed("shpss_", 24),
    mixed("shpca_", 24),
    mixed("shppa_", 24),
    mixed("sq0atp-", 16),
    mixed("sq0csp-", 24),
    mixed("SG.", 20),
    mixed("lin_api_", 24),
    mixed("ntn_", 30),
    mixed("figd_", 20),
    mixed("PMAK-", 24),
    mixed("NRAK-", 20),
    any("AGE-SECRET-KEY-1", 20),
];

/// Whether a key of this form begins here, in a run of [`TOKEN`]s that goes to `end`.
pub(crate) fn is_key(text: &[u8], form: &Form, start: usize, end: usize) -> bool {
    let from = start + form.prefix.len();
    // The prefixes are found whatever their case.
    if slice(text, start, from) != form.prefix.as_bytes() || is_before(text, start, ALNUM) {
        return false;
    }
    let rest = slice(text, from, end);
    match form.rule {
        _ if rest.len() < form.least => false,
        Rule::Any => true,
        Rule::Mixed => is_mixed(rest, form.least),
        Rule::Aws => {
            let is_capital = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            rest.iter().take(16).all(is_capital) && !is_at(text, from + 16, ALNUM)
        }
    }
}

/// Whether the key is of AWS, which is public but stands beside its secret.
pub(crate) fn is_aws(form: &Form) -> bool {
    form.rule == Rule::Aws
}

/// Most bytes of a key that are looked at to tell it from words.
const LOOKED_AT: usize = 96;

fn is_mixed(rest: &[u8], least: usize) -> bool {
    let rest = rest.get(..LOOKED_AT).unwrap_or(rest);
    let has_digit = rest.iter().any(|b| is(*b, DIGIT));
    let has_letter = rest.iter().any(u8::is_ascii_alphabetic);
    let longest = rest.split(|b| !is(*b, ALNUM)).map(<[u8]>::len).max();
    has_digit && has_letter && longest.unwrap_or_default() >= least.min(10)
}

/// Where a key of any brand of Bartizan's own begins in a word that ends here: `{brand}_{environment}_{id}_…`, with its
/// secret and checksum as the last 59 characters.
pub(crate) fn own_brand(word: &[u8]) -> Option<usize> {
    const ID: usize = 16;
    const END: usize = 59;
    let is_base32 = |part: &[u8]| part.iter().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
    let is_word = |part: &[u8]| {
        let is_letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        (2..=24).contains(&part.len())
            && part.iter().all(is_letter)
            && part.first().is_some_and(u8::is_ascii_lowercase)
    };
    if word.len() < END + ID + 8 {
        return None;
    }
    let mut parts = word.rsplit(|b| *b == b'_');
    if !parts
        .next()
        .is_some_and(|end| end.len() == END && is_base32(end))
    {
        return None;
    }
    let mut id = parts.next()?;
    let mut taken = END + 1 + id.len();
    if id.len() > ID {
        // The chain of a child.
        if !is_base32(id) {
            return None;
        }
        id = parts.next()?;
        taken += 1 + id.len();
    }
    if id.len() != ID || !is_base32(id) {
        return None;
    }
    let environment = parts.next()?;
    // What stands before a brand may be of the same word.
    let brand = parts.next()?;
    let letters = brand.rsplit(|b| !is(*b, ALNUM)).next()?;
    taken += 2 + environment.len() + letters.len();
    (is_word(environment) && is_word(letters)).then(|| word.len().saturating_sub(taken))
}

/// The secret of an AWS key: forty letters and digits of both cases, and what base64 has besides. A hash of Git is no such.
pub(crate) fn is_aws_secret(word: &[u8]) -> bool {
    word.len() == 40
        && word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && word.iter().any(u8::is_ascii_digit)
        && word
            .iter()
            .all(|b| is(*b, ALNUM) || matches!(b, b'+' | b'/'))
}

/// Of some services a key has more parts, behind dots.
pub(crate) fn end_behind_dots(text: &[u8], mut end: usize) -> usize {
    for _ in 0..2 {
        if text.get(end) != Some(&b'.') || !is_at(text, end + 1, TOKEN) {
            break;
        }
        let next = crate::bytes::run_end(text, end + 1, TOKEN);
        if next - end < 8 {
            break;
        }
        end = next;
    }
    end
}
