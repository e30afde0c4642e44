//! What a body says of a user, read and judged.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::super::body::{self, Fields, Upload, type_name};
use super::super::fields::{NUL, TextField, boolean, is_email, text};
use super::super::{Call, Endpoints};
use crate::auth::password;
use crate::refusal::{ErrorShape, FieldErrors, Habits, Refusal};
use crate::username::{self, UsernameError};

pub(super) const USERNAME: TextField = TextField {
    name: "username",
    trim: true,
    blank: false,
    max: usize::MAX,
    nul: true,
};
const PASSWORD: TextField = TextField {
    name: "password",
    trim: false,
    blank: false,
    max: usize::MAX,
    nul: false,
};
const EMAIL: TextField = TextField {
    name: "email",
    trim: true,
    blank: true,
    max: 254,
    nul: false,
};

/// What a body says of a user; `None` is not said.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) email: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) active: Option<bool>,
}

impl Endpoints {
    /// Reads the body; with `whole` the fields that a user cannot be without must be there.
    pub(super) async fn read_input(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
        whole: bool,
    ) -> Result<Input, Refusal> {
        let fields = body::read(call.facts, upload, call.max_body(), call.habits()).await?;
        let mut errors = FieldErrors::default();
        let mut input = Input {
            username: text(&fields, USERNAME, whole, &mut errors)
                .and_then(|name| check_name(&name, &mut errors)),
            ..Input::default()
        };
        let password = text(&fields, PASSWORD, whole, &mut errors).map(SecretString::from);
        let name = input.username.as_deref().unwrap_or_default();
        if let Some(password) = &password
            && let Err(rule) = password::check_new(
                password.expose_secret(),
                name,
                &call.equipment.auth.password,
                self.insecure_dev,
            )
        {
            errors.add(PASSWORD.name, rule.to_string());
        }
        input.password = password;
        input.email = text(&fields, EMAIL, false, &mut errors);
        if input
            .email
            .as_ref()
            .is_some_and(|email| !email.is_empty() && !is_email(email))
        {
            errors.add(EMAIL.name, "Enter a valid email address.");
        }
        input.active = boolean(&fields, active_name(call.habits()), &mut errors);
        input.roles = roles(&fields, &mut errors);
        if errors.is_empty() {
            Ok(input)
        } else {
            Err(Refusal::Fields(errors))
        }
    }
}

/// Both checks of the recorded contract give their text: what a name is made of, and U+0000.
fn check_name(name: &str, errors: &mut FieldErrors) -> Option<String> {
    match username::normalise(name) {
        Ok(name) => return Some(name),
        Err(UsernameError::Empty) => errors.add(USERNAME.name, "This field may not be blank."),
        Err(UsernameError::TooLong) => errors.add(
            USERNAME.name,
            format!("Ensure this field has no more than {} characters.", username::MAX_CHARS),
        ),
        Err(UsernameError::Control | UsernameError::Character) => errors.add(
            USERNAME.name,
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
    }
    if name.contains('\0') {
        errors.add(USERNAME.name, NUL);
    }
    None
}

fn roles(fields: &Fields, errors: &mut FieldErrors) -> Option<Vec<String>> {
    let list = match fields.get("roles")? {
        Value::Array(list) => list.clone(),
        // A form can only repeat or separate: `admin,editor`.
        Value::String(text) if fields.is_form => {
            text.split(',').map(|role| role.trim().into()).collect()
        }
        other => {
            errors.add(
                "roles",
                format!(
                    "Expected a list of items but got type \"{}\".",
                    type_name(other)
                ),
            );
            return None;
        }
    };
    let mut roles = Vec::with_capacity(list.len());
    for role in list {
        match role {
            // A comma would read as two roles in the identity header.
            Value::String(role) if is_role(&role) => roles.push(role),
            Value::String(role) if role.is_empty() && fields.is_form => {}
            _ => {
                errors.add(
                    "roles",
                    "A role is 1 to 64 letters, digits, dots, dashes, underscores or colons.",
                );
                return None;
            }
        }
    }
    Some(roles)
}

/// Says whether a text can be a role name.
pub fn is_role(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
}

fn active_name(habits: &Habits) -> &'static str {
    match habits.errors {
        ErrorShape::Drf => "is_active",
        ErrorShape::Problem => "active",
    }
}
