//! The effective value of each key and the typed reading of it.
//!
//! Reading never stops at a problem: it notes it and goes on with the default, so that one run shows
//! everything. Invariant: a configuration is handed out only where no problem was noted.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::problem::{Place, Problem};
use super::schema;
use super::value::{Raw, Value, Wrong};

/// One effective value.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    pub(super) raw: Raw<'a>,
    pub(super) place: Place,
}

/// One line of `gateway config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted name of the key.
    pub key: String,
    /// Effective value as it would be written; `<set>` for secrets.
    pub value: String,
    /// Where it comes from; [`Place::Absent`] is the default.
    pub place: Place,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Reader<'a> {
    leaves: BTreeMap<String, Leaf<'a>>,
    /// Names of upstreams in the order they were met.
    pub(super) upstreams: Vec<(String, Place)>,
    /// Where each `[[routes]]` stands.
    pub(super) routes: Vec<Place>,
    /// Where each `[[auth.external]]` stands.
    pub(super) external: Vec<Place>,
    /// Where `[cors]` stands: empty, it would change nothing without a word.
    pub(super) cors: Option<Place>,
    pub(super) problems: Vec<Problem>,
    pub(super) settings: Vec<Setting>,
}

impl<'a> Reader<'a> {
    /// Sets a value; a later layer beats an earlier one.
    pub(super) fn set(&mut self, key: &str, raw: Raw<'a>, place: Place) {
        // A preset beats a table of single names that a lower layer holds, and the reverse.
        let below = format!("{key}.");
        self.leaves.retain(|k, _| !k.starts_with(&below));
        for parent in ["identity_headers", "access"] {
            if let Some((head, _)) = key.rsplit_once('.')
                && head.ends_with(&format!(".{parent}"))
            {
                self.leaves.remove(head);
            }
        }
        self.leaves.insert(key.to_owned(), Leaf { raw, place });
    }

