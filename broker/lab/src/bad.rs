//! What is wrong with something that was asked: which field, and why.
//! Core.

use std::fmt;

/// Names the field, from the outermost in (`do.error`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bad {
    pub field: String,
    pub why: String,
}

impl Bad {
    pub fn new(field: impl Into<String>, why: impl Into<String>) -> Bad {
        Bad { field: field.into(), why: why.into() }
    }

    /// As seen from further out.
    pub fn within(self, outer: &str) -> Bad {
        match (outer.is_empty(), self.field.is_empty()) {
            (true, _) => self,
            (false, true) => Bad { field: outer.to_owned(), ..self },
            (false, false) => Bad { field: format!("{outer}.{}", self.field), ..self },
        }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.is_empty() {
            true => f.write_str(&self.why),
            false => write!(f, "{}: {}", self.field, self.why),
        }
    }
}
