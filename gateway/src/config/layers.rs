//! Puts the layers on top of each other: file, then environment, then flags.
//!
//! Invariant: what no key takes is a problem, never a silence, in the file and in the environment alike.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::flags::ServeArgs;
use super::problem::{Place, Problem};
use super::reader::{Reader, unknown_key};
use super::schema;
use super::value::Raw;

/// Name of the upstream that `--upstream` makes.
const DEFAULT_UPSTREAM: &str = "default";

impl<'a> Reader<'a> {
    /// Takes in the file.
    pub(super) fn file(&mut self, root: &'a DeTable<'a>) {
        for (name, value) in in_order(root) {
            let place = Place::of(value.span());
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("upstreams", DeValue::Table(table)) => self.file_upstreams(table),
                ("routes", DeValue::Array(routes)) => {
                    for route in routes.iter() {
                        self.file_route(route);
                    }
                }
                ("cors", DeValue::Table(_)) => {
                    self.cors = Some(Place::of(name.span()));
                    self.file_entry(name, value, "", "");
                }
                ("routes", _) => self.not_a_table("routes", "[[routes]]", place),
                _ => self.file_entry(name, value, "", ""),
            }
        }
    }

    fn file_upstreams(&mut self, table: &'a DeTable<'a>) {
        for (name, value) in in_order(table) {
            let text = name.get_ref().as_ref();
            let place = Place::of(name.span());
            let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !fits {
                self.problem(Problem::new(
                    place.clone(),
                    format!("`{text}` is not a name for an upstream"),
                    "use lower-case letters, digits and hyphens, with a letter in front, e.g. [upstreams.tasks]",
                ));
            }
            self.upstream(text, place.clone());
            match value.get_ref() {
                DeValue::Table(inner) => {
                    let path = format!("upstreams.{text}");
                    for (key, value) in in_order(inner) {
                        self.file_entry(key, value, &path, "upstreams.NAME");
                    }
                }
                _ => self.not_a_table(
                    &format!("upstreams.{text}"),
                    &format!("[upstreams.{text}]"),
                    place,
                ),
            }
        }
    }

    fn file_route(&mut self, route: &'a Spanned<DeValue<'a>>) {
        let place = Place::of(route.span());
        let path = format!("routes.{}", self.routes.len());
        self.routes.push(place.clone());
        match route.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in in_order(table) {
                    self.file_entry(key, value, &path, "routes");
                }
            }
            _ => self.not_a_table("routes", "[[routes]]", place),
        }
    }

    fn file_external(&mut self, issuer: &'a Spanned<DeValue<'a>>) {
        let place = Place::of(issuer.span());
        let path = format!("auth.external.{}", self.external.len());
        self.external.push(place.clone());
        match issuer.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in in_order(table) {
                    self.file_entry(key, value, &path, "auth.external");
                }
            }
            _ => self.not_a_table("auth.external", "[[auth.external]]", place),
        }
    }

    /// One key of a table. `path` is where it stands, `section` the same in the names of the schema.
    fn file_entry(
        &mut self,
        name: &'a Spanned<Cow<'a, str>>,
        value: &'a Spanned<DeValue<'a>>,
        path: &str,
        section: &str,
    ) {
        let text = name.get_ref().as_ref();
        let join = |head: &str| {
            if head.is_empty() {
                text.to_owned()
            } else {
                format!("{head}.{text}")
            }
        };
        let (key, pattern) = (join(path), join(section));
        let known = !text.contains('.');
        let place = Place::of(value.span());
        match value.get_ref() {
            DeValue::Table(table) if known && schema::is_section(&pattern) => {
                for (name, value) in in_order(table) {
                    self.file_entry(name, value, &key, &pattern);
                }
            }
            DeValue::Array(issuers) if pattern == "auth.external" => {
                for issuer in issuers.iter() {
                    self.file_external(issuer);
                }
            }
            inner if known && schema::is_key(&pattern) => self.set(&key, Raw::Toml(inner), place),
            _ if known && schema::is_section(&pattern) => {
                self.not_a_table(&key, &format!("[{key}]"), place);
            }
            _ => self.problem(unknown_key(
                text,
                section,
                &super::reader::shown_key(path),
                Place::of(name.span()),
            )),
        }
    }

    fn not_a_table(&mut self, key: &str, header: &str, place: Place) {
        self.problem(Problem::new(
            place,
            format!("`{key}` is a table"),
            format!("write its keys under a line {header}"),
        ));
    }

    /// Takes in the environment. An empty variable counts as absent, since compose files write
    /// `NAME: ${NAME:-}` for a variable that may not be there.
    pub(super) fn environment(&mut self, env: &[(String, String)]) {
        for (name, value) in env {
            if !name.starts_with("GATEWAY_") || value.is_empty() || is_foreign(name) {
                continue;
            }
            let place = Place::Env(name.clone());
            let raw = Raw::Text(Cow::Owned(value.clone()));
            if name == "GATEWAY_ADMIN_PASSWORD_FILE" {
                self.set("auth.admin_password_file", raw, place);
            } else if schema::SPECIAL_ENV.iter().any(|(known, _)| known == name) {
                // Read by those who need it.
            } else if let Some(key) = schema::KEYS
                .iter()
                .find(|key| !key.contains("NAME") && schema::env_name(key).as_ref() == Some(name))
            {
                self.set(key, raw, place);
            } else if let Some((upstream, key)) = upstream_variable(name) {
                self.upstream(&upstream, place.clone());
                self.set(&format!("upstreams.{upstream}.{key}"), raw, place);
            } else {
                self.unknown_variable(name, place);
            }
        }
    }

    fn unknown_variable(&mut self, name: &str, place: Place) {
        let mut known: Vec<String> = schema::KEYS
            .iter()
            .filter(|key| !key.contains("NAME"))
            .filter_map(|key| schema::env_name(key))
            .collect();
        known.extend(schema::SPECIAL_ENV.iter().map(|(n, _)| (*n).to_owned()));
        for (upstream, _) in &self.upstreams {
            known.extend(
                schema::KEYS
                    .iter()
                    .filter(|key| key.contains("NAME"))
                    .filter_map(|key| schema::env_name(&key.replace("NAME", upstream))),
            );
        }
        let help = match (
            name,
            schema::nearest(name, known.iter().map(String::as_str)),
        ) {
            ("GATEWAY_SERVER_INSECURE_DEV" | "GATEWAY_INSECURE_DEV", _) => {
                "this is a flag only: start with --insecure-dev on the command line".to_owned()
            }
            (_, Some(near)) => format!("did you mean {near}? Otherwise unset it"),
            (_, None) => "unset it; the names of all variables are in config/README.md".to_owned(),
        };
        self.problem(Problem::new(
            place,
            "no key has this name, so it would change nothing",
            help,
        ));
    }

    /// Takes in the flags.
    pub(super) fn flags(&mut self, args: &ServeArgs) {
        let mut flag = |key: &str, name: &'static str, value: Option<&str>| {
            if let Some(value) = value {
                self.set(
                    key,
                    Raw::Text(Cow::Owned(value.to_owned())),
                    Place::Flag(name),
                );
            }
        };
        flag("server.listen", "--listen", args.listen.as_deref());
        flag(
            "server.admin_listen",
            "--admin-listen",
            args.admin_listen.as_deref(),
        );
        let data_dir = args.data_dir.as_ref().map(|dir| dir.to_string_lossy());
        flag("server.data_dir", "--data-dir", data_dir.as_deref());
        if let Some(url) = args.upstream.as_deref() {
            let access = args.access.as_deref();
            flag(
                &format!("upstreams.{DEFAULT_UPSTREAM}.urls"),
                "--upstream",
                Some(url),
            );
            flag("routes.0.path", "--upstream", Some("/**"));
            flag("routes.0.upstream", "--upstream", Some(DEFAULT_UPSTREAM));
            flag("routes.0.access", "--upstream", Some("read-public"));
            flag("routes.0.access", "--access", access);
            self.upstream(DEFAULT_UPSTREAM, Place::Flag("--upstream"));
            self.routes.push(Place::Flag("--upstream"));
        }
    }
}

/// Entries in the order of the file (the table itself is sorted by name).
fn in_order<'a>(
    table: &'a DeTable<'a>,
) -> Vec<(&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// Splits `GATEWAY_UPSTREAMS_TASKS_URLS` into `tasks` and `urls`; the longest known key wins.
fn upstream_variable(name: &str) -> Option<(String, &'static str)> {
    let rest = name.strip_prefix("GATEWAY_UPSTREAMS_")?;
    schema::KEYS
        .iter()
        .filter_map(|key| key.strip_prefix("upstreams.NAME."))
        .filter_map(|key| {
            let suffix = format!("_{}", key.replace('.', "_").to_ascii_uppercase());
            let upstream = rest.strip_suffix(&suffix)?;
            (!upstream.is_empty()).then(|| (upstream.to_ascii_lowercase().replace('_', "-"), key))
        })
        .max_by_key(|(_, key)| key.len())
}

/// Kubernetes hands each container of a namespace such variables for a service called `gateway`.
fn is_foreign(name: &str) -> bool {
    name.starts_with("GATEWAY_SERVICE_") || name.starts_with("GATEWAY_PORT_")
}
