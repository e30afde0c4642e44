//! One value of a request body, told apart only as far as validation needs.
//!
//! Numbers keep their digits, so that no size of integer can overflow, and
//! lists and objects are not entered: no field of this service is one.

use std::collections::HashMap;
use std::fmt;

/// The fields of a request body. Of a repeated name the last one counts.
#[derive(Debug, Default)]
pub struct Fields(HashMap<String, Value>);

impl Fields {
    /// The value sent under `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn insert(&mut self, name: String, value: Value) {
        self.0.insert(name, value);
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// An uploaded file, in a multipart form.
    File,
    /// A number with a fraction or an exponent, as written.
    Float(String),
    /// A whole number, as written.
    Int(String),
    /// An array.
    List,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// A string.
    Text(Text),
}

impl Value {
    /// The name of the value's type in error texts. They are Python's, because
    /// clients have seen them (docs/CONTRACT.md, "Keep, and do not copy").
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::File => "file",
            Self::Float(_) => "float",
            Self::Int(_) => "int",
            Self::List => "list",
            Self::Null => "NoneType",
            Self::Object => "dict",
            Self::Text(_) => "str",
        }
    }
}

/// Text that may have held lone surrogates, which JSON can write (`"\ud800"`)
/// and Unicode text cannot hold. Each is kept as one U+FFFD, so that lengths in
/// code points stay right, and the first is remembered for the error text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    text: String,
    surrogate: Option<u16>,
}

impl Text {
    /// The text, each lone surrogate replaced by U+FFFD.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first lone surrogate.
    #[must_use]
    pub fn surrogate(&self) -> Option<u16> {
        self.surrogate
    }

    /// Reads WTF-8: UTF-8 in which surrogates are written as if they were
    /// characters, ED A0 80 to ED BF BF.
    pub(super) fn from_wtf8(bytes: Vec<u8>) -> Option<Self> {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => return Some(text.into()),
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(bytes.len());
        let mut surrogate = None;
        let mut rest = bytes.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(tail) => {
                    text.push_str(tail);
                    return Some(Self { text, surrogate });
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at_checked(error.valid_up_to())?;
                    let (&[first, second, third], tail) = bad.split_first_chunk()?;
                    if first != 0xED || second < 0xA0 {
                        return None;
                    }
                    let unit = 0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
                    surrogate.get_or_insert(unit);
                    text.push_str(std::str::from_utf8(valid).ok()?);
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = tail;
                }
            }
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self {
            text,
            surrogate: None,
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
