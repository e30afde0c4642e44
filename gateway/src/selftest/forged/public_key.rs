//! The ways to write down a public key, each of which somebody has taken for a secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// What each is called, and its bytes.
pub(super) fn encodings(key: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![("as a JWK", key.to_string().into_bytes())];
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    for name in ["x", "n"] {
        if let (Some(text), Some(bytes)) = (text(name), bytes(name)) {
            all.push(("as base64url", text.as_bytes().to_vec()));
            all.push(("as bytes", bytes));
        }
    }
    if let Some(der) = public_key_info(text("crv"), bytes("x"), bytes("y")) {
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
            STANDARD.encode(&der)
        );
        all.push(("as DER", der));
        all.push((
            "as PEM with a last newline",
            format!("{pem}\n").into_bytes(),
        ));
        all.push(("as PEM", pem.into_bytes()));
    }
    all
}

/// `SubjectPublicKeyInfo`, whose first bytes are the same for every key of a curve (RFC 8410 §4, RFC 5480 §2).
fn public_key_info(curve: Option<&str>, x: Option<Vec<u8>>, y: Option<Vec<u8>>) -> Option<Vec<u8>> {
    const ED25519: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    const P256: [u8; 27] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    match curve? {
        "Ed25519" => Some([&ED25519[..], &x?].concat()),
        "P-256" => Some([&P256[..], &x?, &y?].concat()),
        _ => None,
    }
}
