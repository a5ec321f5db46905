//! Exact numbers as text.

use num_bigint::{BigInt, Sign};
use thiserror::Error;

/// The largest size of a number without its point: about a thousand digits. The time to write a number as digits grows
/// with the square of its size.
pub(crate) const MAX_BYTES: usize = 512;

/// The largest number of digits after the point, and of trailing zeros.
pub(crate) const MAX_SCALE: u32 = 1000;

/// The largest text that is read, in characters.
const MAX_TEXT: usize = 2 * MAX_SCALE as usize;

/// Why a value is not a usable exact number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadDecimal {
    #[error("a decimal of {0} bytes, at most {MAX_BYTES} are read")]
    TooLong(usize),
    #[error("a decimal of {0} characters, at most {MAX_TEXT} are read")]
    TooManyDigits(usize),
    #[error("a decimal of scale {0}, at most {MAX_SCALE} is read")]
    Scale(i64),
    #[error("a decimal that takes more bytes than the {0} of the type")]
    NoRoom(usize),
    #[error("text that is not a decimal number")]
    NoNumber,
    #[error("a number with more than {0} digits after the point")]
    TooFine(u32),
}

/// How many digits of a number say more than its size.
pub(crate) fn digits(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// The number with these bytes as digits without the point: the highest first, in two's complement.
pub(crate) fn text(unscaled: &[u8], scale: i64) -> Result<String, BadDecimal> {
    let bytes = significant(unscaled);
    if bytes.len() > MAX_BYTES {
        return Err(BadDecimal::TooLong(bytes.len()));
    }
    if scale.unsigned_abs() > u64::from(MAX_SCALE) {
        return Err(BadDecimal::Scale(scale));
    }
    let number = BigInt::from_signed_bytes_be(bytes);
    let (sign, mut digits) = (number.sign(), number.magnitude().to_string());
    // Bounded above.
    let places = scale.unsigned_abs() as usize;
    if scale > 0 {
        if digits.len() <= places {
            digits.insert_str(0, &"0".repeat(places + 1 - digits.len()));
        }
        digits.insert(digits.len() - places, '.');
    } else if sign != Sign::NoSign {
        digits.push_str(&"0".repeat(places));
    }
    if sign == Sign::Minus {
        digits.insert(0, '-');
    }
    Ok(digits)
}

/// The number in the one form that its scale defines, so that equal numbers are equal texts.
pub(crate) fn normal(number: &str, scale: Option<u32>) -> Result<String, BadDecimal> {
    let (unscaled, scale) = match scale {
        Some(scale) => (unscaled(number, scale)?, scale),
        None => parsed(number)?,
    };
    text(&unscaled.to_signed_bytes_be(), i64::from(scale))
}

/// The digits of a number without their point.
pub(crate) fn unscaled(number: &str, scale: u32) -> Result<BigInt, BadDecimal> {
    let (digits, found) = parsed(number)?;
    if found <= scale {
        return bounded(digits * power(scale - found));
    }
    let (rest, divisor) = (digits, power(found - scale));
    if &rest % &divisor != BigInt::ZERO {
        return Err(BadDecimal::TooFine(scale));
    }
    Ok(rest / divisor)
}

/// The digits and the scale of a text.
pub(crate) fn parsed(number: &str) -> Result<(BigInt, u32), BadDecimal> {
    let text = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || (text.contains('.') && !digits(fraction)) {
        return Err(BadDecimal::NoNumber);
    }
    if number.len() > MAX_TEXT {
        return Err(BadDecimal::TooManyDigits(number.len()));
    }
    let all = format!("{}{whole}{fraction}", if number.starts_with('-') { "-" } else { "" });
    let unscaled = all.parse().map_err(|_| BadDecimal::NoNumber)?;
    // Bounded by the length of the text.
    Ok((bounded(unscaled)?, fraction.len() as u32))
}

/// The bytes of a number: the fewest that hold it, or as many as the type has.
pub(crate) fn bytes(unscaled: &BigInt, size: Option<usize>) -> Result<Vec<u8>, BadDecimal> {
    let bytes = unscaled.to_signed_bytes_be();
    let Some(size) = size else { return Ok(bytes) };
    let missing = size.checked_sub(bytes.len()).ok_or(BadDecimal::NoRoom(size))?;
    let fill = if unscaled.sign() == Sign::Minus { 0xff } else { 0 };
    Ok([vec![fill; missing], bytes].concat())
}

fn power(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

fn bounded(number: BigInt) -> Result<BigInt, BadDecimal> {
    let bytes = usize::try_from(number.bits() / 8).unwrap_or(usize::MAX).saturating_add(1);
    if bytes > MAX_BYTES { Err(BadDecimal::TooLong(bytes)) } else { Ok(number) }
}

/// The bytes without those that only repeat the sign, of which a fixed may have many.
fn significant(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [sign @ (0 | 0xff), next, ..] = rest {
        if (sign ^ next) & 0x80 != 0 {
            break;
        }
        rest = &rest[1..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_get_their_point() {
        for (unscaled, scale, expected) in [
            (&[0x04, 0xd2][..], 2, "12.34"),
            (&[], 2, "0.00"),
            (&[0], 0, "0"),
            (&[0xff], 2, "-0.01"),
            (&[0x80], 0, "-128"),
            (&[0, 0x80], 0, "128"),
            (&[0xff, 0xff, 0xff, 0x80], 1, "-12.8"),
            (&[5], -3, "5000"),
            (&[0], -3, "0"),
        ] {
            assert_eq!(text(unscaled, scale).as_deref(), Ok(expected), "{unscaled:02x?} {scale}");
        }
        assert_eq!(text(&[1; MAX_BYTES + 1], 0), Err(BadDecimal::TooLong(MAX_BYTES + 1)));
        assert!(text(&vec![0; 1 << 20], 0).is_ok(), "zeros in front are no digits");
        assert_eq!(text(&[1], 1001), Err(BadDecimal::Scale(1001)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(normal("12.3", Some(2)).as_deref(), Ok("12.30"));
        assert_eq!(normal("-0012.300", Some(1)).as_deref(), Ok("-12.3"));
        assert_eq!(normal("12.34", None).as_deref(), Ok("12.34"));
        assert_eq!(normal("12.345", Some(2)), Err(BadDecimal::TooFine(2)));
        for none in ["", "-", ".", "1.", ".5", "1e3", "1,5", " 1", "NaN", "--1", &"x".repeat(MAX_TEXT + 1)] {
            assert_eq!(normal(none, Some(2)), Err(BadDecimal::NoNumber), "{none}");
        }
        let long = MAX_TEXT + 1;
        assert_eq!(normal(&"1".repeat(long), Some(2)), Err(BadDecimal::TooManyDigits(long)));
        assert_eq!(bytes(&BigInt::from(128), Some(1)), Err(BadDecimal::NoRoom(1)));
        assert_eq!(bytes(&BigInt::from(-2), Some(3)), Ok(vec![0xff, 0xff, 0xfe]));
    }

    proptest! {
        #[test]
        fn numbers_survive(number: i128, scale in 0..40_u32) {
            let text = text(&BigInt::from(number).to_signed_bytes_be(), scale.into()).unwrap();
            prop_assert_eq!(unscaled(&text, scale), Ok(BigInt::from(number)));
        }
    }
}
