//! Checks of single fields, with the texts of the recorded contract (`docs/CONTRACT.md`).

use serde_json::Value;

use super::body::Fields;
use crate::refusal::FieldErrors;

/// How a text field is checked.
#[derive(Debug, Clone, Copy)]
pub struct TextField {
    /// Its name.
    pub name: &'static str,
    /// White space at both ends is no part of it. Never for passwords.
    pub trim: bool,
    /// An empty text is fine.
    pub blank: bool,
    /// Most characters.
    pub max: usize,
    /// U+0000 is judged by the caller.
    pub nul: bool,
}

/// The text for U+0000.
pub const NUL: &str = "Null characters are not allowed.";

/// Reads a text field. `None` where it is absent or wrong; what is wrong is added to `errors`.
pub fn text(
    fields: &Fields,
    field: TextField,
    required: bool,
    errors: &mut FieldErrors,
) -> Option<String> {
    let name = field.name;
    let value = match fields.get(name) {
        None if required => {
            errors.add(name, "This field is required.");
            return None;
        }
        None => return None,
        Some(Value::Null) => {
            errors.add(name, "This field may not be null.");
            return None;
        }
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            errors.add(name, "Not a valid string.");
            return None;
        }
    };
    let value = if field.trim {
        value.trim().to_owned()
    } else {
        value
    };
    if value.trim().is_empty() && !field.blank {
        errors.add(name, "This field may not be blank.");
        return None;
    }
    if value.chars().count() > field.max {
        errors.add(
            name,
            format!(
                "Ensure this field has no more than {} characters.",
                field.max
            ),
        );
        return None;
    }
    if value.contains('\0') && !field.nul {
        errors.add(name, NUL);
        return None;
    }
    Some(value)
}

/// Reads a truth value: a JSON boolean, or what a form has in its place.
pub fn boolean(fields: &Fields, name: &str, errors: &mut FieldErrors) -> Option<bool> {
    let read = match fields.get(name)? {
        Value::Null => {
            errors.add(name, "This field may not be null.");
            return None;
        }
        Value::Bool(value) => Some(*value),
        Value::String(text) if fields.is_form => match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Some(true),
            "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        },
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if read.is_none() {
        errors.add(name, "Must be a valid boolean.");
    }
    read
}

/// Says whether a text looks like one address: one `@`, something before it, a dotted name or
/// bracketed literal behind it, no white space or control characters.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let host_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let local_ok = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{}|~.-".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    local_ok && (domain == "localhost" || labels.len() > 1) && labels.into_iter().all(host_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p075_an_email_address_has_one_at_sign() {
        for good in [
            "a@example.com",
            "a.b+c@ex-ample.co",
            "a@localhost",
            "x@münchen.de",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "a@x@corp.com",
            "a@",
            "@b.c",
            "a b@c.d",
            "a@b",
            "a@-b.c",
            "a\n@b.c",
            ".a@b.c",
            "a@b..c",
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }
}
