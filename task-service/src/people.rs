//! People: the users of the gateway, as this service knows them. It holds no
//! password and decides nobody's identity; the gateway keeps this list up to
//! date (provisioning).

use std::fmt;

use serde::Serialize;

use crate::body::{Fields, Value};
use crate::error::FieldErrors;

const USERNAME_MAX: usize = 150;
const EMAIL_MAX: usize = 254;

/// Which person. Given out by the gateway, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PersonId(pub u64);

impl PersonId {
    /// Reads an id as it is written: ASCII digits, no sign, no leading zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical(text).map(Self)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that `text` is the only spelling of. Ids end at 2^63 - 1, so that
/// any client can hold them.
pub(crate) fn canonical(text: &str) -> Option<u64> {
    let plain =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = text.parse().ok().filter(|_| plain)?;
    i64::try_from(number).is_ok().then_some(number)
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Which one.
    pub id: PersonId,
    /// The name to log in with.
    pub username: String,
    /// Where to write to; may be empty.
    pub email: String,
    /// Whether the gateway lets them log in. Tasks may belong to them anyway.
    pub active: bool,
}

impl Person {
    /// Reads the body of `PUT /people/{id}`.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn from_fields(id: PersonId, fields: &Fields) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let id = field("id", sent_id(fields, id), &mut errors);
        let username = field("username", username(fields), &mut errors);
        let email = field("email", text(fields, "email", EMAIL_MAX), &mut errors);
        let active = field("active", active(fields), &mut errors);
        match (id, username, email, active) {
            (Some(id), Some(username), Some(email), Some(active)) => Ok(Self {
                id,
                username: username.to_owned(),
                email: email.to_owned(),
                active,
            }),
            _ => Err(errors),
        }
    }
}

/// Notes the fault of a field that has one.
fn field<T>(name: &'static str, outcome: Result<T, String>, errors: &mut FieldErrors) -> Option<T> {
    outcome.map_err(|text| errors.push(name, vec![text])).ok()
}

/// The body must mean the person that the address names.
fn sent_id(fields: &Fields, id: PersonId) -> Result<PersonId, String> {
    match fields.value("id") {
        Some(Value::Int(digits)) if PersonId::parse(digits) == Some(id) => Ok(id),
        Some(_) => Err("Expected the id of the address.".to_owned()),
        None => Err("This field is required.".to_owned()),
    }
}

fn username(fields: &Fields) -> Result<&str, String> {
    let name = text(fields, "username", USERNAME_MAX)?;
    if name.trim().is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    Ok(name)
}

fn active(fields: &Fields) -> Result<bool, String> {
    match fields.value("active") {
        Some(Value::Bool(active)) => Ok(*active),
        Some(_) => Err("Must be a valid boolean.".to_owned()),
        None => Err("This field is required.".to_owned()),
    }
}

fn text<'a>(fields: &'a Fields, name: &str, max: usize) -> Result<&'a str, String> {
    let fault = match fields.value(name) {
        None => "This field is required.",
        Some(Value::Text(text)) if text.surrogate().is_some() => "Not a valid string.",
        Some(Value::Text(text)) if text.as_str().contains('\0') => {
            "Null characters are not allowed."
        }
        Some(Value::Text(text)) if text.as_str().chars().count() > max => {
            return Err(format!(
                "Ensure this field has no more than {max} characters."
            ));
        }
        Some(Value::Text(text)) => return Ok(text.as_str()),
        Some(_) => "Not a valid string.",
    };
    Err(fault.to_owned())
}

/// A person as `/users/` shows one.
#[derive(Debug, Serialize)]
pub struct PersonView<'a> {
    /// Which one.
    pub id: PersonId,
    /// The ids of their tasks, rising.
    pub tasks: &'a [u64],
    /// The name to log in with.
    pub username: &'a str,
    /// Where to write to.
    pub email: &'a str,
    /// Whether the gateway lets them log in.
    pub is_active: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let table = [
            ("0", Some(0)),
            ("1", Some(1)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999999", None),
            ("", None),
            ("01", None),
            ("00", None),
            ("+1", None),
            ("-1", None),
            ("0_1", None),
            (" 1", None),
            ("１", None),
            ("1.0", None),
            ("abc", None),
        ];
        for (text, want) in table {
            assert_eq!(PersonId::parse(text), want.map(PersonId), "{text:?}");
        }
    }
}
