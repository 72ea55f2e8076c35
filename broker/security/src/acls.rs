//! All ACLs of a cluster, found by id and by the resource they are about.
//! Core. Immutable to readers: maps are persistent, so a changed copy costs a few nodes.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use imbl::OrdMap;
use uuid::Uuid;

use crate::acl::{AclBinding, PatternType, ResourceType, WILDCARD};

/// The entries of one resource pattern.
pub(crate) type Entries = Arc<Vec<Entry>>;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    id: Uuid,
    pub binding: Arc<AclBinding>,
    pub host: Host,
}

/// An ACL's host, made ready to be compared with an address.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Host {
    Any,
    Address(IpAddr),
    /// No address is ever written like this (a name, say): Kafka compares texts.
    Nobody,
}

impl Host {
    pub fn parse(text: &str) -> Host {
        if text == WILDCARD {
            return Host::Any;
        }
        match text.parse::<IpAddr>() {
            Ok(address) if java_text(address) == text => Host::Address(address),
            _ => Host::Nobody,
        }
    }

    pub fn matches(self, address: IpAddr) -> bool {
        match self {
            Host::Any => true,
            Host::Address(own) => own == address,
            Host::Nobody => false,
        }
    }
}

/// `InetAddress.getHostAddress`: an IPv6 address with all eight numbers.
fn java_text(address: IpAddr) -> String {
    let long = |address: Ipv6Addr| address.segments().map(|part| format!("{part:x}")).join(":");
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => long(address),
    }
}

/// The patterns of one resource type.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Patterns {
    literal: OrdMap<Arc<str>, Entries>,
    prefixed: OrdMap<Arc<str>, Entries>,
}

impl Patterns {
    fn of_mut(&mut self, pattern_type: PatternType) -> Option<&mut OrdMap<Arc<str>, Entries>> {
        match pattern_type {
            PatternType::Literal => Some(&mut self.literal),
            PatternType::Prefixed => Some(&mut self.prefixed),
            PatternType::Unknown | PatternType::Any | PatternType::Match => None,
        }
    }

    /// Calls back with the entries of every pattern that a resource of this name falls under, until
    /// it has enough.
    pub fn visit(&self, name: &str, mut each: impl FnMut(&[Entry]) -> Visit) {
        for literal in [name, WILDCARD] {
            if let Some(entries) = self.literal.get(literal)
                && each(entries) == Visit::Enough
            {
                return;
            }
            if name == WILDCARD {
                break;
            }
        }
        let mut at = name;
        while let Some((pattern, entries)) = self.prefixed.get_prev(at) {
            let common = common_prefix(name, pattern);
            if common.len() == pattern.len() && each(entries) == Visit::Enough {
                return;
            }
            // Whatever else is a prefix of the name is one of the part both have in common, and if the
            // pattern is that part itself, of less.
            at = match common.len() == pattern.len() {
                true => match common.char_indices().next_back() {
                    Some((end, _)) => &name[..end],
                    None => return,
                },
                false => common,
            };
        }
    }
}

/// Whether a visitor wants more.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Visit {
    More,
    Enough,
}

fn common_prefix<'a>(name: &'a str, other: &str) -> &'a str {
    let differs = name.char_indices().zip(other.chars()).find(|((_, own), theirs)| own != theirs);
    match differs {
        Some(((end, _), _)) => &name[..end],
        None => &name[..name.len().min(other.len())],
    }
}

/// What is looked at when somebody asks.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Acls {
    by_id: OrdMap<Uuid, Arc<AclBinding>>,
    by_type: [Patterns; 8],
}

