//! One row a key: name, type, default, bounds, whether and how it may change, sentence, importance, synonyms.
//! Core.

/// The types of Kafka's ConfigDef; the numbers are the type codes of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl ConfigType {
    /// The code on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// Kafka's name of the type, as its error texts say it.
    pub const fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// A check with a rule of its own: it gets the key and the trimmed text, and answers Kafka's error text.
pub type CustomCheck = fn(name: &str, text: &str) -> Result<(), String>;

/// What values a key takes beyond its type.
#[derive(Clone, Copy, Debug)]
pub enum Validation {
    Any,
    Range {
        min: Option<i64>,
        max: Option<i64>,
    },
    DoubleRange {
        min: f64,
        max: f64,
    },
    OneOf(&'static [&'static str]),
    OneOfIgnoreCase(&'static [&'static str]),
    /// A list whose entries are among `of` (anything when that is empty); doubles are dropped.
    ListOf {
        of: &'static [&'static str],
        empty_allowed: bool,
    },
    NonEmpty,
    Custom(CustomCheck),
}

/// Whether and where a key may change while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynamicMode {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// Kafka's importance of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// When DescribeConfigs shows a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    Described,
    /// Kafka's internal keys: taken when given, shown only then.
    Internal,
    /// Not a static key at all: exists only as a dynamic change (the throttle rates).
    DynamicOnly,
}

/// A broker key that gives a topic or group key its default; `scale` turns hours and minutes into milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub scale: i64,
}

/// Everything known about one key.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRow {
    pub name: &'static str,
    pub kind: ConfigType,
    /// Kafka's default; ours, where it differs, is in [`crate::OTTLA_DEFAULTS`].
    pub default: Option<&'static str>,
    pub validate: Validation,
    pub dynamic: DynamicMode,
    pub importance: Importance,
    pub visibility: Visibility,
    /// Whether a change while the broker runs waits for the next start.
    pub at_start: bool,
    pub synonyms: &'static [Synonym],
    pub doc: &'static str,
}

impl ConfigRow {
    /// A change while the broker runs takes effect at the next start.
    pub const fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }

    pub const fn internal(mut self) -> Self {
        self.visibility = Visibility::Internal;
        self
    }

    pub const fn dynamic_only(mut self) -> Self {
        self.visibility = Visibility::DynamicOnly;
        self
    }

    pub const fn synonyms(mut self, synonyms: &'static [Synonym]) -> Self {
        self.synonyms = synonyms;
        self
    }

    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Whether values of this key are never shown.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, ConfigType::Password)
    }

    /// What values are allowed, for people.
    pub fn allowed(&self) -> String {
        let kind = match self.kind {
            ConfigType::Boolean => return "true or false".to_owned(),
            ConfigType::Int | ConfigType::Short | ConfigType::Long => "a whole number",
            ConfigType::Double => "a number",
            ConfigType::List => "a list separated by commas",
            ConfigType::String | ConfigType::Class | ConfigType::Password => "text",
        };
        match self.validate {
            Validation::Any | Validation::Custom(_) => match self.kind {
                ConfigType::Int => format!("{kind} from {} to {}", i32::MIN, i32::MAX),
                ConfigType::Short => format!("{kind} from {} to {}", i16::MIN, i16::MAX),
                _ => kind.to_owned(),
            },
            Validation::Range { min: Some(min), max: Some(max) } => format!("{kind} from {min} to {max}"),
            Validation::Range { min: Some(min), max: None } => format!("{kind}, at least {min}"),
            Validation::Range { min: None, max: Some(max) } => format!("{kind}, at most {max}"),
            Validation::Range { min: None, max: None } => kind.to_owned(),
            Validation::DoubleRange { min, max } => format!("{kind} from {min} to {max}"),
            Validation::OneOf(of) | Validation::OneOfIgnoreCase(of) => format!("one of {}", of.join(", ")),
            Validation::ListOf { of: [], empty_allowed: false } => format!("{kind}, not empty"),
            Validation::ListOf { of: [], empty_allowed: true } => kind.to_owned(),
            Validation::ListOf { of, .. } => format!("{kind}, of {}", of.join(", ")),
            Validation::NonEmpty => "text that is not empty".to_owned(),
        }
    }
}

pub(crate) const fn row(
    name: &'static str,
    kind: ConfigType,
    default: Option<&'static str>,
    validate: Validation,
    dynamic: DynamicMode,
    importance: Importance,
) -> ConfigRow {
    ConfigRow {
        name,
        kind,
        default,
        validate,
        dynamic,
        importance,
        visibility: Visibility::Described,
        at_start: false,
        synonyms: &[],
        doc: "",
    }
}

pub(crate) const fn at_least(min: i64) -> Validation {
    Validation::Range { min: Some(min), max: None }
}

pub(crate) const fn between(min: i64, max: i64) -> Validation {
    Validation::Range { min: Some(min), max: Some(max) }
}

pub(crate) const fn list(of: &'static [&'static str], empty_allowed: bool) -> Validation {
    Validation::ListOf { of, empty_allowed }
}
