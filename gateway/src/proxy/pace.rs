//! How fast the body of a forwarded request must come: not only without a long pause, which one byte now and
//! then avoids, but at a least rate.

use std::time::{Duration, Instant};

use pingora::{Error, ErrorType, Result};

use crate::config::Limits;

/// The clock of one body, from its first byte on.
#[derive(Debug, Default)]
pub(super) struct BodyPace {
    began: Option<Instant>,
}

impl BodyPace {
    /// Judges a body of which `received` bytes have come by `now`.
    ///
    /// What an upstream is slow to take counts against the client, and harms none: what fits into the
    /// buffers on the way is worth minutes at any sensible rate, and an upstream that takes nothing at all
    /// is cut by its own timeout before.
    ///
    /// # Errors
    /// [`ErrorType::HTTPStatus`] 413 where it is too long, 408 where it is too slow.
    pub(super) fn check(&mut self, received: u64, now: Instant, limits: &Limits) -> Result<()> {
        if received > limits.body_bytes {
            return Error::e_explain(ErrorType::HTTPStatus(413), "body too large");
        }
        if received == 0 {
            return Ok(());
        }
        let began = *self.began.get_or_insert(now);
        if is_late(received, now.saturating_duration_since(began), limits) {
            return Error::e_explain(ErrorType::HTTPStatus(408), "body too slow");
        }
        Ok(())
    }
}

/// Whether a body that is not whole had its patience, and what the `received` bytes earned it, in the time
/// that it `took`.
pub(super) fn is_late(received: u64, took: Duration, limits: &Limits) -> bool {
    let earned = Duration::from_secs(received / limits.body_min_rate.max(1));
    took > limits.body_timeout.saturating_add(earned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServeArgs, resolve};

    #[test]
    fn p014_a_body_has_its_patience_and_what_it_earned() {
        let args = ServeArgs {
            upstream: Some("http://127.0.0.1:9".to_owned()),
            data_dir: Some("/d".into()),
            ..ServeArgs::default()
        };
        let mut limits = resolve(&args, []).unwrap().config.server.limits;
        limits.body_timeout = Duration::from_secs(30);
        limits.body_min_rate = 512;
        let start = Instant::now();
        let after = |secs: u64| start + Duration::from_secs(secs);
        let status = |received: u64, secs: u64| {
            let mut pace = BodyPace::default();
            pace.check(1, start, &limits).unwrap();
            let judged = pace.check(received, after(secs), &limits);
            judged.err().map(|e| e.etype().clone())
        };
        for (received, secs, wanted) in [
            (2, 30, None),
            (2, 31, Some(408)),
            (511, 31, Some(408)),
            (512, 31, None),
            (512, 32, Some(408)),
            (512 * 600, 630, None),
            (512 * 600, 631, Some(408)),
            (limits.body_bytes, 1, None),
            (limits.body_bytes + 1, 1, Some(413)),
        ] {
            let wanted = wanted.map(ErrorType::HTTPStatus);
            assert_eq!(status(received, secs), wanted, "{received} in {secs} s");
        }
        // Nothing has come yet: the pause before the first byte has a clock of its own.
        let mut pace = BodyPace::default();
        assert!(pace.check(0, start, &limits).is_ok());
        assert!(pace.check(1, after(600), &limits).is_ok());
    }
}
