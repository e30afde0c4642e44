//! From flags, environment and file to a [`Config`], or to every problem at once.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use toml::de::DeTable;

use super::auth::EnvSecrets;
use super::flags::ServeArgs;
use super::problem::{ConfigProblems, Place, Problem, SourceText};
use super::reader::{Reader, Setting};
use super::{Config, auth, cors, routes, server, upstreams};

/// The only format there is.
const VERSION: u32 = 1;
/// A configuration is a page of text; this keeps a wrong path from filling the memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A configuration together with where each value of it comes from.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// Every key with its effective value, in the order of reading.
    pub settings: Vec<Setting>,
    /// The key that signing keys are sealed with, where `GATEWAY_KEK_FILE` names one.
    pub kek_file: Option<PathBuf>,
    /// The file, for places.
    pub source: SourceText,
}

impl Config {
    /// Loads the configuration that flags and environment name. See [`resolve`].
    ///
    /// # Errors
    /// Every problem there is, with its place and remedy.
    pub fn load(
        args: &ServeArgs,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigProblems> {
        resolve(args, env).map(|resolved| resolved.config)
    }
}

/// The environment as far as the configuration reads it. A name or value that is not UTF-8 is taken
/// with replacement characters, so that it is refused by name instead of ending the process.
pub fn process_env() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| {
            name.starts_with("GATEWAY_") || name == "HOME" || name == "XDG_STATE_HOME"
        })
        .collect()
}

/// Loads the configuration that flags and environment name, and keeps where each value comes from.
///
/// # Errors
/// Every problem there is, with its place and remedy.
pub fn resolve(
    args: &ServeArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Resolved, ConfigProblems> {
    let mut env: Vec<(String, String)> = env.into_iter().collect();
    env.sort();
    let named = variable(&env, "GATEWAY_CONFIG").map(PathBuf::from);
    let path = match (&args.config, &args.upstream) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(named.ok_or_else(no_source)?),
    };
    let source = match path {
        Some(path) => read_file(&path)?,
        None => SourceText::default(),
    };
    resolve_text(args, env, source)
}

/// The same for a text that was read already (tests, a reload).
///
/// # Errors
/// Every problem there is, with its place and remedy.
pub fn resolve_text(
    args: &ServeArgs,
    env: impl IntoIterator<Item = (String, String)>,
    source: SourceText,
) -> Result<Resolved, ConfigProblems> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let root = match DeTable::parse(&source.text) {
        Ok(root) => root,
        Err(error) => return Err(syntax_error(&error, source)),
    };
    let mut reader = Reader::default();
    reader.file(root.get_ref());
    reader.environment(&env);
    reader.flags(args);
    if args.upstream.is_none() {
        check_version(&mut reader);
    }

    let mut warnings = Vec::new();
    let server = server::read(&mut reader, default_data_dir(&env), args.insecure_dev);
    let secrets = EnvSecrets {
        hs256: variable(&env, "GATEWAY_AUTH_HS256_SECRET").map(SecretString::from),
        admin_password: variable(&env, "GATEWAY_ADMIN_PASSWORD").map(SecretString::from),
    };
    let auth = auth::read(&mut reader, secrets, args.insecure_dev, &mut warnings);
    let upstreams = upstreams::read(&mut reader, &server);
    let policy = routes::read(
        &mut reader,
        &auth,
        &upstreams,
        args.insecure_dev,
        &mut warnings,
    );
    let cors = cors::read(&mut reader, &policy);
    let log = server::read_log(&mut reader);
    warnings.extend(server::warnings(&server));

    let Reader {
        problems, settings, ..
    } = reader;
    if !problems.is_empty() {
        drop(root);
        return Err(ConfigProblems::new(source, problems));
    }
    drop(root);
    Ok(Resolved {
        config: Config {
            server,
            auth,
            upstreams,
            policy,
            cors: cors.map(Arc::new),
            log,
            warnings,
        },
        settings,
        kek_file: variable(&env, "GATEWAY_KEK_FILE").map(PathBuf::from),
        source,
    })
}

/// A variable that is set and not empty.
fn variable(env: &[(String, String)], name: &str) -> Option<String> {
    env.iter()
        .find(|(known, value)| known == name && !value.is_empty())
        .map(|(_, value)| value.clone())
}

/// XDG Base Directory Specification: a relative `XDG_STATE_HOME` is to be ignored.
fn default_data_dir(env: &[(String, String)]) -> Option<PathBuf> {
    let absolute = |name| {
        variable(env, name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("gateway"))
}

fn check_version(reader: &mut Reader<'_>) {
    let had = reader.problems.len();
    let version: Option<u32> = reader.optional("version");
    match version {
        Some(VERSION) => {}
        Some(other) => reader.wrong(
            "version",
            format!("{other} is a format that this program does not know"),
            "write `version = 1`, or run the program that the file was written for",
        ),
        None if reader.problems.len() > had => {}
        None => reader.problem(Problem::new(
            Place::File(0, 0),
            "the file does not say its `version`",
            "write `version = 1` as the first line",
        )),
    }
}

fn no_source() -> ConfigProblems {
    ConfigProblems::new(
        SourceText::default(),
        vec![Problem::new(
            Place::Absent,
            "neither a configuration file nor an upstream was named",
            "name a file:        --config gateway.toml   (or GATEWAY_CONFIG=gateway.toml)\nor only a service:  --upstream http://127.0.0.1:8000",
        )],
    )
}

fn read_file(path: &Path) -> Result<SourceText, ConfigProblems> {
    let fail = |title: String, help: &str| {
        let source = SourceText {
            path: path.to_owned(),
            text: String::new(),
        };
        ConfigProblems::new(source, vec![Problem::new(Place::Absent, title, help)])
    };
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        fail(
            format!("the configuration file {shown} cannot be read: {error}"),
            "check the path behind --config (or in GATEWAY_CONFIG) and that this user may read the file",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(fail(
            format!("{shown} is longer than {MAX_FILE_BYTES} bytes: that is no configuration file"),
            "name the TOML file, e.g. --config config/gateway.toml",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        fail(
            format!(
                "{shown} is not UTF-8 text (byte {})",
                error.utf8_error().valid_up_to()
            ),
            "save the file as UTF-8",
        )
    })?;
    Ok(SourceText {
        path: path.to_owned(),
        text,
    })
}

fn syntax_error(error: &toml::de::Error, source: SourceText) -> ConfigProblems {
    let span = error.span().unwrap_or(0..0);
    let problem = Problem::new(
        Place::of(span),
        format!("this is not TOML: {}", error.message()),
        "mend this first: what stands behind it was not looked at",
    );
    ConfigProblems::new(source, vec![problem])
}
