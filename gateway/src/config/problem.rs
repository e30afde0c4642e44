//! What is wrong with a configuration, where, and what to write instead.
//!
//! Invariants: every problem of one run is kept, ordered by position; no secret is printed, even where
//! somebody wrote one into the file.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::masked;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Bytes of the configuration file, from and to.
    File(usize, usize),
    /// An environment variable.
    Env(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// Nowhere: the value is missing.
    Absent,
}

impl Place {
    pub(super) fn of(span: Range<usize>) -> Self {
        Self::File(span.start, span.end)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, in one line.
    pub title: String,
    /// What stands at the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: String,
    /// Another place that is part of the story.
    pub related: Option<(Place, String)>,
}

impl Problem {
    pub(super) fn new(place: Place, title: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            place,
            title: title.into(),
            label: String::new(),
            help: help.into(),
            related: None,
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }
}

/// The file that problems point into.
#[derive(Clone, Default)]
pub struct SourceText {
    /// As it was named by the operator.
    pub path: PathBuf,
    /// Whole text.
    pub text: String,
}

/// Without the text, in which somebody may have written a secret.
impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceText")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SourceText {
    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before
            .get(start..)
            .map_or(0, |rest| rest.chars().count())
            .saturating_add(1);
        (line, column)
    }

    /// `file:line:column` of a place, or the name of the variable or flag.
    pub fn name(&self, place: &Place) -> String {
        match place {
            Place::File(start, _) => {
                let (line, column) = self.line_column(*start);
                format!("{}:{line}:{column}", self.path.display())
            }
            Place::Env(name) => format!("environment variable {name}"),
            Place::Flag(name) => format!("flag {name}"),
            Place::Absent if self.path.as_os_str().is_empty() => "no file".to_owned(),
            Place::Absent => self.path.display().to_string(),
        }
    }
}

/// A configuration that cannot be used. Its text shows every problem; exit code 3.
#[derive(Debug, Clone)]
pub struct ConfigProblems {
    source: SourceText,
    problems: Vec<Problem>,
}

impl ConfigProblems {
    pub(super) fn new(source: SourceText, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.place, &a.title).cmp(&(&b.place, &b.title)));
        problems.dedup();
        Self { source, problems }
    }

    /// The problems in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// `file:line:column`, or the variable or flag, of one of the problems.
    pub fn place_name(&self, problem: &Problem) -> String {
        self.source.name(&problem.place)
    }

    /// Line and column of one of the problems, where it lies in the file.
    pub fn position(&self, problem: &Problem) -> Option<(usize, usize)> {
        match problem.place {
            Place::File(start, _) => Some(self.source.line_column(start)),
            Place::Env(_) | Place::Flag(_) | Place::Absent => None,
        }
    }

    /// Every problem with its source line, caret and remedy.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let text = masked(&self.source.text);
        let path = self.source.path.display().to_string();
        let mut out = String::new();
        for problem in &self.problems {
            out.push_str(&renderer.render(&[self.report(problem, &text, &path)]));
            out.push_str("\n\n");
        }
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        out.push_str(&format!(
            "{count} {noun} in the configuration; nothing was started"
        ));
        out
    }

    fn report<'a>(&self, problem: &'a Problem, text: &'a str, path: &'a str) -> Group<'a> {
        let title = match &problem.place {
            Place::File(..) | Place::Absent => problem.title.clone(),
            Place::Env(_) | Place::Flag(_) => {
                format!("{}: {}", self.source.name(&problem.place), problem.title)
            }
        };
        let mut group = Group::with_title(Level::ERROR.primary_title(title));
        let snippet = || Snippet::source(text).path(path);
        let mark = |kind: AnnotationKind, start: usize, end: usize| {
            kind.span(start.min(text.len())..end.clamp(start, text.len()))
        };
        if let Place::File(start, end) = problem.place {
            let mut primary = mark(AnnotationKind::Primary, start, end);
            if !problem.label.is_empty() {
                primary = primary.label(&problem.label);
            }
            let mut shown = snippet().annotation(primary);
            if let Some((Place::File(start, end), label)) = &problem.related {
                shown = shown.annotation(mark(AnnotationKind::Context, *start, *end).label(label));
            }
            group = group.element(shown);
        }
        if problem.place == Place::Absent && !path.is_empty() {
            group = group.element(Origin::path(path));
        }
        if let Some((place @ (Place::Env(_) | Place::Flag(_)), label)) = &problem.related {
            group =
                group.element(Level::NOTE.message(format!("{}: {label}", self.source.name(place))));
        }
        group.element(Level::HELP.message(&problem.help))
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigProblems {}
