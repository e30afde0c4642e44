//! Bodies of requests to the gateway's own endpoints: read with a cap and a deadline, then parsed
//! into ordered fields, whatever their media type.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use tokio::time::timeout;

use crate::refusal::{ErrorShape, FieldErrors, Habits, Refusal};
use crate::request::{Body, RequestFacts};

/// A request body that arrives in pieces. Floor 2 reads it from the client.
#[async_trait]
pub trait Upload: Send {
    /// Media type as it was sent.
    fn content_type(&self) -> Option<&str>;
    /// Tells a client that waits for it to go on sending.
    async fn go_on(&mut self) -> Result<(), Refusal>;
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal>;
}

/// Longest time a small body may take to arrive.
const READ_TIME: Duration = Duration::from_secs(10);

/// Named values of a body, in order; a name may stand more than once, the last counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    entries: Vec<(String, Value)>,
    /// The body was a form: every value is text, and an absent check box is no statement.
    pub is_form: bool,
}

impl Fields {
    /// The last value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v)
    }
}

/// Reads a body of at most `max` bytes and parses it.
///
/// # Errors
/// 413, 408, 415 or 400, see [`Refusal`].
pub async fn read(
    facts: &RequestFacts,
    upload: &mut dyn Upload,
    max: usize,
    habits: &Habits,
) -> Result<Fields, Refusal> {
    if matches!(facts.body, Body::Length(length) if length > max as u64) {
        return Err(Refusal::TooLarge);
    }
    // Judged before it is asked for: a body that nobody will read is not worth sending.
    let kind = if facts.body == Body::Empty {
        Kind::Nothing
    } else {
        Kind::of(upload.content_type(), habits)?
    };
    let body = timeout(READ_TIME, collect(facts, upload, max))
        .await
        .map_err(|_| Refusal::TooSlow)??;
    if body.is_empty() {
        return Ok(Fields::default());
    }
    match kind {
        Kind::Nothing => Err(Refusal::Internal(
            "a body where none was announced".to_owned(),
        )),
        Kind::Json => parse_json(&body, habits),
        Kind::Form => Ok(parse_form(&body)),
        Kind::Multipart(boundary) => parse_multipart(body, boundary).await,
    }
}

async fn collect(
    facts: &RequestFacts,
    upload: &mut dyn Upload,
    max: usize,
) -> Result<Bytes, Refusal> {
    if facts.body == Body::Empty {
        return Ok(Bytes::new());
    }
    if facts.expects_continue {
        upload.go_on().await?;
    }
    let mut body = Vec::new();
    while let Some(piece) = upload.next().await? {
        if body.len() + piece.len() > max {
            return Err(Refusal::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}

enum Kind {
    Nothing,
    Json,
    Form,
    Multipart(Option<String>),
}

impl Kind {
    fn of(content_type: Option<&str>, habits: &Habits) -> Result<Self, Refusal> {
        let sent = content_type.unwrap_or_default();
        let essence = sent
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Form),
            "multipart/form-data" if habits.multipart => {
                Ok(Self::Multipart(multer::parse_boundary(sent).ok()))
            }
            _ => Err(Refusal::MediaType(sent.to_owned())),
        }
    }
}

fn parse_json(body: &[u8], habits: &Habits) -> Result<Fields, Refusal> {
    // The position names the place; serde's own text may quote the input and is left out.
    let failed = |e: &serde_json::Error| Refusal::Parse {
        what: "JSON",
        detail: format!("line {} column {}", e.line(), e.column()),
    };
    let value: Json = serde_json::from_slice(body).map_err(|e| failed(&e))?;
    match value {
        Json::Object(entries) => {
            let repeated = entries
                .iter()
                .enumerate()
                .any(|(i, (name, _))| entries.iter().skip(i + 1).any(|e| e.0 == *name));
            if repeated && habits.errors == ErrorShape::Problem {
                return Err(Refusal::Parse {
                    what: "JSON",
                    detail: "a member stands twice".to_owned(),
                });
            }
            Ok(Fields {
                entries,
                is_form: false,
            })
        }
        Json::Other(Value::Null) => Err(Refusal::Fields(FieldErrors::whole("No data provided"))),
        Json::Other(other) => Err(Refusal::Fields(FieldErrors::whole(format!(
            "Invalid data. Expected a dictionary, but got {}.",
            type_name(&other)
        )))),
    }
}

/// The name of a JSON type as the recorded contract spells it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A JSON text whose outermost object keeps repeated members.
enum Json {
    Object(Vec<(String, Value)>),
    Other(Value),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Object(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Other(Value::Array(items)))
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Other(Value::Null))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
                Ok(Json::Other(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
                Ok(Json::Other(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
                Ok(Json::Other(v.into()))
            }
            fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Json, E> {
                Number::from_f64(v)
                    .map(|n| Json::Other(n.into()))
                    .ok_or_else(|| E::custom("not a number"))
            }
            fn visit_str<E>(self, v: &str) -> Result<Json, E> {
                Ok(Json::Other(v.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn parse_form(body: &[u8]) -> Fields {
    let entries = form_urlencoded::parse(body)
        .map(|(k, v)| (k.into_owned(), Value::String(v.into_owned())))
        .collect();
    Fields {
        entries,
        is_form: true,
    }
}

async fn parse_multipart(body: Bytes, boundary: Option<String>) -> Result<Fields, Refusal> {
    let Some(boundary) = boundary else {
        return Err(Refusal::Parse {
            what: "Multipart form",
            detail: "Invalid boundary".to_owned(),
        });
    };
    let stream =
        futures_util::stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(body)));
    let mut multipart = multer::Multipart::new(stream, boundary);
    let mut fields = Fields {
        entries: Vec::new(),
        is_form: true,
    };
    // Recorded: a body that is cut short, or under another boundary, gives what was found so far.
    while let Ok(Some(field)) = multipart.next_field().await {
        let is_file = field.file_name().is_some();
        let name = field.name().map(str::to_owned);
        let Ok(bytes) = field.bytes().await else {
            break;
        };
        if let (Some(name), false) = (name, is_file) {
            fields.entries.push((
                name,
                Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            ));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
