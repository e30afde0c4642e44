//! How the text of a file, variable or flag becomes a value, and how a value is shown.
//!
//! Invariant: [`Value::show`] of a value reads back as the same value.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use toml::de::DeValue;

use super::{LogFormat, Profile, TokenAlgorithm};
use crate::auth::token::ClaimSet;
use crate::refusal::{ErrorShape, LoginAnswer};

/// A value as it was found.
#[derive(Debug, Clone)]
pub(super) enum Raw<'a> {
    /// In the file.
    Toml(&'a DeValue<'a>),
    /// In a variable or flag: everything is text there.
    Text(Cow<'a, str>),
}

impl Raw<'_> {
    /// What it is, for "must be X, not Y".
    fn found(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Toml(DeValue::String(_)) => "text",
            Self::Toml(DeValue::Integer(_)) => "an integer",
            Self::Toml(DeValue::Float(_)) => "a number with a fraction",
            Self::Toml(DeValue::Boolean(_)) => "true or false",
            Self::Toml(DeValue::Datetime(_)) => "a date or time",
            Self::Toml(DeValue::Array(_)) => "a list",
            Self::Toml(DeValue::Table(_)) => "a table",
        }
    }

    /// The text of it.
    pub(super) fn text(&self) -> Result<&str, Wrong> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml(DeValue::String(text)) => Ok(text),
            Self::Toml(_) => Err(self.wrong_type()),
        }
    }

    pub(super) fn wrong_type(&self) -> Wrong {
        Wrong::Type(self.found())
    }

    fn integer<T: TryFrom<i128>>(&self) -> Result<T, Wrong> {
        let number = match self {
            Self::Toml(DeValue::Integer(number)) => {
                i128::from_str_radix(number.as_str(), number.radix()).ok()
            }
            Self::Toml(_) => return Err(self.wrong_type()),
            Self::Text(text) => match text.trim().parse::<i128>() {
                Ok(number) => Some(number),
                Err(_) => return Err(self.wrong_type()),
            },
        };
        number.and_then(|n| T::try_from(n).ok()).ok_or_else(|| {
            Wrong::value(
                "this number is out of range",
                "write a smaller, positive number",
            )
        })
    }
}

/// Why a raw value is not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Of another type; what was found.
    Type(&'static str),
    /// Of the right type, but not a value that works.
    Value {
        /// What is wrong.
        text: String,
        /// What to write.
        help: String,
    },
}

impl Wrong {
    pub(super) fn value(text: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Value {
            text: text.into(),
            help: help.into(),
        }
    }
}

/// A type that a key can have.
pub(super) trait Value: Sized {
    /// What the key takes, for errors: "a duration".
    const WANTS: &'static str;
    /// An example as it stands in TOML.
    const EXAMPLE: &'static str;
    /// Reads it.
    fn read(raw: &Raw<'_>) -> Result<Self, Wrong>;
    /// Shows it as it would be written, without quotes.
    fn show(&self) -> String;
    /// Is it nothing, where nothing would make no sense?
    fn is_zero(&self) -> bool {
        false
    }
}

impl Value for String {
    const WANTS: &'static str = "text";
    const EXAMPLE: &'static str = "\"text\"";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        raw.text().map(str::to_owned)
    }

    fn show(&self) -> String {
        self.clone()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl Value for PathBuf {
    const WANTS: &'static str = "the path of a file or folder";
    const EXAMPLE: &'static str = "\"/data\"";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        match raw.text()? {
            "" => Err(Wrong::value(
                "this path is empty",
                "write a path or remove the key",
            )),
            text => Ok(Self::from(text)),
        }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for bool {
    const WANTS: &'static str = "true or false";
    const EXAMPLE: &'static str = "true";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        match raw {
            Raw::Toml(DeValue::Boolean(value)) => Ok(*value),
            Raw::Toml(_) => Err(raw.wrong_type()),
            Raw::Text(text) => match text.trim() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(raw.wrong_type()),
            },
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! integer_value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const WANTS: &'static str = "an integer";
            const EXAMPLE: &'static str = "100";

            fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
                raw.integer()
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn is_zero(&self) -> bool {
                *self == 0
            }
        }
    )*};
}

integer_value!(u32, usize);

