//! Who is at the other end of a connection: `Type:name`, as Kafka writes it.
//! Core.

use std::borrow::Cow;

/// A principal's text. Two are equal when type and name are, which is when their texts are: a type
/// has no colon.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KafkaPrincipal(Cow<'static, str>);

/// A text that names no principal.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a string in format principalType:principalName but got {0}")]
pub struct InvalidPrincipal(pub String);

impl KafkaPrincipal {
    /// Whoever did not say who they are.
    pub const ANONYMOUS: KafkaPrincipal = KafkaPrincipal(Cow::Borrowed("User:ANONYMOUS"));
    /// In an ACL: every user.
    pub const WILDCARD: KafkaPrincipal = KafkaPrincipal(Cow::Borrowed("User:*"));

    /// `SecurityUtils.parseKafkaPrincipal`.
    pub fn parse(text: &str) -> Result<KafkaPrincipal, InvalidPrincipal> {
        match text.contains(':') {
            true => Ok(KafkaPrincipal(Cow::Owned(text.to_owned()))),
            false => Err(InvalidPrincipal(text.to_owned())),
        }
    }

    /// A user of this name, whatever is in it.
    pub fn user(name: &str) -> KafkaPrincipal {
        KafkaPrincipal(Cow::Owned(format!("User:{name}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KafkaPrincipal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_a_type_and_a_name() {
        assert_eq!(KafkaPrincipal::parse("User:ANONYMOUS"), Ok(KafkaPrincipal::ANONYMOUS));
        assert_eq!(KafkaPrincipal::parse("User:a:b").map(|p| p.to_string()), Ok("User:a:b".to_owned()));
        assert!(KafkaPrincipal::parse("alice").is_err());
        assert!(KafkaPrincipal::parse("").is_err());
    }
}
