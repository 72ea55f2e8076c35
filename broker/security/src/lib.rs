//! Who is there and may do what: principals, logins, ACLs, the authorizer's rules, SCRAM credentials, and TLS.
//! Core, but for `tls`. Knows no wire and no requests; the metadata room keeps what is stored here as records.
//!
//! Reading order: `principal`, `identity`, `acl`, `filter`, `acls`, `authorizer`, `secret`, `scram`, `tokens`, `sasl`; `tls`.

mod acl;
mod acls;
mod authorizer;
mod filter;
mod identity;
mod principal;
pub mod sasl;
mod scram;
mod secret;
pub mod tls;
mod tokens;

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
pub use tokens::{TokenLogin, TokenLogins, token_credential, token_hmac};
