//! What may be a login name, and when two names are the same.
//!
//! Invariant: every stored name went through [`normalise`], and no two stored names share a [`key`], so
//! that no user can pass for another by case, width or composition.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// Longest name, in characters after normalisation.
pub const MAX_CHARS: usize = 128;

/// Why a text cannot be a login name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Nothing, or white space alone.
    #[error("a user name needs at least one character")]
    Empty,
    /// More than [`MAX_CHARS`].
    #[error("a user name has at most {MAX_CHARS} characters")]
    TooLong,
    /// A control character, anywhere but at the ends.
    #[error("a user name may not contain control characters")]
    Control,
    /// Anything but letters, digits and `@.+-_`.
    #[error("a user name may contain only letters, digits and the characters @ . + - _")]
    Character,
}

/// The name as it is stored: trimmed, NFC.
///
/// # Errors
/// [`UsernameError`] where the text cannot be a name.
pub fn normalise(text: &str) -> Result<String, UsernameError> {
    let name: String = text.trim().nfc().collect();
    if name.is_empty() {
        return Err(UsernameError::Empty);
    }
    if name.chars().count() > MAX_CHARS {
        return Err(UsernameError::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(UsernameError::Control);
    }
    if !name.chars().all(is_allowed) {
        return Err(UsernameError::Character);
    }
    Ok(name)
}

/// NFC, and nothing else: how a name that somebody types is compared with the stored one.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// What must be unique: NFKC and full case folding, applied until neither changes the other's result
/// (Unicode Standard, section 3.13, D146: compatibility caseless matching).
pub fn key(text: &str) -> String {
    text.nfd()
        .default_case_fold()
        .nfkd()
        .default_case_fold()
        .nfkc()
        .collect()
}

fn is_allowed(c: char) -> bool {
    (c.is_alphanumeric() && !is_invisible(c)) || matches!(c, '@' | '.' | '+' | '-' | '_')
}

/// Letters that render as nothing: two names that look the same would be two users.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, UsernameError, key, normalise};

    #[test]
    fn names_are_trimmed_and_composed() {
        assert_eq!(normalise(" jose\u{301} "), Ok("jos\u{e9}".to_owned()));
        assert_eq!(
            normalise("a.b+c-d_e@example.com"),
            Ok("a.b+c-d_e@example.com".to_owned())
        );
        assert_eq!(normalise("用户１"), Ok("用户１".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        let long = "a".repeat(MAX_CHARS + 1);
        for (text, why) in [
            ("", UsernameError::Empty),
            (" \t", UsernameError::Empty),
            (long.as_str(), UsernameError::TooLong),
            ("a\nb", UsernameError::Control),
            ("a\u{0}b", UsernameError::Control),
            ("a b", UsernameError::Character),
            ("a/b", UsernameError::Character),
            ("a\u{200b}b", UsernameError::Character),
            ("a\u{202e}b", UsernameError::Character),
            ("a\u{3164}b", UsernameError::Character),
            ("<script>", UsernameError::Character),
        ] {
            assert_eq!(normalise(text), Err(why), "{text:?}");
        }
        assert!(normalise(&"é".repeat(MAX_CHARS)).is_ok());
    }

    #[test]
    fn p107_names_that_fold_together_share_a_key() {
        for (a, b) in [
            ("admin", "ADMIN"),
            ("admin", "Ａdmin"),
            ("straße", "STRASSE"),
            ("ﬁn", "FIN"),
            ("jose\u{301}", "JOSÉ"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("admin", "admın".replace('ı', "i").as_str()),
        ] {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
        assert_ne!(key("admin"), key("admın"));
        assert_ne!(key("a.b"), key("ab"));
    }

    proptest::proptest! {
        #[test]
        fn a_key_is_its_own_key(text in "\\PC{0,40}") {
            let once = key(&text);
            proptest::prop_assert_eq!(key(&once), once);
        }

        #[test]
        fn a_normal_name_is_stable(text in "[\\p{L}\\p{N}@.+_-]{1,20}") {
            if let Ok(name) = normalise(&text) {
                proptest::prop_assert_eq!(normalise(&name), Ok(name.clone()));
                proptest::prop_assert_eq!(key(&name), key(&text));
            }
        }
    }
}
