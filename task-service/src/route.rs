//! Which resource an address names (docs/CONTRACT.md, "Addresses, suffixes,
//! formats"). Names are compared as sent, without decoding: an address has one
//! spelling. Only the id may be percent-encoded.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::people::PersonId;
use crate::task::TaskId;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// Part of the API, with the format suffix sent.
    Api(Resource, Option<&'a str>),
    /// `/healthz`.
    Health,
    /// An address of the API but for its last slash; with the right path.
    MissingSlash(String),
    /// `/people/{id}`; without an id when it is none.
    Person(Option<PersonId>),
    /// Nothing.
    Unknown,
}

/// A resource of the API. An id that cannot be one is `None`: it is a resource
/// that does not exist, at an address that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `/`
    Root,
    /// `/tasks/{id}/`
    Task(Option<TaskId>),
    /// `/tasks/`
    Tasks,
    /// `/users/{id}/`
    User(Option<PersonId>),
    /// `/users/`
    Users,
}

impl<'a> Route<'a> {
    /// Reads the path of a request.
    #[must_use]
    pub fn parse(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix('/') else {
            return Self::Unknown;
        };
        let (rest, slash) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        match rest.split_once('/') {
            None if path == "/" => Self::Api(Resource::Root, None),
            None if rest == "healthz" && !slash => Self::Health,
            None => Self::collection(rest, slash).unwrap_or(Self::Unknown),
            Some(("people", id)) => Self::Person(PersonId::parse(id)),
            Some((name, id)) => Self::item(name, id, slash).unwrap_or(Self::Unknown),
        }
    }

    /// `tasks` and `users`, each with or without a suffix, and a suffix alone.
    fn collection(last: &'a str, slash: bool) -> Option<Self> {
        let (name, suffix) = split_suffix(last)?;
        let resource = match name {
            "" if suffix.is_some() => Resource::Root,
            "tasks" => Resource::Tasks,
            "users" => Resource::Users,
            _ => return None,
        };
        Some(if slash || suffix.is_some() {
            Self::Api(resource, suffix)
        } else {
            Self::MissingSlash(format!("/{name}/"))
        })
    }

    /// `tasks/{id}` and `users/{id}`, each with or without a suffix.
    fn item(name: &str, last: &'a str, slash: bool) -> Option<Self> {
        let (id, suffix) = split_suffix(last)?;
        let id: Cow<'_, [u8]> = percent_decode_str(id).into();
        if id.is_empty() || id.iter().any(|byte| matches!(byte, b'/' | b'.')) {
            return None;
        }
        let number = std::str::from_utf8(&id).unwrap_or_default();
        let resource = match name {
            "tasks" => Resource::Task(TaskId::parse(number)),
            "users" => Resource::User(PersonId::parse(number)),
            _ => return None,
        };
        Some(if slash || suffix.is_some() {
            Self::Api(resource, suffix)
        } else {
            Self::MissingSlash(format!("/{name}/{}/", percent_encode(&id, &QUOTED)))
        })
    }

    /// The route's name in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Api(Resource::Root, _) => "/",
            Self::Api(Resource::Task(_), _) => "/tasks/{id}/",
            Self::Api(Resource::Tasks, _) => "/tasks/",
            Self::Api(Resource::User(_), _) => "/users/{id}/",
            Self::Api(Resource::Users, _) => "/users/",
            Self::Health => "/healthz",
            Self::MissingSlash(_) => "missing slash",
            Self::Person(_) => "/people/{id}",
            Self::Unknown => "unknown",
        }
    }
}

impl Resource {
    /// The methods that the address has. `/users/` has those that the gateway
    /// serves there as well.
    #[must_use]
    pub fn allow(self) -> &'static str {
        match self {
            Self::Root => "GET, HEAD, OPTIONS",
            Self::Tasks | Self::Users => "GET, POST, HEAD, OPTIONS",
            Self::Task(_) | Self::User(_) => "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        }
    }
}

/// What a redirect's path leaves as it is, besides letters and digits.
const QUOTED: AsciiSet = NON_ALPHANUMERIC
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'-')
    .remove(b'_')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Splits `name.suffix`. A suffix has lower-case letters and digits only, and a
/// name no dot.
fn split_suffix(last: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, suffix)) = last.split_once('.') else {
        return Some((last, None));
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!suffix.is_empty() && suffix.bytes().all(plain)).then_some((name, Some(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let task = |id| Resource::Task(Some(TaskId(id)));
        let no_task = Resource::Task(None);
        let api = |resource| Route::Api(resource, None);
        let slash = |path: &str| Route::MissingSlash(path.to_owned());
        let table = [
            ("/", api(Resource::Root)),
            ("/.json", Route::Api(Resource::Root, Some("json"))),
            ("/tasks/", api(Resource::Tasks)),
            ("/tasks.json", Route::Api(Resource::Tasks, Some("json"))),
            ("/tasks.xml/", Route::Api(Resource::Tasks, Some("xml"))),
            ("/tasks/1/", api(task(1))),
            ("/tasks/%31/", api(task(1))),
            ("/tasks/1.json", Route::Api(task(1), Some("json"))),
            ("/tasks/1.0/", Route::Api(task(1), Some("0"))),
            ("/tasks/abc/", api(no_task)),
            ("/tasks/01/", api(no_task)),
            ("/tasks/+1/", api(no_task)),
            ("/tasks/%FF/", api(no_task)),
            ("/tasks/%00/", api(no_task)),
            ("/tasks/9223372036854775808/", api(no_task)),
            ("/users/2/", api(Resource::User(Some(PersonId(2))))),
            ("/tasks", slash("/tasks/")),
            ("/users", slash("/users/")),
            ("/tasks/1", slash("/tasks/1/")),
            ("/tasks/;x=1", slash("/tasks/%3Bx%3D1/")),
            ("/tasks/%C3%A9", slash("/tasks/%C3%A9/")),
            ("/people/7", Route::Person(Some(PersonId(7)))),
            ("/people/7/", Route::Person(Some(PersonId(7)))),
            ("/people/x", Route::Person(None)),
            ("/people/", Route::Unknown),
            ("/people", Route::Unknown),
            ("/healthz", Route::Health),
            ("/healthz/", Route::Unknown),
            ("", Route::Unknown),
            ("*", Route::Unknown),
            ("//", Route::Unknown),
            ("//tasks", Route::Unknown),
            ("//tasks/", Route::Unknown),
            ("/tasks//", Route::Unknown),
            ("/tasks/1//", Route::Unknown),
            ("/tasks/1/extra/", Route::Unknown),
            ("/tasks/1/extra", Route::Unknown),
            ("/tasks/.json", Route::Unknown),
            ("/tasks/1.JSON", Route::Unknown),
            ("/tasks/1.a.b", Route::Unknown),
            ("/tasks.", Route::Unknown),
            ("/tasks%2F1%2F", Route::Unknown),
            ("/tasks/1%2F", Route::Unknown),
            ("/t%61sks/", Route::Unknown),
            ("/Tasks/", Route::Unknown),
            ("/nope", Route::Unknown),
            ("/nope/1/", Route::Unknown),
            ("/favicon.ico", Route::Unknown),
        ];
        for (path, want) in table {
            assert_eq!(Route::parse(path), want, "{path}");
        }
    }
}
