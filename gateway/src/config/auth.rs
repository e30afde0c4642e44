//! `[auth]`, `[auth.password]` and `[auth.throttle]`.

use std::num::NonZeroUsize;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::problem::{Place, Problem};
use super::reader::Reader;
use super::value::{Lenient, Size};
use super::{
    AuthConfig, PasswordConfig, Profile, ThrottleConfig, TokenAlgorithm, external, secret,
};
use crate::auth::credential::Grammar;
use crate::policy::Pattern;
use crate::refusal::Habits;

/// Longest lifetime of an access token.
const MAX_ACCESS_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// RFC 7518 §3.2: a key of the size of the hash output or larger.
const MIN_HS256_BYTES: usize = 32;
/// OWASP's equivalent settings for Argon2id: at least this memory in KiB with at least these passes.
const ARGON2_FLOOR: [(u32, u32); 5] = [
    (46 * 1024, 1),
    (19 * 1024, 2),
    (12 * 1024, 3),
    (9 * 1024, 4),
    (7 * 1024, 5),
];

/// Secrets that the environment holds outright.
#[derive(Debug, Default)]
pub(super) struct EnvSecrets {
    pub(super) hs256: Option<SecretString>,
    pub(super) admin_password: Option<SecretString>,
}

/// Reads `[auth]`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    secrets: EnvSecrets,
    insecure_dev: bool,
    warnings: &mut Vec<String>,
) -> AuthConfig {
    let profile = reader.get("auth.profile", Profile::Standard);
    let standard = profile == Profile::Standard;
    let algorithm = reader.get(
        "auth.algorithm",
        if standard {
            TokenAlgorithm::EdDsa
        } else {
            TokenAlgorithm::Hs256
        },
    );
    let access_ttl = reader.positive(
        "auth.access_ttl",
        Duration::from_secs(if standard { 15 * 60 } else { 300 }),
    );
    if access_ttl > MAX_ACCESS_TTL {
        reader.wrong(
            "auth.access_ttl",
            "longer than a day: a stolen token would work that long",
            "write at most \"24h\"; \"15m\" is the usual value",
        );
    }
    let leeway = reader.get(
        "auth.leeway",
        Duration::from_secs(if standard { 5 } else { 0 }),
    );
    if leeway > Duration::from_secs(300) {
        reader.wrong(
            "auth.leeway",
            "more than five minutes: expired tokens would work that long",
            "set the clocks right (NTP) and write a few seconds, e.g. \"5s\"",
        );
    }
    let issuer = reader.positive("auth.issuer", "gateway".to_owned());
    AuthConfig {
        profile,
        mount: mount(reader),
        habits: habits(reader, profile),
        external: external::read(reader, &issuer),
        issuer,
        audience: reader.positive("auth.audience", "api".to_owned()),
        access_ttl,
        refresh_limit: reader.positive("auth.refresh_limit", Duration::from_secs(7 * 86_400)),
        leeway,
        legacy_tokens: reader.get("auth.legacy_tokens", false),
        token_cache: token_cache(reader),
        algorithm,
        hs256_secret: hs256_secret(reader, secrets.hs256, algorithm, warnings),
        admin_password: admin_password(reader, secrets.admin_password),
        password: password(reader, insecure_dev),
        throttle: ThrottleConfig {
            account_failures: reader.positive("auth.throttle.account_failures", 5),
            account_cap: reader.positive("auth.throttle.account_cap", Duration::from_secs(300)),
            per_ip_per_minute: reader.positive("auth.throttle.per_ip_per_minute", 20),
        },
    }
}

fn mount(reader: &mut Reader<'_>) -> String {
    const KEY: &str = "auth.mount";
    let default = "/api-auth".to_owned();
    let mount = reader.get(KEY, default.clone());
    match check_prefix(&mount) {
        Ok(()) => mount,
        Err((text, help)) => {
            reader.wrong(KEY, text, help);
            default
        }
    }
}

/// A path prefix: begins with a slash, does not end with one, holds no star.
pub(super) fn check_prefix(prefix: &str) -> Result<(), (String, String)> {
    let bad = |why: &str, help: String| Err((format!("`{prefix}` {why}"), help));
    if let Err(why) = Pattern::parse(prefix) {
        return bad(&format!("is not a path prefix: {why}"), why.help());
    }
    if prefix.contains('*') {
        return bad(
            "is not a path prefix: it contains a star",
            "write the bare prefix: everything below it is meant anyway".to_owned(),
        );
    }
    match prefix.trim_end_matches('/') {
        "" => bad(
            "would take every path",
            "write a prefix, e.g. \"/api-auth\"".to_owned(),
        ),
        bare if bare != prefix => bad("ends with a slash", format!("write \"{bare}\"")),
        _ => Ok(()),
    }
}

