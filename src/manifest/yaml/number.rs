//! How plain scalars are read as numbers.

/// The integer that a plain scalar is, as `serde_yaml` reads it.
pub fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (digits, radix) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| digits.strip_prefix(prefix).map(|digits| (digits, radix)))
        .unwrap_or((digits, 10));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let amount = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -amount } else { amount })
}

/// Digits that start with a zero: a string in YAML 1.2, octal in 1.1, and a decimal number to who reads it.
pub fn is_unclear(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, amount) in [("0", 0), ("-12", -12), ("+7", 7), ("0x1F", 31), ("-0b11", -3), ("0o17", 15)] {
            assert_eq!(integer(text), Some(amount), "{text}");
        }
        for text in ["", "-", "0x", "0x-1", "--1", "1.0", "a", "1_000", "340282366920938463463374607431768211456"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn leading_zeros() {
        assert!(["00", "0123", "-07", "+00"].into_iter().all(is_unclear));
        assert!(!["0", "-0", "0x1", "0.5", "10", "", "0a"].into_iter().any(is_unclear));
    }
}
