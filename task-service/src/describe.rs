//! What OPTIONS says about a resource (docs/CONTRACT.md, "OPTIONS").

use crate::route::Resource;

const FORMATS: &str = r#""renders":["application/json","text/html"],"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"]"#;

const TASK_FIELDS: &str = concat!(
    r#"{"id":{"type":"integer","required":false,"read_only":true,"label":"ID"},"#,
    r#""title":{"type":"string","required":true,"read_only":false,"label":"Title","max_length":100},"#,
    r#""due_to":{"type":"datetime","required":true,"read_only":false,"label":"Due to"},"#,
    r#""person":{"type":"field","required":true,"read_only":false,"label":"Person"}}"#
);

const USER_FIELDS: &str = concat!(
    r#"{"id":{"type":"integer","required":false,"read_only":true,"label":"ID"},"#,
    r#""tasks":{"type":"field","required":false,"read_only":true,"label":"Tasks"},"#,
    r#""username":{"type":"string","required":true,"read_only":false,"label":"Username","max_length":150},"#,
    r#""email":{"type":"email","required":false,"read_only":false,"label":"Email address","max_length":254},"#,
    r#""is_active":{"type":"boolean","required":false,"read_only":false,"label":"Active"}}"#
);

/// The description of a resource, with its fields where the caller may write.
#[must_use]
pub fn describe(resource: Resource, may_write: bool) -> String {
    let (name, description, actions) = match resource {
        Resource::Root => ("Api Root", "Where the collections are.", None),
        Resource::Tasks => ("Task List", "All tasks.", Some(("POST", TASK_FIELDS))),
        Resource::Task(_) => ("Task Instance", "One task.", Some(("PUT", TASK_FIELDS))),
        Resource::Users => ("User List", "All users.", Some(("POST", USER_FIELDS))),
        Resource::User(_) => ("User Instance", "One user.", Some(("PUT", USER_FIELDS))),
    };
    let head = format!(r#""name":"{name}","description":"{description}",{FORMATS}"#);
    match actions.filter(|_| may_write) {
        Some((method, fields)) => format!(r#"{{{head},"actions":{{"{method}":{fields}}}}}"#),
        None => format!("{{{head}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_is_json() {
        let resources = [
            Resource::Root,
            Resource::Tasks,
            Resource::Task(None),
            Resource::Users,
            Resource::User(None),
        ];
        for resource in resources {
            for may_write in [false, true] {
                let text = describe(resource, may_write);
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                let wants = may_write && resource != Resource::Root;
                assert_eq!(value.get("actions").is_some(), wants, "{text}");
            }
        }
    }
}
