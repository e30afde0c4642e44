//! `[[auth.external]]`: other issuers whose tokens are accepted.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use super::problem::{Place, Problem};
use super::reader::Reader;
use crate::auth::external::{ExternalIssuer, IssuerError, IssuerSpec};

/// A JWK set of [64 keys](ExternalIssuer) is far smaller; this keeps a wrong path from filling the memory.
const MAX_SET_BYTES: u64 = 256 * 1024;

/// What is accepted where nothing is said: signatures, not shared secrets (RFC 8725 §3.1).
const USUAL_ALGORITHMS: [&str; 4] = ["EdDSA", "ES256", "PS256", "RS256"];

/// Reads every issuer. `own` is the issuer of our own tokens.
pub(super) fn read(reader: &mut Reader<'_>, own: &str) -> Vec<ExternalIssuer> {
    let mut issuers: Vec<ExternalIssuer> = Vec::new();
    for (index, place) in reader.external.clone().into_iter().enumerate() {
        let key = |name: &str| format!("auth.external.{index}.{name}");
        let spec = IssuerSpec {
            issuer: required(
                reader,
                &key("issuer"),
                &place,
                "issuer = \"https://login.example.com\"",
            ),
            audiences: texts(reader, &key("audience")).unwrap_or_default(),
            algorithms: texts(reader, &key("algorithms"))
                .unwrap_or_else(|| USUAL_ALGORITHMS.map(str::to_owned).to_vec()),
            roles_claim: reader.get(&key("roles_claim"), "roles".to_owned()),
            roles: texts(reader, &key("roles")).unwrap_or_default(),
            leeway: reader
                .get(&key("leeway"), Duration::from_secs(30))
                .as_secs(),
        };
        if spec.audiences.is_empty() {
            reader.problem(Problem::new(
                place.clone(),
                "this issuer has no `audience`, so tokens made for somebody else would be accepted",
                "write what its tokens for this service have in `aud`: `audience = \"tasks\"`",
            ));
        }
        if spec.issuer == own
            || issuers
                .iter()
                .any(|known| known.spec().issuer == spec.issuer)
        {
            reader.wrong(
                &key("issuer"),
                format!("`{}` is an issuer already", spec.issuer),
                "each issuer stands here once; the gateway's own is `auth.issuer`",
            );
        }
        let jwks_key = key("jwks_file");
        if let Some(path) = reader.optional::<PathBuf>(&jwks_key) {
            match load(&path, spec) {
                Ok(issuer) => issuers.push(issuer),
                Err(why) => reader.wrong(
                    &jwks_key,
                    format!("{}: {why}", path.display()),
                    "name a file with the issuer's JWK set: `{\"keys\":[…]}`, public keys alone",
                ),
            }
        } else if !reader.has(&jwks_key) {
            reader.problem(Problem::new(
                place,
                "this issuer has no keys",
                "add `jwks_file = \"/etc/gateway/issuer.jwks.json\"`",
            ));
        }
    }
    issuers
}

fn required(reader: &mut Reader<'_>, key: &str, place: &Place, example: &str) -> String {
    let value: Option<String> = reader.optional(key);
    if value.as_deref().unwrap_or_default().is_empty() {
        reader.problem(Problem::new(
            place.clone(),
            "this entry does not name its issuer",
            format!("write `{example}`"),
        ));
    }
    value.unwrap_or_default()
}

/// A list of texts, or one text.
fn texts(reader: &mut Reader<'_>, key: &str) -> Option<Vec<String>> {
    Some(
        reader
            .list_or_one(key)?
            .into_iter()
            .map(|(text, _)| text)
            .collect(),
    )
}

fn load(path: &std::path::Path, spec: IssuerSpec) -> Result<ExternalIssuer, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_SET_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > MAX_SET_BYTES) {
        return Err(format!(
            "more than {MAX_SET_BYTES} bytes are too many for a JWK set"
        ));
    }
    ExternalIssuer::new(spec, &bytes).map_err(|e: IssuerError| e.to_string())
}
