//! Who is there and may do what: principals, logins, ACLs, the authorizer's rules, and SCRAM credentials.
//! Core. Knows no wire, no disk and no clock; the metadata room keeps what is stored here as records.
//!
//! Reading order: `principal`, `identity`, `acl`, `filter`, `acls`, `authorizer`, `secret`, `scram`, `sasl`.

mod acl;
mod acls;
mod authorizer;
mod filter;
mod identity;
mod principal;
pub mod sasl;
mod scram;
mod secret;

pub use acl::{
    AclBinding, AclOperation, AclPermissionType, CLUSTER_NAME, PatternType, ResourceType, WILDCARD,
};
pub use acls::Acls;
pub use authorizer::{Asking, Authorizer, AuthorizerError};
pub use filter::AclBindingFilter;
pub use identity::Identity;
pub use principal::{InvalidPrincipal, KafkaPrincipal};
pub use scram::{
    ITERATIONS_MAX, ScramCredential, ScramCredentials, ScramKeys, ScramMechanism, keys_of_salted_password,
    salted_password,
};
pub use secret::Secret;
