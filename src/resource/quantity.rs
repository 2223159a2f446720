//! Durations (`500ms`, `1h30m`), sizes (`512Mi`) and shares of a processor (`250m`) as people write them.
//!
//! One spelling means one thing: no signs, no spaces, no fractions where a smaller unit exists, and nothing that
//! overflows. What the `format_` functions write is what the `parse_` functions read.

use std::time::Duration;

/// Units of a duration from the largest to the smallest, in milliseconds.
const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of a size from the largest to the smallest, as powers of two.
const SIZE_UNITS: [(&str, u32); 6] = [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];

/// Why a text is not the quantity that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("a duration is written like `500ms`, `30s` or `1h30m`")]
    Duration,
    #[error("a duration needs a unit: `h`, `m`, `s` or `ms`")]
    DurationUnit,
    #[error("the units of a duration come from large to small, each once: `h`, `m`, `s`, `ms`")]
    DurationOrder,
    #[error("a size is written in bytes or like `512Mi`: a whole number and one of `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`")]
    Size,
    #[error("a share of a processor is written like `2`, `0.5` or `250m` (thousandths)")]
    Cpu,
    #[error("the value is too large")]
    TooLarge,
}

/// Reads a duration: whole numbers with the units `h`, `m`, `s`, `ms`, from large to small, each at most once.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let mut rest = text;
    let mut units = TIME_UNITS.as_slice();
    let mut millis: u64 = 0;
    loop {
        let (digits, tail) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, tail) = split_at_first(tail, |c| !c.is_ascii_alphabetic());
        if digits.is_empty() {
            return Err(QuantityError::Duration);
        }
        if unit.is_empty() {
            return Err(if tail.is_empty() { QuantityError::DurationUnit } else { QuantityError::Duration });
        }
        let Some(&(_, scale)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(QuantityError::DurationUnit);
        };
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(QuantityError::DurationOrder);
        };
        units = units.get(position + 1..).unwrap_or_default();
        let part = whole(digits)?.checked_mul(scale).ok_or(QuantityError::TooLarge)?;
        millis = millis.checked_add(part).ok_or(QuantityError::TooLarge)?;
        if tail.is_empty() {
            return Ok(Duration::from_millis(millis));
        }
        rest = tail;
    }
}

/// Writes a duration the way it is read: `1h30m`, `500ms`, `0s`. What is below a millisecond is cut off.
pub fn format_duration(d: Duration) -> String {
    let mut rest = d.as_millis();
    if rest == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, millis) in TIME_UNITS {
        let n = rest / u128::from(millis);
        rest %= u128::from(millis);
        if n > 0 {
            out.push_str(&format!("{n}{unit}"));
        }
    }
    out
}

/// Reads a size in bytes: a whole number, with a unit of powers of 1024 (`512Mi`, or `4MiB`) or without one.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let (digits, unit) = split_at_first(text, |c| !c.is_ascii_digit());
    if digits.is_empty() {
        return Err(QuantityError::Size);
    }
    if unit.is_empty() {
        return whole(digits);
    }
    let unit = unit.strip_suffix('B').unwrap_or(unit);
    let (_, power) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or(QuantityError::Size)?;
    whole(digits)?.checked_mul(1 << power).ok_or(QuantityError::TooLarge)
}

/// Writes a size with the largest unit that divides it: `512Mi`, `1000`.
pub fn format_size(bytes: u64) -> String {
    match SIZE_UNITS.iter().find(|(_, power)| bytes.trailing_zeros() >= *power) {
        Some((unit, power)) if bytes > 0 => format!("{}{unit}", bytes >> power),
        _ => bytes.to_string(),
    }
}

/// Reads a share of a processor as thousandths of a core: `2`, `0.5` (up to three decimals) or `250m`.
pub fn parse_cpu(text: &str) -> Result<u64, QuantityError> {
    if let Some(millis) = text.strip_suffix('m') {
        return if is_number(millis) { whole(millis) } else { Err(QuantityError::Cpu) };
    }
    let (cores, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(cores) || !is_number(decimals) || decimals.len() > 3 {
        return Err(QuantityError::Cpu);
    }
    let millis = whole(&format!("{decimals:0<3}"))?;
    whole(cores)?.checked_mul(1000).and_then(|m| m.checked_add(millis)).ok_or(QuantityError::TooLarge)
}

/// Writes a share of a processor: whole cores as `2`, others as `250m`.
pub fn format_cpu(millis: u64) -> String {
    if millis.is_multiple_of(1000) { (millis / 1000).to_string() } else { format!("{millis}m") }
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A number that is known to consist of digits.
fn whole(digits: &str) -> Result<u64, QuantityError> {
    digits.parse().map_err(|_| QuantityError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
            ("90m", 5_400_000),
            ("007s", 7_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, error) in [
            ("", QuantityError::Duration),
            ("s", QuantityError::Duration),
            ("-1s", QuantityError::Duration),
            ("1 s", QuantityError::Duration),
            (" 1s", QuantityError::Duration),
            ("1s ", QuantityError::Duration),
            ("1.5h", QuantityError::Duration),
            ("1h30", QuantityError::DurationUnit),
            ("30", QuantityError::DurationUnit),
            ("1d", QuantityError::DurationUnit),
            ("1H", QuantityError::DurationUnit),
            ("1µs", QuantityError::Duration),
            ("1s1s", QuantityError::DurationOrder),
            ("1s1m", QuantityError::DurationOrder),
            ("99999999999999999999s", QuantityError::TooLarge),
            ("9999999999999999999h", QuantityError::TooLarge),
            ("5124095576030h18446744073709551615ms", QuantityError::TooLarge),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("1000", 1000), ("512Mi", 512 << 20), ("4MiB", 4 << 20), ("1Ki", 1024), ("15Ei", 15 << 60)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "Mi", "1M", "1k", "1mi", "1 Mi", "-1", "1.5Gi", "512B", "1MiBB", "1Mi ", "+1"] {
            assert_eq!(parse_size(text), Err(QuantityError::Size), "{text:?}");
        }
        for text in ["16Ei", "18446744073709551616"] {
            assert_eq!(parse_size(text), Err(QuantityError::TooLarge), "{text}");
        }
        assert_eq!(format_size(0), "0");
        assert_eq!(format_size(1536), "1536");
        assert_eq!(format_size(4 << 20), "4Mi");
    }

    #[test]
    fn processors() {
        for (text, millis) in [("2", 2000), ("0.5", 500), ("250m", 250), ("1.25", 1250), ("0.005", 5), ("0", 0)] {
            assert_eq!(parse_cpu(text), Ok(millis), "{text}");
        }
        for text in ["", "m", ".5", "1.", "1.0005", "1.5m", "-1", "1e3", "1,5", "+1"] {
            assert_eq!(parse_cpu(text), Err(QuantityError::Cpu), "{text:?}");
        }
        assert_eq!(parse_cpu("18446744073709551615"), Err(QuantityError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(n in any::<u64>(), shift in 0u32..64) {
            let n = n >> shift;
            prop_assert_eq!(parse_duration(&format_duration(Duration::from_millis(n))), Ok(Duration::from_millis(n)));
            prop_assert_eq!(parse_size(&format_size(n)), Ok(n));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9hmsKMGiBEµ.+ -]{0,24}") {
            if let Ok(d) = parse_duration(&text) {
                prop_assert_eq!(parse_duration(&format_duration(d)), Ok(d));
            }
            if let Ok(bytes) = parse_size(&text) {
                prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
            }
            let _ = parse_cpu(&text);
        }
    }
}
