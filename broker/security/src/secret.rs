//! What nobody may read by accident: passwords and keys, compared in constant time and never printed.
//! Core.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password or a key. It is not cloned, printed or compared with `==`, and its memory is overwritten in the end.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// Whether it is the same. How long that takes says nothing, not even how long the secret is: digests
    /// are compared.
    pub fn is(&self, given: &[u8]) -> bool {
        Sha256::digest(&*self.0).ct_eq(&Sha256::digest(given)).into()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does not compile where the type has the trait: two blanket implementations then fit.
    macro_rules! has_not {
        ($kind:ty: $bound:path) => {{
            trait Ambiguous<Which> {
                fn is_clear() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Fits;
            impl<T: ?Sized + $bound> Ambiguous<Fits> for T {}
            <$kind as Ambiguous<_>>::is_clear();
        }};
    }

    /// CVE-2021-38153, CVE-2023-51437, CVE-2025-59432: a comparison that ends early tells how much was right.
    #[test]
    fn no_secret_can_be_compared_with_double_equals() {
        has_not!(Secret: PartialEq);
        has_not!(Secret: Clone);
    }

    #[test]
    fn a_secret_is_only_itself_and_not_printed() {
        let secret = Secret::new("hush");
        assert!(secret.is(b"hush"));
        assert!(!secret.is(b"hus") && !secret.is(b"hush ") && !secret.is(b""));
        assert_eq!(format!("{secret:?}"), "[hidden]");
    }
}
