//! The one place that reads the system clock. Everything below the top floor is given the time.

use crate::user::UnixSeconds;

/// Seconds since 1970; 0 for a clock before that.
pub fn now() -> UnixSeconds {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
