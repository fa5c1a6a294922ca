//! The options about values: what functions are given, give back and raise.

use clap::Args;
use regex::Regex;

/// How values are recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueOptions {
    /// How much of them.
    pub limits: Limits,
    /// Which of them not at all.
    pub redact: Redact,
}

/// How much of values is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters of a string, and bytes of a bytes object; at most [`Limits::MAX_STRING`].
    pub max_string: u32,
    /// Elements of a container, and attributes of an instance; at most [`Limits::MAX_ITEMS`].
    pub max_items: u32,
    /// How deep containers are looked into; 0: not at all. At most [`Limits::MAX_DEPTH`].
    pub max_depth: u32,
    /// Bytes that are taken from the target's memory for one event; from
    /// [`Limits::LEAST_BYTES`] to [`Limits::MAX_BYTES`].
    pub max_bytes: u32,
}

impl Limits {
    /// The largest `max_string`.
    pub const MAX_STRING: u32 = 1024;
    /// The largest `max_items`.
    pub const MAX_ITEMS: u32 = 32;
    /// The largest `max_depth`.
    pub const MAX_DEPTH: u32 = 8;
    /// The smallest `max_bytes`.
    pub const LEAST_BYTES: u32 = 256;
    /// The largest `max_bytes`.
    pub const MAX_BYTES: u32 = 16 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_string: 80,
            max_items: 3,
            max_depth: 2,
            max_bytes: 4096,
        }
    }
}

/// Which parameters', keys' and attributes' values are left out, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redact {
    /// Those whose name looks like a secret's.
    #[default]
    Default,
    /// Those whose name matches this regular expression; it has been checked.
    Pattern(String),
    /// None.
    Off,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Values (arguments, results, messages of exceptions)")]
pub(super) struct ValueArguments {
    /// Do not record values
    ///
    /// They are then not even copied from the program's memory, and calls cost less.
    #[arg(
        long,
        conflicts_with_all = ["max_string", "max_items", "max_depth", "max_bytes", "redact", "no_redact"]
    )]
    no_arg_values: bool,

    /// Show at most N characters of a string, up to 1024
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::default().max_string,
        value_parser = clap::value_parser!(u32).range(..=i64::from(Limits::MAX_STRING))
    )]
    max_string: u32,

    /// Show at most N elements of a container or attributes of an instance, up to 32
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::default().max_items,
        value_parser = clap::value_parser!(u32).range(..=i64::from(Limits::MAX_ITEMS))
    )]
    max_items: u32,

    /// Look N levels into containers and instances, up to 8; 0: only at type and length
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::default().max_depth,
        value_parser = clap::value_parser!(u32).range(..=i64::from(Limits::MAX_DEPTH))
    )]
    max_depth: u32,

    /// Take at most N bytes from the program's memory for a call's values, 256 to 16384
    #[arg(
        long,
        value_name = "N",
        default_value_t = Limits::default().max_bytes,
        value_parser = clap::value_parser!(u32)
            .range(i64::from(Limits::LEAST_BYTES)..=i64::from(Limits::MAX_BYTES))
    )]
    max_bytes: u32,

    /// Record `<redacted>` for what has a name that matches REGEX; may be given more than once
    ///
    /// Names are those of parameters and attributes, and keys of dicts. Default, in any case:
    /// password, passwd, passphrase, credential, authorization, cookie, api_key, access_key,
    /// private_key, secret_key, session_id, session_key anywhere in the name; secret, pwd, jwt,
    /// bearer as a word of it; token, auth as its last word. REGEX takes the place of these,
    /// matches anywhere, and minds the case unless it begins with `(?i)`.
    #[arg(long, value_name = "REGEX", value_parser = redaction, conflicts_with = "no_redact")]
    redact: Vec<String>,

    /// Record every value, whatever its name
    #[arg(long)]
    no_redact: bool,
}

impl ValueArguments {
    /// What was asked for; `None`: no values.
    pub(super) fn options(self) -> Result<Option<ValueOptions>, String> {
        if self.no_arg_values {
            return Ok(None);
        }
        let redact = match &self.redact[..] {
            [] if self.no_redact => Redact::Off,
            [] => Redact::Default,
            [only] => Redact::Pattern(only.clone()),
            several => {
                let groups: Vec<String> = several.iter().map(|one| format!("(?:{one})")).collect();
                // Each is sound by itself, but one may end in a comment.
                let joined = pattern(&groups.join("|")).map_err(|problem| {
                    format!("--redact: the patterns don't go together: {problem}")
                })?;
                Redact::Pattern(joined)
            }
        };
        Ok(Some(ValueOptions {
            limits: Limits {
                max_string: self.max_string,
                max_items: self.max_items,
                max_depth: self.max_depth,
                max_bytes: self.max_bytes,
            },
            redact,
        }))
    }
}

fn redaction(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; --no-redact switches redaction off".into());
    }
    pattern(text)
}

/// Checks a regular expression.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    match Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        // The last of its lines says what is wrong; those before it draw a picture.
        Err(error) => {
            let text = error.to_string();
            let problem = text.lines().last().unwrap_or_default().trim();
            Err(problem
                .strip_prefix("error: ")
                .unwrap_or(problem)
                .to_owned())
        }
    }
}
