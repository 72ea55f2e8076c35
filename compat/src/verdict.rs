//! What became of a test of somebody else's suite, by the word that a ledger has for it.
//! Core.

/// What became of one test on one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
    #[default]
    NotRun,
}

impl Verdict {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Passed, "passed"),
        (Self::Failed, "failed"),
        (Self::Skipped, "skipped"),
        (Self::NotRun, "not run"),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(verdict, _)| *verdict == self).map_or("", |(_, name)| name)
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(verdict, _)| *verdict)
    }
}
