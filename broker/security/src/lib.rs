//! Who may do what: principals, ACLs, the authorizer's rules, and SCRAM credentials.
//! Core, but for `tls`. Knows no wire and no requests; the metadata room keeps what is stored here as records.
//!
//! Reading order: `principal`, `identity`, `acl`, `filter`, `acls`, `authorizer`, `scram`; `tls`.

mod acl;
mod acls;
mod authorizer;
mod filter;
mod identity;
mod principal;
mod scram;
pub mod tls;

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
};