impl Acls {
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// All ACLs with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &Arc<AclBinding>)> {
        self.by_id.iter().map(|(id, binding)| (*id, binding))
    }

    pub fn contains_id(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id)
    }

    pub fn contains(&self, binding: &AclBinding) -> bool {
        let patterns = self.patterns(binding.resource_type);
        let found = match binding.pattern_type {
            PatternType::Literal => patterns.literal.get(binding.resource_name.as_str()),
            PatternType::Prefixed => patterns.prefixed.get(binding.resource_name.as_str()),
            PatternType::Unknown | PatternType::Any | PatternType::Match => None,
        };
        found.is_some_and(|entries| entries.iter().any(|entry| *entry.binding == *binding))
    }

    pub(crate) fn patterns(&self, resource_type: ResourceType) -> &Patterns {
        &self.by_type[resource_type as usize]
    }

    pub fn insert(&mut self, id: Uuid, binding: AclBinding) {
        self.remove(id);
        assert!(!self.contains_id(id), "an id names one ACL");
        let binding = Arc::new(binding);
        self.by_id.insert(id, binding.clone());
        let entry = Entry { id, host: Host::parse(&binding.host), binding: binding.clone() };
        // A kind of pattern that nobody knows is kept, and applies to nothing.
        if let Some(patterns) = self.by_type[binding.resource_type as usize].of_mut(binding.pattern_type) {
            let mut entries = patterns.get(binding.resource_name.as_str()).cloned().unwrap_or_default();
            Arc::make_mut(&mut entries).push(entry);
            patterns.insert(Arc::from(binding.resource_name.as_str()), entries);
        }
    }

    pub fn remove(&mut self, id: Uuid) {
        let Some(binding) = self.by_id.remove(&id) else { return };
        let Some(patterns) = self.by_type[binding.resource_type as usize].of_mut(binding.pattern_type) else {
            return;
        };
        let name = binding.resource_name.as_str();
        let Some(mut entries) = patterns.get(name).cloned() else { return };
        let before = entries.len();
        Arc::make_mut(&mut entries).retain(|entry| entry.id != id);
        assert!(entries.len() + 1 == before, "an ACL is once among those of its resource");
        if entries.is_empty() {
            patterns.remove(name);
        } else {
            patterns.insert(Arc::from(name), entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::{AclOperation, AclPermissionType};

    fn topic(pattern_type: PatternType, name: &str) -> AclBinding {
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

    fn visited(acls: &Acls, name: &str) -> Vec<String> {
        let mut seen = Vec::new();
        acls.patterns(ResourceType::Topic).visit(name, |entries| {
            let binding = &entries[0].binding;
            seen.push(format!("{} {}", binding.pattern_type, binding.resource_name));
            Visit::More
        });
        seen
    }

    #[test]
    fn every_pattern_over_a_name_is_met_once_and_no_other() {
        let mut acls = Acls::default();
        let prefixes = ["f", "fa", "fb", "foo", "foob", "foobar", "foobarz", "foz", "g", "é", ""];
        for (number, name) in prefixes.iter().enumerate() {
            acls.insert(Uuid::from_u128(number as u128), topic(PatternType::Prefixed, name));
        }
        for (number, name) in ["*", "foobar", "foo"].iter().enumerate() {
            acls.insert(Uuid::from_u128(100 + number as u128), topic(PatternType::Literal, name));
        }
        let expected = [
            "LITERAL foobar",
            "LITERAL *",
            "PREFIXED foobar",
            "PREFIXED foob",
            "PREFIXED foo",
            "PREFIXED f",
            "PREFIXED ",
        ];
        assert_eq!(visited(&acls, "foobar"), expected);
        assert_eq!(visited(&acls, "étude"), ["LITERAL *", "PREFIXED é", "PREFIXED "]);
        assert_eq!(visited(&acls, "ètude"), ["LITERAL *", "PREFIXED "]);
        assert_eq!(visited(&acls, "*"), ["LITERAL *", "PREFIXED "]);
        assert_eq!(visited(&acls, "zoo"), ["LITERAL *", "PREFIXED "]);
    }

    #[test]
    fn what_is_removed_is_gone_and_what_is_there_is_known() {
        let mut acls = Acls::default();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let read = topic(PatternType::Literal, "t");
        let write = AclBinding { operation: AclOperation::Write, ..read.clone() };
        acls.insert(one, read.clone());
        acls.insert(two, write.clone());
        assert!(acls.contains(&read) && acls.contains(&write) && acls.count() == 2);
        acls.remove(one);
        assert!(!acls.contains(&read) && acls.contains(&write) && !acls.contains_id(one));
        acls.remove(two);
        acls.remove(two);
        assert_eq!(acls, Acls::default());
    }

    #[test]
    fn hosts_are_compared_as_java_writes_them() {
        let local = IpAddr::from([127, 0, 0, 1]);
        let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
        for (text, address, expected) in [
            ("*", local, true),
            ("127.0.0.1", local, true),
            ("127.0.0.2", local, false),
            ("localhost", local, false),
            ("0:0:0:0:0:0:0:1", six, true),
            ("::1", six, false),
        ] {
            assert_eq!(Host::parse(text).matches(address), expected, "{text}");
        }
    }
}
