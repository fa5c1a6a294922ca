//! What is not to be stored.

use regex::Regex;
use rustc_hash::FxHashMap;

/// What is redacted unless the user says otherwise: names of parameters, attributes and keys that
/// look like credentials. The words count where underscores or capitals set them off; `token` only
/// as the last one, since what is about tokens of text begins with it (`token_ids`) or is in the
/// plural (`max_tokens`).
pub const DEFAULT_REDACTION: &str = concat!(
    r"(?i)passwords?|passwd|passphrase|credential|authorization|cookie",
    r"|(?:api|access|private|secret)[_-]?key|session[_-]?(?:id|key)",
    r"|(?:^|[^a-z])(?:secrets?|pwd|jwt|bearer)(?:$|[^a-z])",
    r"|(?-i:[a-z0-9](?:Secrets?|Pwd|Jwt)(?:$|[^a-z]))",
    r"|(?:^|[^a-z])(?:token|auth)$",
    r"|(?-i:[a-z0-9](?:Token|Auth)$)",
);

/// Says which names' values are not to be stored.
#[derive(Debug, Default)]
pub struct Redaction {
    pattern: Option<Regex>,
    /// Of names seen before.
    known: FxHashMap<Box<str>, bool>,
}

/// Names that are remembered.
const KNOWN_MAX: usize = 4096;

impl Redaction {
    /// Redacts values whose name matches `pattern`.
    pub fn new(pattern: &str) -> Result<Redaction, regex::Error> {
        Ok(Redaction {
            pattern: Some(Regex::new(pattern)?),
            known: FxHashMap::default(),
        })
    }

    /// Redacts nothing.
    pub fn none() -> Redaction {
        Redaction::default()
    }

    /// Whether anything is redacted.
    pub fn is_on(&self) -> bool {
        self.pattern.is_some()
    }

    /// Whether the values under this name are not to be stored.
    pub fn redacts(&mut self, name: &str) -> bool {
        let Some(pattern) = &self.pattern else {
            return false;
        };
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let private = unmangled(name).is_some_and(|name| pattern.is_match(name));
        let redacted = private || pattern.is_match(name);
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(name.into(), redacted);
        redacted
    }
}

/// What a class calls an attribute that it keeps as `_Class__name`.
fn unmangled(name: &str) -> Option<&str> {
    let (class, own) = name.strip_prefix('_')?.split_once("__")?;
    (!class.is_empty() && !class.starts_with('_')).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_redacted() {
        let mut redaction = Redaction::new(DEFAULT_REDACTION).unwrap();
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "userPassword",
            "passwd",
            "pwd",
            "db_pwd",
            "passphrase",
            "secret",
            "client_secret",
            "clientSecret",
            "secrets",
            "token",
            "access_token",
            "hf_token",
            "authToken",
            "auth_token",
            "HF_TOKEN",
            "api_key",
            "apikey",
            "apiKey",
            "API_KEY",
            "openai_api_key",
            "access_key",
            "aws_secret_access_key",
            "private_key",
            "Authorization",
            "credentials",
            "credential",
            "cookie",
            "cookies",
            "session_id",
            "sessionid",
            "auth",
            "X-Api-Key",
        ] {
            assert!(redaction.redacts(name), "{name}");
        }
    }

    #[test]
    fn private_attributes_go_by_their_own_name() {
        let mut redaction = Redaction::new("^pin$").unwrap();
        assert!(redaction.redacts("_Card__pin"));
        assert!(!redaction.redacts("__pin"));
        assert!(!redaction.redacts("_Card__pins"));
    }

    #[test]
    fn other_names_are_not() {
        let mut redaction = Redaction::new(DEFAULT_REDACTION).unwrap();
        for name in [
            "author",
            "authors",
            "tokenizer",
            "tokens",
            "num_tokens",
            "token_ids",
            "max_tokens",
            "token_type_ids",
            "max_new_tokens",
            "tokenize",
            "secretary",
            "key",
            "keys",
            "session",
            "cwd",
            "pwdx",
            "x",
            "passes",
            "bypass",
            "compass",
            "n_passes",
            "authority",
            "model",
            "",
        ] {
            assert!(!redaction.redacts(name), "{name}");
        }
        assert!(!Redaction::none().redacts("password"));
    }
}