    /// Makes sure that an upstream of this name is known.
    pub(super) fn upstream(&mut self, name: &str, place: Place) {
        if !self.upstreams.iter().any(|(known, _)| known == name) {
            self.upstreams.push((name.to_owned(), place));
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Where the value of a key stands; [`Place::Absent`] for a default.
    pub(super) fn place(&self, key: &str) -> Place {
        self.leaves
            .get(key)
            .map_or(Place::Absent, |leaf| leaf.place.clone())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.leaves.contains_key(key)
    }

    /// Notes a problem at the value of `key`.
    pub(super) fn wrong(&mut self, key: &str, text: impl AsRef<str>, help: impl Into<String>) {
        let title = format!("`{}`: {}", shown_key(key), text.as_ref());
        self.problem(Problem::new(self.place(key), title, help));
    }

    /// The value of a key or its default.
    pub(super) fn get<T: Value>(&mut self, key: &str, default: T) -> T {
        let value = self.read(key).unwrap_or(default);
        self.show(key, value.show());
        value
    }

    /// The value of a key or its default; nothing (0, "", "0s") is refused.
    pub(super) fn positive<T: Value>(&mut self, key: &str, default: T) -> T {
        let value = self.get(key, default);
        if value.is_zero() {
            self.wrong(
                key,
                format!("`{}` would let nothing through", value.show()),
                format!("write something above zero, such as {}", T::EXAMPLE),
            );
        }
        value
    }

    /// The value of a key that has no default.
    pub(super) fn optional<T: Value>(&mut self, key: &str) -> Option<T> {
        let value = self.read::<T>(key);
        self.show(key, value.as_ref().map_or_else(|| "-".to_owned(), T::show));
        value
    }

    /// A list of texts, or a single text that stands for a list of one.
    pub(super) fn list_or_one(&mut self, key: &str) -> Option<Vec<(String, Place)>> {
        let leaf = self.leaves.get(key)?;
        if let Raw::Toml(DeValue::String(text)) = &leaf.raw {
            let one = (text.to_string(), leaf.place.clone());
            self.show(key, one.0.clone());
            return Some(vec![one]);
        }
        self.list(key)
    }

    /// A list of texts, each with its own place; `None` where the key is absent.
    pub(super) fn list(&mut self, key: &str) -> Option<Vec<(String, Place)>> {
        let leaf = self.leaves.get(key)?;
        let place = leaf.place.clone();
        let mut items = Vec::new();
        let mut wrong: Vec<(Place, Wrong)> = Vec::new();
        match &leaf.raw {
            Raw::Text(text) => items.extend(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| (item.to_owned(), place.clone())),
            ),
            Raw::Toml(DeValue::Array(array)) => {
                for item in array.iter() {
                    let at = Place::of(item.span());
                    match Raw::Toml(item.get_ref()).text() {
                        Ok(text) => items.push((text.to_owned(), at)),
                        Err(why) => wrong.push((at, why)),
                    }
                }
            }
            other @ Raw::Toml(_) => wrong.push((place, other.wrong_type())),
        }
        for (at, why) in wrong {
            let found = match why {
                Wrong::Type(found) => found,
                Wrong::Value { .. } => "something else",
            };
            let short = last(key);
            self.problem(
                Problem::new(
                    at,
                    format!("`{}` takes a list of texts, not {found}", shown_key(key)),
                    format!("write `{short} = [\"one\", \"two\"]`"),
                )
                .label(found),
            );
        }
        let texts: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
        let text = texts.join(", ");
        self.show(key, text);
        Some(items)
    }

    /// Notes a setting for `gateway config show`.
    pub(super) fn show(&mut self, key: &str, value: String) {
        let place = self.place(key);
        self.show_at(key, value, place);
    }

    /// The same for a value that has a place of its own.
    pub(super) fn show_at(&mut self, key: &str, value: String, place: Place) {
        self.settings.push(Setting {
            key: key.to_owned(),
            value,
            place,
        });
    }

    fn read<T: Value>(&mut self, key: &str) -> Option<T> {
        let leaf = self.leaves.get(key)?;
        match T::read(&leaf.raw) {
            Ok(value) => Some(value),
            Err(why) => {
                let problem = describe::<T>(key, &leaf.place, why);
                self.problem(problem);
                None
            }
        }
    }
}

fn describe<T: Value>(key: &str, place: &Place, why: Wrong) -> Problem {
    let name = shown_key(key);
    match why {
        Wrong::Type(found) => {
            let title = format!("`{name}` takes {}, not {found}", T::WANTS);
            let help = match place {
                Place::Env(variable) => {
                    format!("set {variable}={}", T::EXAMPLE.trim_matches('"'))
                }
                _ => format!("write `{} = {}`", last(key), T::EXAMPLE),
            };
            Problem::new(place.clone(), title, help).label(found)
        }
        Wrong::Value { text, help } => {
            Problem::new(place.clone(), format!("`{name}`: {text}"), help)
        }
    }
}

/// `routes.3.path` is shown as `routes.path`: the caret says which one.
pub(super) fn shown_key(key: &str) -> String {
    key.split('.')
        .filter(|part| !part.bytes().all(|b| b.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(".")
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The problem of a key that nobody knows, with the likeliest cure.
pub(super) fn unknown_key(name: &str, section: &str, shown: &str, place: Place) -> Problem {
    let whole = if shown.is_empty() {
        name.to_owned()
    } else {
        format!("{shown}.{name}")
    };
    let siblings = schema::children(section);
    let cured = match (section, name) {
        ("auth", "hs256_secret" | "secret") => Some("a secret is never written here: put it into a file and name that in `hs256_secret_file`, or set GATEWAY_AUTH_HS256_SECRET".to_owned()),
        ("auth", "admin_password") => Some("a password is never written here: put it into a file and name that in `admin_password_file`".to_owned()),
        ("upstreams.NAME", "secret") => Some("a secret is never written here: name a file in `secret_file`".to_owned()),
        (_, "insecure_dev") => Some("this is a flag only: start with --insecure-dev on the command line".to_owned()),
        _ => None,
    };
    let help = cured
        .or_else(|| {
            schema::nearest(name, siblings.iter().copied())
                .map(|near| format!("did you mean `{near}`?"))
        })
        .or_else(|| {
            let homes = schema::homes(name);
            (!homes.is_empty()).then(|| format!("`{name}` belongs in [{}]", homes.join("] or [")))
        })
        .unwrap_or_else(|| format!("known here: {}", siblings.join(", ")));
    Problem::new(place, format!("unknown key `{whole}`"), help).label("nothing reads this")
}
