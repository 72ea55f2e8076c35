//! Which ACLs a description or a deletion is about.
//! Core. `AclBindingFilter`, `ResourcePatternFilter` and `AccessControlEntryFilter` of Kafka.

use crate::acl::{AclBinding, AclOperation, AclPermissionType, PatternType, ResourceType, WILDCARD};

/// `None` and `Any` leave a field open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclBindingFilter {
    pub resource_type: ResourceType,
    pub resource_name: Option<String>,
    pub pattern_type: PatternType,
    pub principal: Option<String>,
    pub host: Option<String>,
    pub operation: AclOperation,
    pub permission_type: AclPermissionType,
}

impl AclBindingFilter {
    /// Everything.
    pub const ANY: AclBindingFilter = AclBindingFilter {
        resource_type: ResourceType::Any,
        resource_name: None,
        pattern_type: PatternType::Any,
        principal: None,
        host: None,
        operation: AclOperation::Any,
        permission_type: AclPermissionType::Any,
    };

    pub fn matches(&self, binding: &AclBinding) -> bool {
        self.matches_pattern(binding) && self.matches_entry(binding)
    }

    /// Whether type and kind of pattern are ones that Kafka knows.
    pub fn is_pattern_known(&self) -> bool {
        self.resource_type != ResourceType::Unknown && self.pattern_type != PatternType::Unknown
    }

    pub fn is_entry_known(&self) -> bool {
        self.operation != AclOperation::Unknown && self.permission_type != AclPermissionType::Unknown
    }

    fn matches_pattern(&self, binding: &AclBinding) -> bool {
        if self.resource_type != ResourceType::Any && self.resource_type != binding.resource_type {
            return false;
        }
        let is_open = matches!(self.pattern_type, PatternType::Any | PatternType::Match);
        if !is_open && self.pattern_type != binding.pattern_type {
            return false;
        }
        let Some(name) = &self.resource_name else { return true };
        if self.pattern_type != PatternType::Match {
            return *name == binding.resource_name;
        }
        // MATCH: every pattern that would be looked at for a resource of this name.
        match binding.pattern_type {
            PatternType::Literal => *name == binding.resource_name || binding.resource_name == WILDCARD,
            PatternType::Prefixed => name.starts_with(&binding.resource_name),
            PatternType::Unknown | PatternType::Any | PatternType::Match => false,
        }
    }

    fn matches_entry(&self, binding: &AclBinding) -> bool {
        self.principal.as_ref().is_none_or(|principal| *principal == binding.principal)
            && self.host.as_ref().is_none_or(|host| *host == binding.host)
            && (self.operation == AclOperation::Any || self.operation == binding.operation)
            && (self.permission_type == AclPermissionType::Any
                || self.permission_type == binding.permission_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(pattern_type: PatternType, name: &str) -> AclBinding {
        AclBinding {
            resource_type: ResourceType::Topic,
            resource_name: name.to_owned(),
            pattern_type,
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: AclOperation::Read,
            permission_type: AclPermissionType::Allow,
        }
    }

    fn named(pattern_type: PatternType, name: &str) -> AclBindingFilter {
        AclBindingFilter { pattern_type, resource_name: Some(name.to_owned()), ..AclBindingFilter::ANY }
    }

    #[test]
    fn a_pattern_filter_is_exact_unless_it_asks_for_what_applies() {
        let all = [
            binding(PatternType::Literal, "foo"),
            binding(PatternType::Literal, "*"),
            binding(PatternType::Prefixed, "fo"),
            binding(PatternType::Prefixed, "foo"),
            binding(PatternType::Prefixed, "fooo"),
        ];
        let found = |filter: AclBindingFilter| all.iter().map(|b| filter.matches(b)).collect::<Vec<_>>();
        assert_eq!(found(named(PatternType::Match, "foo")), [true, true, true, true, false]);
        assert_eq!(found(named(PatternType::Any, "foo")), [true, false, false, true, false]);
        assert_eq!(found(named(PatternType::Literal, "foo")), [true, false, false, false, false]);
        assert_eq!(found(named(PatternType::Prefixed, "foo")), [false, false, false, true, false]);
        assert_eq!(found(named(PatternType::Literal, "*")), [false, true, false, false, false]);
        assert_eq!(found(AclBindingFilter::ANY), [true; 5]);
    }

    #[test]
    fn every_field_of_the_entry_counts() {
        let acl = binding(PatternType::Literal, "foo");
        let any = AclBindingFilter::ANY;
        for (filter, expected) in [
            (AclBindingFilter { principal: Some("User:a".to_owned()), ..any.clone() }, true),
            (AclBindingFilter { principal: Some("User:b".to_owned()), ..any.clone() }, false),
            (AclBindingFilter { host: Some("*".to_owned()), ..any.clone() }, true),
            (AclBindingFilter { host: Some("10.0.0.1".to_owned()), ..any.clone() }, false),
            (AclBindingFilter { operation: AclOperation::Read, ..any.clone() }, true),
            (AclBindingFilter { operation: AclOperation::Describe, ..any.clone() }, false),
            (AclBindingFilter { permission_type: AclPermissionType::Deny, ..any.clone() }, false),
            (AclBindingFilter { resource_type: ResourceType::Group, ..any.clone() }, false),
        ] {
            assert_eq!(filter.matches(&acl), expected, "{filter:?}");
        }
    }
}
