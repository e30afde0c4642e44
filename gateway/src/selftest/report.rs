//! What was found, property by property.
//!
//! Invariants: a property is *held* only where at least one case was sent and none was unclear; what could
//! not be sent is never counted as held.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A property of the list, e.g. `P031`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Property(pub u8);

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{:03}", self.0)
    }
}

impl Serialize for Property {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A case that went wrong. Nothing in it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which case.
    pub case: String,
    /// What the case is about.
    pub why: String,
    /// What was sent, escaped; tokens are left out.
    pub sent: String,
    /// What had to come back.
    pub expected: String,
    /// What came back, escaped; tokens are left out.
    pub got: String,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Held,
    NotHeld(Failure),
    /// It could not be sent, or its answer says nothing: the property stays open.
    Unclear(String),
    /// It has no place at this target; the property is judged by its other cases.
    NotHere(String),
}

/// What is said of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every case was answered as it had to be.
    Held,
    /// At least one was not.
    NotHeld,
    /// Something was missing.
    CouldNotTell,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::NotHeld => "not held",
            Self::CouldNotTell => "could not tell",
        })
    }
}

/// What was found of one property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which.
    pub property: Property,
    /// What it says.
    pub title: &'static str,
    /// Whether it is held.
    pub verdict: Verdict,
    /// Cases that were sent and judged.
    pub cases: usize,
    /// What was missing.
    pub reasons: Vec<String>,
    /// Cases that went wrong.
    pub failures: Vec<Failure>,
}

/// How many there are of each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Held.
    pub held: usize,
    /// Not held.
    pub not_held: usize,
    /// Could not tell.
    pub could_not_tell: usize,
}

/// Findings as they come in.
#[derive(Debug, Default)]
pub(super) struct Findings(BTreeMap<Property, Vec<Finding>>);

impl Findings {
    /// Adds one, and numbers its case: `P031.4` is the fourth of P031.
    pub(super) fn add(&mut self, property: Property, mut finding: Finding) {
        let all = self.0.entry(property).or_default();
        if let Finding::NotHeld(failure) = &mut finding {
            failure.case = format!("{property}.{}", all.len() + 1);
        }
        all.push(finding);
    }

    /// One line for each of `wanted`.
    pub(super) fn lines(mut self, wanted: &[(Property, &'static str)]) -> Vec<Line> {
        wanted
            .iter()
            .map(|(property, title)| {
                let findings = self.0.remove(property).unwrap_or_default();
                line(*property, title, findings)
            })
            .collect()
    }
}

fn line(property: Property, title: &'static str, findings: Vec<Finding>) -> Line {
    let (mut held, mut failures) = (0, Vec::new());
    let (mut unclear, mut not_here) = (Vec::new(), Vec::new());
    for finding in findings {
        match finding {
            Finding::Held => held += 1,
            Finding::NotHeld(failure) => failures.push(failure),
            Finding::Unclear(why) => push_new(&mut unclear, why),
            Finding::NotHere(why) => push_new(&mut not_here, why),
        }
    }
    let verdict = if !failures.is_empty() {
        Verdict::NotHeld
    } else if held > 0 && unclear.is_empty() {
        Verdict::Held
    } else {
        Verdict::CouldNotTell
    };
    if verdict == Verdict::CouldNotTell && unclear.is_empty() {
        unclear = not_here;
    }
    Line {
        property,
        title,
        verdict,
        cases: held + failures.len(),
        reasons: unclear,
        failures,
    }
}

fn push_new(reasons: &mut Vec<String>, reason: String) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// Counts verdicts.
pub(super) fn summary(lines: &[Line]) -> Summary {
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    Summary {
        held: count(Verdict::Held),
        not_held: count(Verdict::NotHeld),
        could_not_tell: count(Verdict::CouldNotTell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(findings: Vec<Finding>) -> (Verdict, usize, Vec<String>) {
        let line = line(Property(1), "", findings);
        (line.verdict, line.cases, line.reasons)
    }

    #[test]
    fn a_property_is_held_only_where_something_was_shown_and_nothing_is_open() {
        let (held, bad) = (Finding::Held, Finding::NotHeld(Failure::default()));
        let unclear = Finding::Unclear("a".to_owned());
        let not_here = Finding::NotHere("b".to_owned());
        let reason = |text: &str| vec![text.to_owned()];
        use Verdict::{CouldNotTell, Held, NotHeld};
        for (findings, want) in [
            (vec![], (CouldNotTell, 0, vec![])),
            (vec![held.clone(), held.clone()], (Held, 2, vec![])),
            (vec![held.clone(), not_here.clone()], (Held, 1, vec![])),
            (vec![not_here.clone()], (CouldNotTell, 0, reason("b"))),
            (
                vec![unclear.clone(), unclear.clone()],
                (CouldNotTell, 0, reason("a")),
            ),
            (
                vec![held.clone(), unclear.clone()],
                (CouldNotTell, 1, reason("a")),
            ),
            (
                vec![held, bad, unclear, not_here],
                (NotHeld, 2, reason("a")),
            ),
        ] {
            assert_eq!(verdict(findings.clone()), want, "{findings:?}");
        }
    }
}
