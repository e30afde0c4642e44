//! What may be set as a password. What was set before still works.
//!
//! NIST SP 800-63B §3.1.1.2: length and a list of common choices, no rules about kinds of characters.

use unicode_normalization::UnicodeNormalization;

use crate::config::PasswordConfig;
use crate::username;

/// Why a password cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRule {
    /// Nothing at all; refused in development mode, too.
    #[error("the password is empty")]
    Empty,
    /// Fewer characters than `auth.password.min_length`.
    #[error("the password needs at least {min} characters")]
    TooShort {
        /// The configured minimum, in characters.
        min: usize,
    },
    /// More bytes than `auth.password.max_bytes`; refused in development mode, too.
    #[error("the password has more than {max} bytes")]
    TooLong {
        /// The configured maximum, in bytes.
        max: usize,
    },
    /// The same as the user name, up to case and width.
    #[error("the password is the user name")]
    UserName,
    /// One of those that are tried first.
    #[error("the password is one of the most common ones")]
    Common,
}

/// Judges a password that somebody wants to set for `username`. `insecure_dev` leaves only the upper bound.
///
/// # Errors
/// The first [`PasswordRule`] that is broken.
pub fn check_new(
    password: &str,
    username: &str,
    config: &PasswordConfig,
    insecure_dev: bool,
) -> Result<(), PasswordRule> {
    let password: zeroize::Zeroizing<String> = zeroize::Zeroizing::new(password.nfc().collect());
    if password.is_empty() {
        return Err(PasswordRule::Empty);
    }
    if password.len() > config.max_bytes {
        return Err(PasswordRule::TooLong {
            max: config.max_bytes,
        });
    }
    if insecure_dev {
        return Ok(());
    }
    if password.chars().count() < config.min_length {
        return Err(PasswordRule::TooShort {
            min: config.min_length,
        });
    }
    let key = zeroize::Zeroizing::new(username::key(&password));
    if *key == username::key(username) {
        return Err(PasswordRule::UserName);
    }
    if is_common(&key) {
        return Err(PasswordRule::Common);
    }
    Ok(())
}

/// Common as it stands, or one common piece over and over (`passwordpassword`, `aaaaaaaaaaaa`).
fn is_common(key: &str) -> bool {
    let repeats = |piece: &str| {
        !piece.is_empty() && key.len() > piece.len() && key.replace(piece, "").is_empty()
    };
    let first = key.chars().next().map(String::from).unwrap_or_default();
    COMMON.contains(&key) || repeats(&first) || COMMON.iter().any(|common| repeats(common))
}

/// From the heads of published lists of leaked passwords, folded to lower case, and what people type to get past a
/// minimum length.
const COMMON: &[&str] = &[
    "000000",
    "0000000000",
    "00000000",
    "1111",
    "11111111",
    "111111",
    "1111111111",
    "112233",
    "121212",
    "123",
    "123123",
    "123123123",
    "1234",
    "12341234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "12345678910",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789a",
    "1234qwer",
    "123abc",
    "123qwe",
    "123qweasd",
    "123qweasdzxc",
    "123321",
    "147258369",
    "159753",
    "1q2w3e",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "555555",
    "654321",
    "666666",
    "696969",
    "777777",
    "7777777",
    "88888888",
    "987654321",
    "9876543210",
    "a123456",
    "a12345678",
    "aa123456",
    "abc123",
    "abcd1234",
    "abcdef",
    "abcdefg",
    "abcdefgh",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "access",
    "admin",
    "admin123",
    "admin1234",
    "admin12345",
    "admin123456",
    "administrator",
    "administrator1",
    "amanda",
    "andrew",
    "asdasd",
    "asdf",
    "asdf1234",
    "asdfasdf",
    "asdfgh",
    "asdfghjkl",
    "asdfghjkl123",
    "ashley",
    "azerty",
    "azertyuiop",
    "bailey",
    "baseball",
    "basketball",
    "batman",
    "buster",
    "changeit",
    "changeme",
    "changeme123",
    "changeme1234",
    "changemenow",
    "charlie",
    "cheese",
    "computer",
    "correcthorsebatterystaple",
    "daniel",
    "default",
    "donald",
    "dragon",
    "football",
    "freedom",
    "gateway",
    "george",
    "ginger",
    "guest",
    "hallo123",
    "hannah",
    "harley",
    "hello",
    "hello123",
    "helloworld",
    "hunter",
    "hunter2",
    "iloveyou",
    "iloveyou123",
    "internet",
    "jennifer",
    "jessica",
    "jordan",
    "jordan23",
    "joshua",
    "killer",
    "letmein",
    "letmein123",
    "letmein1234",
    "letmeinplease",
    "liverpool",
    "login",
    "login123",
    "loveme",
    "lovely",
    "maggie",
    "master",
    "master123",
    "matrix",
    "matthew",
    "michael",
    "michelle",
    "monkey",
    "monkey123",
    "mustang",
    "mypassword",
    "mypassword1",
    "mypassword123",
    "naruto",
    "nicole",
    "ninja",
    "p@ssw0rd",
    "p@ssw0rd1",
    "p@ssw0rd123",
    "p@ssw0rd1234",
    "p@ssword",
    "pass",
    "pass123",
    "pass1234",
    "passw0rd",
    "passw0rd123",
    "passwort",
    "passwort123",
    "password",
    "password!",
    "password01",
    "password1",
    "password1!",
    "password12",
    "password123",
    "password123!",
    "password1234",
    "password12345",
    "password123456",
    "pokemon",
    "princess",
    "q1w2e3r4",
    "q1w2e3r4t5",
    "q1w2e3r4t5y6",
    "qazwsx",
    "qazwsxedc",
    "qazwsxedcrfv",
    "qwe123",
    "qwer1234",
    "qwerty",
    "qwerty1",
    "qwerty12",
    "qwerty123",
    "qwerty1234",
    "qwerty12345",
    "qwerty123456",
    "qwertyui",
    "qwertyuiop",
    "qwertyuiop123",
    "qwertyuiopasdfghjkl",
    "robert",
    "root",
    "root123",
    "rootroot",
    "samantha",
    "secret",
    "secret123",
    "secret1234",
    "shadow",
    "soccer",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "superuser",
    "supersecret",
    "supersecret123",
    "system",
    "test",
    "test123",
    "test1234",
    "test12345",
    "test123456",
    "testing",
    "testing123",
    "testpassword",
    "testtest",
    "thisisapassword",
    "thomas",
    "tigger",
    "toor",
    "trustno1",
    "user",
    "user1234",
    "username",
    "welcome",
    "welcome1",
    "welcome123",
    "welcome1234",
    "whatever",
    "yourpassword",
    "zaq12wsx",
    "zaq1zaq1",
    "zxcvbn",
    "zxcvbnm",
    "zxcvbnm123",
];