impl Value for SocketAddr {
    const WANTS: &'static str = "an address with a port";
    const EXAMPLE: &'static str = "\"127.0.0.1:8080\"";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        let text = raw.text()?;
        text.trim().parse().map_err(|_| {
            Wrong::value(
                format!("`{text}` is not an IP address with a port"),
                "write `127.0.0.1:8080` for this machine alone, `0.0.0.0:8080` or `[::]:8080` for every network",
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Duration {
    const WANTS: &'static str = "a duration as text";
    const EXAMPLE: &'static str = "\"15m\"";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        let text = raw.text()?;
        text.parse::<Span>()
            .ok()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
            .and_then(|signed| Self::try_from(signed).ok())
            .ok_or_else(|| {
                Wrong::value(
                    format!("`{text}` is not a duration"),
                    "write numbers with units: \"500ms\", \"15s\", \"5m\", \"1h30m\", \"7d\"",
                )
            })
    }

    fn show(&self) -> String {
        let signed = SignedDuration::try_from(*self).unwrap_or(SignedDuration::MAX);
        format!("{signed:#}")
    }

    fn is_zero(&self) -> bool {
        self.as_nanos() == 0
    }
}

/// A number of bytes: an integer, or text with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub(super) u64);

impl Size {
    pub(super) const fn kib(n: u64) -> Self {
        Self(n * 1024)
    }

    pub(super) const fn mib(n: u64) -> Self {
        Self::kib(n * 1024)
    }

    /// For limits of memory that is really held; a 32-bit machine cannot hold more anyway.
    pub(super) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Value for Size {
    const WANTS: &'static str = "a size";
    const EXAMPLE: &'static str = "\"10 MiB\"";

    fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
        let bad = |text: &str| {
            Wrong::value(
                format!("`{text}` is not a size"),
                "write a number of bytes, or a number with a unit: 8192, \"8 KiB\", \"10 MiB\", \"1 GiB\"",
            )
        };
        match raw {
            Raw::Toml(DeValue::Integer(number)) => raw
                .integer()
                .map(Self)
                .map_err(|_| bad(&number.to_string())),
            _ => {
                let text = raw.text()?;
                text.parse::<bytesize::ByteSize>()
                    .map(|size| Self(size.as_u64()))
                    .map_err(|_| bad(text))
            }
        }
    }

    fn show(&self) -> String {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        units
            .iter()
            .find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit))
            .map_or_else(
                || format!("{} B", self.0),
                |(unit, name)| format!("{} {name}", self.0 / unit),
            )
    }

    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// One of a few words.
fn read_choice<T: Copy>(raw: &Raw<'_>, names: &[(&str, T)]) -> Result<T, Wrong> {
    let text = raw.text()?;
    if let Some((_, value)) = names.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let list: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
    let help =
        match super::schema::nearest(&text.to_ascii_lowercase(), names.iter().map(|(n, _)| *n)) {
            Some(near) => format!("did you mean `{near}`? It can be {}", list.join(", ")),
            None => format!("it can be {}", list.join(", ")),
        };
    Err(Wrong::value(
        format!("`{text}` is not one of the values"),
        help,
    ))
}

macro_rules! choice_value {
    ($type:ty, $example:literal, $($name:literal => $value:expr),+) => {
        impl Value for $type {
            const WANTS: &'static str = "one of a few words";
            const EXAMPLE: &'static str = $example;

            fn read(raw: &Raw<'_>) -> Result<Self, Wrong> {
                read_choice(raw, &[$(($name, $value)),+])
            }

            fn show(&self) -> String {
                let names = [$(($name, $value)),+];
                names
                    .iter()
                    .find(|(_, value)| value == self)
                    .map(|(name, _)| (*name).to_owned())
                    .unwrap_or_default()
            }
        }
    };
}

/// How strictly `Authorization` is read: `true` is the white space of the recorded contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lenient(pub(super) bool);

choice_value!(Profile, "\"standard\"", "standard" => Profile::Standard, "drf-jwt" => Profile::DrfJwt);
choice_value!(TokenAlgorithm, "\"EdDSA\"", "EdDSA" => TokenAlgorithm::EdDsa, "HS256" => TokenAlgorithm::Hs256);
choice_value!(ErrorShape, "\"problem\"", "problem" => ErrorShape::Problem, "drf" => ErrorShape::Drf);
choice_value!(LoginAnswer, "\"oauth\"", "oauth" => LoginAnswer::OAuth, "token" => LoginAnswer::Token);
choice_value!(ClaimSet, "\"access-token\"", "access-token" => ClaimSet::AccessToken, "drf-jwt" => ClaimSet::DrfJwt);
choice_value!(LogFormat, "\"auto\"", "auto" => LogFormat::Auto, "json" => LogFormat::Json, "pretty" => LogFormat::Pretty);
choice_value!(Lenient, "\"strict\"", "strict" => Lenient(false), "lenient" => Lenient(true));
