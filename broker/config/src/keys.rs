//! A table of keys that do something: each row stands beside the typed field that reads it.
//! Core. A key without a field cannot be read outside of this room, so what has an effect is known from the
//! tables alone (`effect.rs`).

use crate::value::ConfigValue;

/// Declares rows with their fields: the struct of the values, the static table of the rows, and the function
/// that reads the one by the other.
macro_rules! keys {
    (
        $(#[$about:meta])* pub struct $name:ident;
        rows $rows:ident;
        $($(#[$doc:meta])* $vis:vis $field:ident: $type:ty = $row:expr;)*
    ) => {
        pub(crate) static $rows: &[crate::row::ConfigRow] = &[$($row),*];

        $(#[$about])*
        pub struct $name {
            $($(#[$doc])* $vis $field: $type,)*
        }

        impl $name {
            /// The fields, in the order of the rows.
            pub(crate) const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            pub(crate) fn read(
                mut value: impl FnMut(&'static crate::row::ConfigRow) -> crate::value::ConfigValue,
            ) -> $name {
                let mut rows = $rows.iter();
                $name {
                    $($field: match rows.next() {
                        Some(row) => crate::keys::typed(row, value(row)),
                        None => unreachable!("there is a row for each field"),
                    },)*
                }
            }
        }
    };
}

pub(crate) use keys;

/// A type that a value of a key can be read as.
pub(crate) trait FromValue: Sized {
    fn from_value(value: ConfigValue) -> Option<Self>;
}

/// The value of a row as its field has it. A row whose type is not its field's is a bug of its table; the
/// defaults are read in every test.
pub(crate) fn typed<T: FromValue>(row: &crate::row::ConfigRow, value: ConfigValue) -> T {
    match T::from_value(value) {
        Some(typed) => typed,
        None => panic!("the field of {} cannot hold a {:?}", row.name, row.kind),
    }
}

impl FromValue for i64 {
    fn from_value(value: ConfigValue) -> Option<i64> {
        value.as_i64()
    }
}

impl FromValue for i32 {
    fn from_value(value: ConfigValue) -> Option<i32> {
        value.as_i64().map(|number| i32::try_from(number).unwrap_or(i32::MAX))
    }
}

impl FromValue for i16 {
    fn from_value(value: ConfigValue) -> Option<i16> {
        value.as_i64().map(|number| i16::try_from(number).unwrap_or(i16::MAX))
    }
}

impl FromValue for u64 {
    fn from_value(value: ConfigValue) -> Option<u64> {
        value.as_i64().map(|number| u64::try_from(number).unwrap_or(0))
    }
}

impl FromValue for usize {
    fn from_value(value: ConfigValue) -> Option<usize> {
        value.as_i64().map(|number| usize::try_from(number).unwrap_or(0))
    }
}

impl FromValue for bool {
    fn from_value(value: ConfigValue) -> Option<bool> {
        match value {
            ConfigValue::Boolean(value) => Some(value),
            _ => None,
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: ConfigValue) -> Option<f64> {
        match value {
            ConfigValue::Double(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn from_value(value: ConfigValue) -> Option<String> {
        match value {
            ConfigValue::String(text) | ConfigValue::Class(text) => Some(text),
            _ => None,
        }
    }
}

/// The text of a password, which is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct HiddenText(String);

impl HiddenText {
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl FromValue for HiddenText {
    fn from_value(value: ConfigValue) -> Option<HiddenText> {
        match value {
            ConfigValue::Password(text) => Some(HiddenText(text)),
            _ => None,
        }
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: ConfigValue) -> Option<Vec<String>> {
        match value {
            ConfigValue::List(entries) => Some(entries),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: ConfigValue) -> Option<Option<T>> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
}
