//! Tasks, and the rules for their three fields (docs/CONTRACT.md, "Tasks").

use std::fmt;

use serde::Serialize;

use crate::body::{Fields, Value};
use crate::due::DueTo;
use crate::error::FieldErrors;
use crate::people::{PersonId, canonical};

/// The longest title, in code points.
pub const TITLE_MAX: usize = 100;
const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";

/// Which task. Given out from 1, rising, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

impl TaskId {
    /// Reads an id as it is written: ASCII digits, no sign, no leading zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical(text).map(Self)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A title: trimmed, 1 to [`TITLE_MAX`] code points, no U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    /// Reads the value sent.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(value: &Value) -> Result<Self, Vec<String>> {
        let one = |text: &str| Err(vec![text.to_owned()]);
        let (text, surrogate) = match value {
            Value::Int(digits) => (digits.as_str(), None),
            Value::Text(text) => (text.as_str().trim(), text.surrogate()),
            Value::Null => return one(NULL),
            Value::Bool(_) | Value::File | Value::Float(_) | Value::List | Value::Object => {
                return one("Not a valid string.");
            }
        };
        if text.is_empty() {
            return one("This field may not be blank.");
        }
        let mut errors = Vec::new();
        if text.chars().count() > TITLE_MAX {
            errors.push(format!(
                "Ensure this field has no more than {TITLE_MAX} characters."
            ));
        }
        if text.contains('\0') {
            errors.push("Null characters are not allowed.".to_owned());
        }
        if let Some(unit) = surrogate {
            errors.push(format!("Surrogate characters are not allowed: U+{unit:X}."));
        }
        if errors.is_empty() {
            Ok(Self(text.to_owned()))
        } else {
            Err(errors)
        }
    }

    /// A title that the store holds, and that was judged when it came in.
    pub(crate) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A task as it is shown, its title still where it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TaskView<'a> {
    /// Which one.
    pub id: TaskId,
    /// What is to be done.
    pub title: &'a str,
    /// Until when.
    pub due_to: DueTo,
    /// By whom.
    pub person: PersonId,
}

/// A task to be made; every field right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done.
    pub title: Title,
    /// Until when.
    pub due_to: DueTo,
    /// By whom. The store checks once more that the person exists.
    pub person: PersonId,
}

impl NewTask {
    /// The task that this is under `id`.
    #[must_use]
    pub fn view(&self, id: TaskId) -> TaskView<'_> {
        TaskView {
            id,
            title: self.title.as_str(),
            due_to: self.due_to,
            person: self.person,
        }
    }
}

/// What to change of a task; every field that is there is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskEdit {
    /// The new title.
    pub title: Option<Title>,
    /// The new moment.
    pub due_to: Option<DueTo>,
    /// The new person.
    pub person: Option<PersonId>,
}

impl TaskEdit {
    /// Reads the fields sent, all wrong ones at once. `known` says whether a
    /// person exists.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn from_fields(
        fields: &Fields,
        needs: Needs,
        mut known: impl FnMut(PersonId) -> bool,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let edit = Self {
            title: field(fields, "title", needs, &mut errors, Title::parse),
            due_to: field(fields, "due_to", needs, &mut errors, due_to),
            person: field(fields, "person", needs, &mut errors, |value| {
                person(value, &mut known)
            }),
        };
        if errors.is_empty() {
            Ok(edit)
        } else {
            Err(errors)
        }
    }

    /// The task to be made, when all three fields are there.
    #[must_use]
    pub fn complete(self) -> Option<NewTask> {
        Some(NewTask {
            title: self.title?,
            due_to: self.due_to?,
            person: self.person?,
        })
    }

    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.title.is_none() && self.due_to.is_none() && self.person.is_none()
    }
}

/// Which fields must be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// All of them: POST and PUT.
    All,
    /// Any: PATCH.
    Any,
}

fn field<T>(
    fields: &Fields,
    name: &'static str,
    needs: Needs,
    errors: &mut FieldErrors,
    mut parse: impl FnMut(&Value) -> Result<T, Vec<String>>,
) -> Option<T> {
    let outcome = match (fields.value(name), needs) {
        (Some(value), _) => parse(value),
        (None, Needs::All) => Err(vec![REQUIRED.to_owned()]),
        (None, Needs::Any) => return None,
    };
    outcome.map_err(|texts| errors.push(name, texts)).ok()
}

fn due_to(value: &Value) -> Result<DueTo, Vec<String>> {
    let outcome = match value {
        Value::Null => Err(NULL),
        Value::Text(text) => DueTo::parse(text.as_str()),
        Value::Bool(_)
        | Value::File
        | Value::Float(_)
        | Value::Int(_)
        | Value::List
        | Value::Object => Err(DueTo::wrong_format()),
    };
    outcome.map_err(|text| vec![text.to_owned()])
}

/// A person is named by id: a whole number, or the same as text.
fn person(value: &Value, mut known: impl FnMut(PersonId) -> bool) -> Result<PersonId, Vec<String>> {
    let number = match value {
        Value::Int(digits) => Some(digits.as_str()),
        // 1.0 is a whole number; 1e0 and 1.5 are taken for mistakes.
        Value::Float(digits) => digits
            .split_once('.')
            .filter(|(_, fraction)| fraction.bytes().all(|digit| digit == b'0'))
            .map(|(whole, _)| whole),
        Value::Text(text) if text.as_str().is_empty() => return Err(vec![NULL.to_owned()]),
        Value::Text(text) => Some(text.as_str()).filter(|text| is_integer(text)),
        Value::Null => return Err(vec![NULL.to_owned()]),
        Value::Bool(_) | Value::File | Value::List | Value::Object => None,
    };
    let Some(number) = number else {
        let received = value.type_name();
        return Err(vec![format!(
            "Incorrect type. Expected pk value, received {received}."
        )]);
    };
    match PersonId::parse(number).filter(|id| known(*id)) {
        Some(id) => Ok(id),
        None => Err(vec![unknown_person(number)]),
    }
}

/// The text for a person who does not exist.
pub fn unknown_person(sent: impl fmt::Display) -> String {
    format!("Invalid pk \"{sent}\" - object does not exist.")
}

/// Whether `text` is an integer of any size in its only spelling.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits == "0"
        || (!digits.is_empty()
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