fn habits(reader: &mut Reader<'_>, profile: Profile) -> Habits {
    let usual = match profile {
        Profile::Standard => Habits::standard(),
        Profile::DrfJwt => Habits::drf_jwt(),
    };
    let schemes = match reader.list("auth.schemes") {
        Some(given) => schemes(reader, given),
        None => {
            reader.show("auth.schemes", usual.grammar.schemes.join(", "));
            usual.grammar.schemes
        }
    };
    let Lenient(lenient) = reader.get("auth.grammar", Lenient(usual.grammar.lenient));
    let challenge = reader.positive("auth.challenge", usual.challenge);
    if !is_token(&challenge) {
        reader.wrong(
            "auth.challenge",
            format!("`{challenge}` is not the name of a scheme"),
            "write one word, e.g. \"Bearer\"",
        );
    }
    let realm = reader.get("auth.realm", usual.realm);
    if realm.contains(['"', '\\']) || realm.chars().any(char::is_control) || !realm.is_ascii() {
        reader.wrong(
            "auth.realm",
            "it goes into a header between quotes",
            "write ASCII text without quotes and backslashes, e.g. \"api\"",
        );
    }
    Habits {
        grammar: Grammar { schemes, lenient },
        challenge,
        realm,
        errors: reader.get("auth.errors", usual.errors),
        login_answer: reader.get("auth.login_answer", usual.login_answer),
        multipart: reader.get("auth.multipart", usual.multipart),
        options_open: reader.get("auth.options_open", usual.options_open),
        slash_redirect: reader.get("auth.slash_redirect", usual.slash_redirect),
        conceal_methods: reader.get("auth.conceal_methods", usual.conceal_methods),
        claims: reader.get("auth.claims", usual.claims),
    }
}

