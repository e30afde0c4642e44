//! When a task is due: a moment, to the microsecond, in UTC.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Serialize, Serializer};

/// What wrong input is told.
const FORMAT: &str = "Datetime has wrong format. Use one of these formats instead: \
                      YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
const RANGE: &str = "Datetime value out of range.";
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A moment between the years 1 and 9999, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueTo(DateTime);

impl DueTo {
    /// Reads what a client wrote (docs/CONTRACT.md, "due_to"). Without a zone
    /// it is UTC; of a fraction six digits count.
    ///
    /// # Errors
    /// The text to answer with.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (local, offset) = split(text).ok_or(FORMAT)?;
        let utc = local.checked_sub(offset).map_err(|_| RANGE)?;
        if utc.year() < 1 {
            return Err(RANGE);
        }
        Ok(Self(utc))
    }

    /// The text for input that is no text at all.
    #[must_use]
    pub const fn wrong_format() -> &'static str {
        FORMAT
    }

    /// Microseconds since 1970, as stored.
    #[must_use]
    pub fn micros(self) -> i64 {
        // Years 1 to 9999 are below 2^58 microseconds from 1970.
        i64::try_from(self.0.duration_since(EPOCH).as_micros()).unwrap_or(i64::MAX)
    }

    /// From what [`micros`](Self::micros) gave; nothing out of its range.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        let utc = EPOCH
            .checked_add(SignedDuration::from_micros(micros))
            .ok()?;
        (utc.year() >= 1).then_some(Self(utc))
    }
}

/// Splits into the local time and its offset from UTC.
fn split(text: &str) -> Option<(DateTime, SignedDuration)> {
    let mut input = Input(text.as_bytes());
    let year = input.digits(4)?;
    input.one_of(b"-")?;
    let month = input.digits(2)?;
    input.one_of(b"-")?;
    let day = input.digits(2)?;
    input.one_of(b"T ")?;
    let hour = input.digits(2)?;
    input.one_of(b":")?;
    let minute = input.digits(2)?;
    let (mut second, mut micro) = (0, 0);
    if input.one_of(b":").is_some() {
        second = input.digits(2)?;
        if input.one_of(b".,").is_some() {
            micro = input.fraction()?;
        }
    }
    let offset = input.offset()?;
    if !input.0.is_empty() || year == 0 {
        return None;
    }
    let narrow = |number: i32| i8::try_from(number).ok();
    let local = DateTime::new(
        i16::try_from(year).ok()?,
        narrow(month)?,
        narrow(day)?,
        narrow(hour)?,
        narrow(minute)?,
        narrow(second)?,
        micro * 1000,
    );
    Some((local.ok()?, offset))
}

/// What is left to read. ASCII digits only.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        wanted.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn digit(&mut self) -> Option<i32> {
        self.one_of(b"0123456789")
            .map(|digit| i32::from(digit - b'0'))
    }

    fn digits(&mut self, count: usize) -> Option<i32> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// One to twelve digits, of which six count.
    fn fraction(&mut self) -> Option<i32> {
        let mut micro = self.digit()? * 100_000;
        let mut unit = 10_000;
        for _ in 1..12 {
            let Some(digit) = self.digit() else { break };
            micro += digit * unit;
            unit /= 10;
        }
        Some(micro)
    }

    /// `Z`, `±hh`, `±hhmm`, `±hh:mm` or nothing.
    fn offset(&mut self) -> Option<SignedDuration> {
        if self.0.is_empty() || self.one_of(b"Z").is_some() {
            return Some(SignedDuration::ZERO);
        }
        let sign = self.one_of(b"+-")?;
        let hours = self.digits(2)?;
        let mut minutes = 0;
        if self.one_of(b":").is_some() || !self.0.is_empty() {
            minutes = self.digits(2)?;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        let minutes = i64::from(hours * 60 + minutes);
        Some(SignedDuration::from_mins(if sign == b'-' {
            -minutes
        } else {
            minutes
        }))
    }
}

impl fmt::Display for DueTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )?;
        match time.subsec_nanosecond() / 1000 {
            0 => f.write_str("Z"),
            micros => write!(f, ".{micros:06}Z"),
        }
    }
}

impl Serialize for DueTo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        let table = [
            ("2016-10-18T19:12:01Z", "2016-10-18T19:12:01Z"),
            ("2016-10-18 19:12:01", "2016-10-18T19:12:01Z"),
            ("2016-10-18T19:12", "2016-10-18T19:12:00Z"),
            ("2016-10-18T19:12+02", "2016-10-18T17:12:00Z"),
            ("2016-10-18T19:12:01+0200", "2016-10-18T17:12:01Z"),
            ("2016-10-18T19:12:01-05:30", "2016-10-19T00:42:01Z"),
            ("2016-10-18T19:12:01+23:59", "2016-10-17T19:13:01Z"),
            ("2016-10-18T19:12:01-00:00", "2016-10-18T19:12:01Z"),
            ("2016-10-18T19:12:01.5Z", "2016-10-18T19:12:01.500000Z"),
            ("2016-10-18T19:12:01,000001Z", "2016-10-18T19:12:01.000001Z"),
            ("2016-10-18T19:12:01.000000Z", "2016-10-18T19:12:01Z"),
            (
                "2016-10-18T19:12:01.123456789012Z",
                "2016-10-18T19:12:01.123456Z",
            ),
            ("2016-02-29T00:00Z", "2016-02-29T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31T23:59:59-00:00", "9999-12-31T23:59:59Z"),
        ];
        for (text, want) in table {
            let due = DueTo::parse(text).unwrap();
            assert_eq!(due.to_string(), want, "{text}");
            assert_eq!(DueTo::from_micros(due.micros()), Some(due), "{text}");
        }
    }

    #[test]
    fn refused() {
        let wrong_format = [
            "",
            "   ",
            "tomorrow",
            "2016-10",
            "2016-10-18",
            "19:12:01",
            "2016-10-18T19Z",
            "2016-10-18t19:12:01Z",
            "2016-10-18T19:12:01z",
            "20161018T191201Z",
            "2016-W42-2T19:12:01Z",
            "2016-292T19:12:01Z",
            " 2016-10-18T19:12:01Z",
            "2016-10-18T19:12:01Z ",
            "2016-10-18T19:12:01Z\n",
            "2016-10-18T19:12:01Z\0",
            "2016-10-18T19:12:01 +02:00",
            "2016-10-18T24:00:00Z",
            "2016-10-18T19:60:00Z",
            "2016-12-31T23:59:60Z",
            "2016-02-30T00:00Z",
            "2015-02-29T00:00Z",
            "2016-13-18T19:12Z",
            "2016-00-18T19:12Z",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "2016-1-2T3:4Z",
            "2016-10-18T19:12:01.Z",
            "2016-10-18T19:12:01.1234567890123Z",
            "2016-10-18T19:12.5Z",
            "2016-10-18T19:12:01+24:00",
            "2016-10-18T19:12:01+01:60",
            "2016-10-18T19:12:01+2",
            "2016-10-18T19:12:01+02:",
            "2016-10-18T19:12:01+02:0",
            "２016-10-18T19:12:01Z",
            "2016-10-18T19:12:01+02Z",
            "2016-10-18  19:12:01",
        ];
        for text in wrong_format {
            assert_eq!(DueTo::parse(text), Err(FORMAT), "{text:?}");
        }
        for text in ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(DueTo::parse(text), Err(RANGE), "{text:?}");
        }
        assert_eq!(DueTo::from_micros(i64::MIN), None);
        assert_eq!(DueTo::from_micros(i64::MAX), None);
    }
}
