//! `OPTIONS` of the gateway's own addresses: what they take (`docs/CONTRACT.md`).

use serde_json::{Value, json};

use crate::answer::Answer;

/// A description of an address whose POST (and PUT) takes these fields.
pub fn answer(name: &str, description: &str, actions: Option<Value>) -> Answer {
    let mut body = json!({
        "name": name,
        "description": description,
        "renders": ["application/json", "text/html"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    if let (Some(actions), Some(object)) = (actions, body.as_object_mut()) {
        object.insert("actions".to_owned(), actions);
    }
    Answer::json(200, &body)
}

/// The description of one required text field.
pub fn text_field(label: &str) -> Value {
    json!({ "type": "string", "required": true, "read_only": false, "label": label })
}