fn schemes(reader: &mut Reader<'_>, given: Vec<(String, Place)>) -> Vec<String> {
    if given.is_empty() {
        reader.wrong(
            "auth.schemes",
            "without a scheme no token could be presented",
            "write `schemes = [\"Bearer\"]`, or remove the key",
        );
    }
    let mut schemes = Vec::new();
    for (text, place) in given {
        if is_token(&text) && !text.eq_ignore_ascii_case("basic") {
            schemes.push(text.to_ascii_lowercase());
        } else {
            reader.problem(Problem::new(
                place,
                format!("`auth.schemes`: `{text}` is not a scheme for tokens"),
                "write one word, e.g. \"Bearer\" or \"JWT\"",
            ));
        }
    }
    schemes
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn hs256_secret(
    reader: &mut Reader<'_>,
    from_env: Option<SecretString>,
    algorithm: TokenAlgorithm,
    warnings: &mut Vec<String>,
) -> Option<SecretSlice<u8>> {
    const KEY: &str = "auth.hs256_secret_file";
    const ENV: &str = "GATEWAY_AUTH_HS256_SECRET";
    let (secret, place) = match from_env {
        Some(text) => {
            let place = Place::Env(ENV.to_owned());
            if matches!(reader.place(KEY), Place::Env(_)) {
                two_variables(reader, ENV, KEY);
            }
            let bytes = text.expose_secret().as_bytes().to_vec();
            (Some(SecretSlice::from(bytes)), place)
        }
        None => (secret::from_file(reader, KEY), reader.place(KEY)),
    };
    let secret = secret?;
    reader.show_at("auth.hs256_secret", secret::SET.to_owned(), place.clone());
    let length = secret.expose_secret().len();
    if length < MIN_HS256_BYTES {
        reader.problem(Problem::new(
            place,
            format!("the HS256 secret is {length} bytes long, and {MIN_HS256_BYTES} are the least"),
            "make one with `openssl rand -hex 32`, or remove the key: the gateway then makes its own at first start",
        ));
    }
    if algorithm != TokenAlgorithm::Hs256 {
        warnings.push(
            "an HS256 secret is given, but auth.algorithm is EdDSA: nothing uses the secret. Set auth.algorithm = \"HS256\" or remove it"
                .to_owned(),
        );
    }
    Some(secret)
}

fn admin_password(reader: &mut Reader<'_>, from_env: Option<SecretString>) -> Option<SecretString> {
    const KEY: &str = "auth.admin_password_file";
    const ENV: &str = "GATEWAY_ADMIN_PASSWORD";
    if let Some(text) = from_env {
        if matches!(reader.place(KEY), Place::Env(_)) {
            two_variables(reader, ENV, KEY);
        }
        let place = Place::Env(ENV.to_owned());
        reader.show_at("auth.admin_password", secret::SET.to_owned(), place);
        return Some(text);
    }
    let bytes = secret::from_file(reader, KEY)?;
    reader.show_at(
        "auth.admin_password",
        secret::SET.to_owned(),
        reader.place(KEY),
    );
    match std::str::from_utf8(bytes.expose_secret()) {
        Ok(text) => Some(SecretString::from(text)),
        Err(_) => {
            reader.wrong(
                KEY,
                "the file is not UTF-8 text",
                "write the password as UTF-8 text into it",
            );
            None
        }
    }
}

fn two_variables(reader: &mut Reader<'_>, inline: &str, key: &str) {
    let problem = Problem::new(
        Place::Env(inline.to_owned()),
        "the same secret is named by another variable too",
        "unset one of the two",
    )
    .related(reader.place(key), "the other one");
    reader.problem(problem);
}

fn password(reader: &mut Reader<'_>, insecure_dev: bool) -> PasswordConfig {
    let memory = reader.positive("auth.password.memory", Size::mib(19));
    let memory_kib = u32::try_from(memory.0 / 1024).unwrap_or(u32::MAX);
    let iterations = reader.positive("auth.password.iterations", 2_u32);
    let parallelism = reader.positive("auth.password.parallelism", 1_u32);
    if memory.0 > 4 << 30 || iterations > 100 || parallelism > 64 {
        reader.wrong(
            "auth.password.memory",
            "memory above 4 GiB, iterations above 100 or parallelism above 64",
            "each login would cost that much: take 19 MiB, 2 and 1, or 64 MiB, 3 and 4",
        );
    }
    if memory_kib < parallelism.saturating_mul(8) {
        reader.wrong(
            "auth.password.memory",
            format!("Argon2 needs at least 8 KiB for each of the {parallelism} lanes"),
            "write more memory, e.g. \"19 MiB\"",
        );
    } else if !insecure_dev
        && !ARGON2_FLOOR
            .iter()
            .any(|(kib, passes)| memory_kib >= *kib && iterations >= *passes)
    {
        reader.wrong(
            "auth.password.memory",
            format!("{} KiB with {iterations} iterations is weaker than OWASP's minimum for Argon2id", memory_kib),
            "write at least \"46 MiB\" with 1 iteration, \"19 MiB\" with 2, \"12 MiB\" with 3, \"9 MiB\" with 4 or \"7 MiB\" with 5",
        );
    }
    let min_length = reader.positive("auth.password.min_length", 12);
    if min_length < 8 && !insecure_dev {
        reader.wrong(
            "auth.password.min_length",
            format!("{min_length} is less than 8, the least that NIST SP 800-63B allows"),
            "write 8 or more",
        );
    }
    let max_bytes = reader
        .positive("auth.password.max_bytes", Size::kib(1))
        .as_usize();
    if max_bytes < 64 || max_bytes < min_length {
        reader.wrong(
            "auth.password.max_bytes",
            format!("{max_bytes} bytes would refuse good passwords"),
            "write at least 64, and more than `min_length`",
        );
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    PasswordConfig {
        memory_kib,
        iterations,
        parallelism,
        workers: reader.positive("auth.password.workers", (cores / 4).max(1)),
        queue: reader.positive("auth.password.queue", 32),
        min_length,
        max_bytes,
    }
}

/// About 2 KiB for each token.
fn token_cache(reader: &mut Reader<'_>) -> usize {
    const MOST: usize = 1_000_000;
    let tokens = reader.get("auth.token_cache", 8_192);
    if tokens > MOST {
        reader.wrong(
            "auth.token_cache",
            format!("{tokens} tokens are gigabytes of memory"),
            format!("write at most {MOST}; as many as there are clients at one time is enough"),
        );
    }
    tokens
}
