//! Whether somebody may do something: the rules of Kafka's `StandardAuthorizer`.
//! Core.
//!
//! - I1. A super user may do everything.
//! - I2. A DENY that applies outweighs every ALLOW.
//! - I3. A resource that no ACL is about follows `allow.everyone.if.no.acl.found`; one that has ACLs is
//!   closed to everyone they do not name.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use crate::acl::{AclBinding, AclOperation, AclPermissionType, PatternType, ResourceType, WILDCARD};
use crate::acls::{Acls, Entry, Host, Visit};
use crate::principal::{InvalidPrincipal, KafkaPrincipal};

/// Who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub principal: &'a KafkaPrincipal,
    /// With an IPv4 address as such, also when it came over IPv6.
    pub host: IpAddr,
}

/// Why the authorizer can't be set up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("super.users: {0}")]
pub struct AuthorizerError(#[from] InvalidPrincipal);

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Authorizer {
    super_users: HashSet<String>,
    allow_everyone_if_no_acl_found: bool,
}

impl Authorizer {
    /// `super_users` as `super.users` has it: principals with semicolons between.
    pub fn new(
        super_users: &str,
        allow_everyone_if_no_acl_found: bool,
    ) -> Result<Authorizer, AuthorizerError> {
        let names = super_users.split(';').map(str::trim).filter(|name| !name.is_empty());
        let super_users = names
            .map(|name| KafkaPrincipal::parse(name).map(|principal| principal.as_str().to_owned()))
            .collect::<Result<_, _>>()?;
        Ok(Authorizer { super_users, allow_everyone_if_no_acl_found })
    }

    pub fn is_allowed(
        &self,
        acls: &Acls,
        asking: Asking<'_>,
        operation: AclOperation,
        resource_type: ResourceType,
        name: &str,
    ) -> bool {
        if self.super_users.contains(asking.principal.as_str()) {
            return true;
        }
        let (mut is_met, mut is_allowed, mut is_denied) = (false, false, false);
        acls.patterns(resource_type).visit(name, |entries| {
            is_met = true;
            for entry in entries.iter().filter(|entry| applies(entry, asking, operation)) {
                match entry.binding.permission_type {
                    AclPermissionType::Allow => is_allowed = true,
                    // As in Kafka, what is not a permission is a refusal.
                    AclPermissionType::Deny | AclPermissionType::Any | AclPermissionType::Unknown => {
                        is_denied = true;
                        return Visit::Enough;
                    }
                }
            }
            Visit::More
        });
        match is_met {
            true => is_allowed && !is_denied,
            false => self.allow_everyone_if_no_acl_found,
        }
    }

    /// Whether there may be a resource of this type that the operation is allowed on
    /// (`Authorizer.authorizeByResourceType`).
    pub fn is_allowed_by_resource_type(
        &self,
        acls: &Acls,
        asking: Asking<'_>,
        operation: AclOperation,
        resource_type: ResourceType,
    ) -> bool {
        // Kafka tries a name that nobody has, for the sake of super users and open clusters.
        if self.is_allowed(acls, asking, operation, resource_type, "hardcode") {
            return true;
        }
        let mut allowed = Vec::new();
        let (mut denied_names, mut denied_prefixes) = (BTreeSet::new(), BTreeSet::new());
        let mut is_everything_allowed = false;
        for (_, acl) in acls.iter().filter(|(_, acl)| acl.resource_type == resource_type) {
            let is_meant = acl.operation == operation || acl.operation == AclOperation::All;
            if !is_meant || !is_about(acl, Host::parse(&acl.host), asking) {
                continue;
            }
            let is_wildcard = acl.pattern_type == PatternType::Literal && acl.resource_name == WILDCARD;
            match (acl.permission_type, acl.pattern_type) {
                (AclPermissionType::Deny, PatternType::Literal) if is_wildcard => return false,
                (AclPermissionType::Deny, PatternType::Literal) => {
                    denied_names.insert(acl.resource_name.as_str());
                }
                (AclPermissionType::Deny, PatternType::Prefixed) => {
                    denied_prefixes.insert(acl.resource_name.as_str());
                }
                (AclPermissionType::Allow, _) if is_wildcard => is_everything_allowed = true,
                (AclPermissionType::Allow, PatternType::Literal | PatternType::Prefixed) => allowed.push(acl),
                _ => {}
            }
        }
        is_everything_allowed
            || allowed.iter().any(|acl| {
                let name = acl.resource_name.as_str();
                let is_name_denied = acl.pattern_type == PatternType::Literal && denied_names.contains(name);
                let ends = name.char_indices().map(|(start, char)| start + char.len_utf8());
                let mut prefixes = ends.map(|end| &name[..end]);
                !is_name_denied && !prefixes.any(|prefix| denied_prefixes.contains(prefix))
            })
    }

    /// The operations allowed on a resource, as the bit field of answers (KIP-430).
    pub fn operations(
        &self,
        acls: &Acls,
        asking: Asking<'_>,
        resource_type: ResourceType,
        name: &str,
    ) -> i32 {
        let allowed = resource_type
            .operations()
            .iter()
            .filter(|operation| self.is_allowed(acls, asking, **operation, resource_type, name));
        allowed.fold(0, |bits, operation| bits | 1 << operation.code())
    }
}

fn applies(entry: &Entry, asking: Asking<'_>, operation: AclOperation) -> bool {
    is_about(&entry.binding, entry.host, asking) && covers(&entry.binding, operation)
}

/// Whether an ACL is about who asks, whatever they want to do.
fn is_about(acl: &AclBinding, host: Host, asking: Asking<'_>) -> bool {
    let names = |principal: &KafkaPrincipal| acl.principal == principal.as_str();
    (names(asking.principal) || names(&KafkaPrincipal::WILDCARD)) && host.matches(asking.host)
}

/// Whoever may read, write, delete or alter a thing may look at it too; who is denied the one is not
/// denied the other.
fn covers(acl: &AclBinding, operation: AclOperation) -> bool {
    use AclOperation::*;
    if acl.operation == All || acl.operation == operation {
        return true;
    }
    acl.permission_type == AclPermissionType::Allow
        && match operation {
            Describe => matches!(acl.operation, Read | Write | Delete | Alter),
            DescribeConfigs => acl.operation == AlterConfigs,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::AclOperation::*;
    use super::*;

    const ALICE: &str = "User:alice";

    /// `allow|deny TYPE LITERAL|PREFIXED name principal host OPERATION`, a line an ACL.
    fn acls(text: &str) -> Acls {
        let mut acls = Acls::default();
        for (number, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [permission, kind, pattern, name, principal, host, operation] = words[..] else {
                panic!("seven words: {line}")
            };
            let find = |wanted: &str, names: &dyn Fn(i8) -> &'static str| {
                (0..16).find(|code| names(*code) == wanted).unwrap_or_else(|| panic!("{wanted} is nothing"))
            };
            acls.insert(
                Uuid::from_u128(number as u128 + 1),
                AclBinding {
                    resource_type: ResourceType::from_code(find(kind, &|c| {
                        ResourceType::from_code(c).name()
                    })),
                    resource_name: name.to_owned(),
                    pattern_type: PatternType::from_code(find(pattern, &|c| {
                        PatternType::from_code(c).name()
                    })),
                    principal: principal.to_owned(),
                    host: host.to_owned(),
                    operation: AclOperation::from_code(find(operation, &|c| {
                        AclOperation::from_code(c).name()
                    })),
                    permission_type: match permission {
                        "allow" => AclPermissionType::Allow,
                        _ => AclPermissionType::Deny,
                    },
                },
            );
        }
        acls
    }

    fn may(acls: &Acls, who: &str, operation: AclOperation, name: &str) -> bool {
        let principal = KafkaPrincipal::parse(who).expect("a principal");
        let asking = Asking { principal: &principal, host: IpAddr::from([127, 0, 0, 1]) };
        let authorizer = Authorizer::new("User:root;  User:admin ;", false).expect("good names");
        authorizer.is_allowed(acls, asking, operation, ResourceType::Topic, name)
    }

    #[test]
    fn without_acls_the_default_decides_and_super_users_may_everything() {
        let none = Acls::default();
        assert!(!may(&none, ALICE, Read, "t"));
        assert!(may(&none, "User:admin", Read, "t"));
        let open = Authorizer::new("", true).expect("no names");
        let asking = Asking { principal: &KafkaPrincipal::ANONYMOUS, host: IpAddr::from([1, 2, 3, 4]) };
        assert!(open.is_allowed(&none, asking, Read, ResourceType::Topic, "t"));
        // One ACL about a resource closes it to all whom it does not name, and that resource alone.
        let acls = acls("allow TOPIC LITERAL t User:alice * READ");
        assert!(!open.is_allowed(&acls, asking, Read, ResourceType::Topic, "t"));
        assert!(open.is_allowed(&acls, asking, Read, ResourceType::Topic, "t2"));
        assert!(open.is_allowed(&acls, asking, Read, ResourceType::Group, "t"));
        assert!(Authorizer::new("root", true).is_err());
    }

    #[test]
    fn a_deny_outweighs_every_allow_wherever_it_stands() {
        for denying in ["LITERAL foo", "LITERAL *", "PREFIXED f", "PREFIXED foo"] {
            let acls = acls(&format!(
                "allow TOPIC LITERAL foo User:alice * READ
                 allow TOPIC LITERAL * User:* * ALL
                 deny TOPIC {denying} User:alice * READ"
            ));
            assert!(!may(&acls, ALICE, Read, "foo"), "{denying}");
            assert!(may(&acls, ALICE, Write, "foo"), "{denying}");
            assert!(may(&acls, "User:bob", Read, "foo"), "{denying}");
            assert!(may(&acls, "User:root", Read, "foo"), "{denying}");
        }
    }

    #[test]
    fn some_operations_imply_others_when_they_are_allowed() {
        for (given, implied) in [
            (Read, &[Read, Describe][..]),
            (Write, &[Write, Describe]),
            (Delete, &[Delete, Describe]),
            (Alter, &[Alter, Describe]),
            (Describe, &[Describe]),
            (AlterConfigs, &[AlterConfigs, DescribeConfigs]),
            (DescribeConfigs, &[DescribeConfigs]),
            (Create, &[Create]),
        ] {
            let allowed = acls(&format!("allow TOPIC LITERAL t {ALICE} * {given}"));
            let denied = acls(&format!(
                "allow TOPIC LITERAL t {ALICE} * ALL
                 deny TOPIC LITERAL t {ALICE} * {given}"
            ));
            for operation in ResourceType::Topic.operations() {
                assert_eq!(may(&allowed, ALICE, *operation, "t"), implied.contains(operation), "{given}");
                assert_eq!(may(&denied, ALICE, *operation, "t"), *operation != given, "{given}");
            }
        }
    }

    #[test]
    fn principal_and_host_must_match() {
        for (who, host, expected) in [
            ("User:alice", "*", true),
            ("User:*", "*", true),
            ("User:*", "127.0.0.1", true),
            ("User:alice", "10.0.0.1", false),
            ("User:alice", "localhost", false),
            ("User:bob", "*", false),
            ("Group:alice", "*", false),
            ("Group:*", "*", false),
        ] {
            let acls = acls(&format!("allow TOPIC LITERAL t {who} {host} READ"));
            assert_eq!(may(&acls, ALICE, Read, "t"), expected, "{who} {host}");
        }
    }

    #[test]
    fn prefixes_reach_every_longer_name() {
        let acls = acls("allow TOPIC PREFIXED app- User:alice * WRITE");
        for (name, expected) in
            [("app-", true), ("app-1", true), ("app", false), ("apq-1", false), ("*", false)]
        {
            assert_eq!(may(&acls, ALICE, Write, name), expected, "{name}");
        }
    }

    fn may_somewhere(text: &str) -> bool {
        let principal = KafkaPrincipal::parse(ALICE).expect("a principal");
        let asking = Asking { principal: &principal, host: IpAddr::from([127, 0, 0, 1]) };
        let authorizer = Authorizer::default();
        authorizer.is_allowed_by_resource_type(&acls(text), asking, Write, ResourceType::Topic)
    }

    #[test]
    fn a_write_somewhere_is_enough_unless_all_of_it_is_denied() {
        assert!(!may_somewhere(""));
        assert!(may_somewhere("allow TOPIC LITERAL t User:alice * WRITE"));
        assert!(may_somewhere("allow TOPIC PREFIXED t User:* * ALL"));
        assert!(may_somewhere("allow TOPIC LITERAL * User:* 127.0.0.1 WRITE"));
        assert!(!may_somewhere("allow TOPIC LITERAL t User:alice * READ"));
        assert!(!may_somewhere("allow GROUP LITERAL t User:alice * ALL"));
        assert!(!may_somewhere("allow TOPIC LITERAL t User:bob * WRITE"));
        assert!(!may_somewhere("allow TOPIC LITERAL t User:alice 10.0.0.1 WRITE"));
        for denied in ["LITERAL *", "LITERAL topic", "PREFIXED top", "PREFIXED topic"] {
            let text = format!(
                "allow TOPIC LITERAL topic User:alice * WRITE
                 deny TOPIC {denied} User:alice * WRITE"
            );
            assert!(!may_somewhere(&text), "{denied}");
        }
        // A literal refusal does not cover a prefix, nor a longer prefix a shorter name.
        assert!(may_somewhere(
            "allow TOPIC PREFIXED topic User:alice * WRITE
             deny TOPIC LITERAL topic User:alice * WRITE"
        ));
        assert!(may_somewhere(
            "allow TOPIC LITERAL topic User:alice * WRITE
             deny TOPIC PREFIXED topics User:alice * WRITE"
        ));
    }

    #[test]
    fn allowed_operations_are_told_as_bits() {
        let acls = acls(
            "allow TOPIC LITERAL t User:alice * READ
             allow TOPIC LITERAL t User:alice * ALTER_CONFIGS",
        );
        let principal = KafkaPrincipal::parse(ALICE).expect("a principal");
        let asking = Asking { principal: &principal, host: IpAddr::from([127, 0, 0, 1]) };
        let closed = Authorizer::default();
        let bits = closed.operations(&acls, asking, ResourceType::Topic, "t");
        assert_eq!(bits, 1 << 3 | 1 << 8 | 1 << 10 | 1 << 11);
        let open = Authorizer::new("", true).expect("no names");
        let all = |kind| open.operations(&Acls::default(), asking, kind, "x");
        assert_eq!(
            [ResourceType::Cluster, ResourceType::Topic, ResourceType::Group].map(all),
            [8096, 3576, 3400]
        );
    }
}
