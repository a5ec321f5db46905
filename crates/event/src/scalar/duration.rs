//! Months, days and milliseconds as ISO 8601 text.

/// The bytes of a duration.
pub(crate) const SIZE: usize = 12;

/// The text of a duration; none if there are not twelve bytes.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; SIZE] = bytes.try_into().ok()?;
    let [months, days, millis] =
        [0, 4, 8].map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    let mut text = "P".to_owned();
    if months > 0 {
        text.push_str(&format!("{months}M"));
    }
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    if millis > 0 || text.len() == 1 {
        text.push_str(&format!("T{}", millis / 1000));
        if millis % 1000 > 0 {
            text.push_str(format!(".{:03}", millis % 1000).trim_end_matches('0'));
        }
        text.push('S');
    }
    Some(text)
}

/// The bytes of an ISO 8601 duration: years as months, weeks as days, and everything smaller as milliseconds.
pub(crate) fn bytes(text: &str) -> Option<[u8; SIZE]> {
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time).filter(|time| !time.is_empty())?),
        None => (rest, ""),
    };
    let (mut months, mut days, mut millis) = (0_u64, 0_u64, 0_u64);
    parts(date, &['Y', 'M', 'W', 'D'], |unit, number, fraction| {
        let number: u64 = number.parse().ok()?;
        let (into, factor) = match unit {
            'Y' => (&mut months, 12),
            'M' => (&mut months, 1),
            'W' => (&mut days, 7),
            _ => (&mut days, 1),
        };
        *into = into.checked_add(number.checked_mul(factor)?)?;
        fraction.is_empty().then_some(())
    })?;
    parts(time, &['H', 'M', 'S'], |unit, number, fraction| {
        let number: u64 = number.parse().ok()?;
        let factor = match unit {
            'H' => 3_600_000,
            'M' => 60_000,
            _ => 1_000,
        };
        if !fraction.is_empty() && unit != 'S' || fraction.len() > 3 {
            return None;
        }
        let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
        millis = millis.checked_add(number.checked_mul(factor)?)?.checked_add(fraction)?;
        Some(())
    })?;
    let mut bytes = [0; SIZE];
    for (part, number) in bytes.chunks_mut(4).zip([months, days, millis]) {
        part.copy_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    }
    Some(bytes)
}

/// Passes on each number with its unit; units must be in order.
fn parts(text: &str, units: &[char], mut part: impl FnMut(char, &str, &str) -> Option<()>) -> Option<()> {
    let (mut rest, mut units) = (text, units);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = rest[end..].chars().next()?;
        units = &units[units.iter().position(|known| *known == unit)? + 1..];
        let number = &rest[..end];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || (number.contains('.') && !digits(fraction)) {
            return None;
        }
        part(unit, whole, fraction)?;
        rest = &rest[end + 1..];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{bytes, text};

    #[test]
    fn durations_are_text_and_back() {
        let of = |months: u32, days: u32, millis: u32| [months, days, millis].map(u32::to_le_bytes).concat();
        for (months, days, millis, expected) in [
            (0, 0, 0, "PT0S"),
            (1, 2, 3_500, "P1M2DT3.5S"),
            (14, 0, 0, "P14M"),
            (0, 0, 1, "PT0.001S"),
            (u32::MAX, u32::MAX, u32::MAX, "P4294967295M4294967295DT4294967.295S"),
        ] {
            let raw = of(months, days, millis);
            assert_eq!(text(&raw).as_deref(), Some(expected));
            assert_eq!(bytes(expected).map(Vec::from), Some(raw));
        }
        assert_eq!(bytes("P1Y2W3DT1H2M3.25S").map(Vec::from), Some(of(12, 17, 3_723_250)));
        for none in ["", "P", "PT", "1M", "P1", "P-1D", "P1D2M", "PT1.5M", "PT1.0001S", "P1.5D", "P4294967296D", "PT1D"]
        {
            assert_eq!(bytes(none), None, "{none}");
        }
        assert_eq!(text(&[0; 11]), None);
    }
}
