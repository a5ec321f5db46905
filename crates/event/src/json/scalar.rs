//! Reads values that contain no others, in each of their notations.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::read::Convention;
use crate::scalar::{decimal, duration, moment};
use crate::{Input, Kind, Unit, Value};

/// What is wrong with a value, if its type does not show it.
type Found = Option<String>;

const OTHER_FORM: &str = "a string of another form";
const OUT_OF_RANGE: &str = "a number out of range";
const ROUNDED: &str = "a number with more than 15 digits, of which JSON keeps no more: write it as text";
/// As many digits as every decimal number keeps in binary floating point.
const DIGITS: usize = 15;
const FRACTION: &str = "a number with a fraction or an exponent";

/// Reads a value of one kind in one convention.
#[derive(Clone, Copy)]
pub(super) struct Form<'k> {
    pub(super) kind: &'k Kind,
    pub(super) convention: Convention,
}

fn found<T>(what: impl Into<String>) -> Result<T, Found> {
    Err(Some(what.into()))
}

impl Kind {
    /// The value of this kind in a producer's notation; none for other values and containers.
    #[must_use]
    pub fn value_of(&self, input: &Input<'_>) -> Option<Value> {
        Form { kind: self, convention: Convention::Published }.read(input).ok()
    }
}

impl Form<'_> {
    pub(super) fn read(self, input: &Input<'_>) -> Result<Value, Found> {
        match (self.kind, input) {
            (Kind::Boolean, Input::Bool(value)) => Ok(Value::Bool(*value)),
            (Kind::Int, input) => self.whole(input, i32::MIN.into(), i32::MAX.into()),
            (Kind::Long, input) => self.whole(input, i64::MIN, i64::MAX),
            (Kind::Float | Kind::Double, input) => self.float(input),
            (Kind::Decimal { scale }, input) => self.decimal(input, *scale),
            (Kind::String, Input::Text(text)) => Ok(Value::String((&**text).into())),
            // A client has one type for both, and a text cannot be anything else there.
            (Kind::String, Input::Bytes(_) | Input::Moment { .. }) if self.is_call() => match input.as_text() {
                Some(text) => Ok(Value::String((&*text).into())),
                None => Err(None),
            },
            (Kind::Bytes, input) => self.bytes(input).map(Value::Bytes),
            (Kind::Fixed(size), input) => self.fixed(input, *size),
            (Kind::Uuid, input) => self.uuid(input),
            (Kind::Duration, input) => self.duration(input),
            (Kind::Timestamp(unit), input) => self.timestamp(input, *unit),
            (Kind::LocalTimestamp(unit), input) => self.local(input, *unit),
            (Kind::Date, input) => self.date(input),
            (Kind::TimeOfDay(unit), input) => self.time_of_day(input, *unit),
            _ => Err(None),
        }
    }

    fn is_call(self) -> bool {
        self.convention == Convention::Called
    }

    fn whole(self, input: &Input<'_>, least: i64, most: i64) -> Result<Value, Found> {
        let number = match input {
            Input::Int(number) => *number,
            Input::UInt(_) => return found(OUT_OF_RANGE),
            // A number that clients write with a point in JSON: 7.0.
            Input::Float(number) if self.is_call() && number.fract() == 0.0 && number.abs() < 9e15 => *number as i64,
            Input::Float(number) if number.is_finite() => return found(FRACTION),
            Input::Text(text) if self.is_call() => match decimal::unscaled(text, 0) {
                Ok(number) => match i64::try_from(number) {
                    Ok(number) => number,
                    Err(_) => return found(OUT_OF_RANGE),
                },
                Err(decimal::BadDecimal::TooFine(_)) => return found(FRACTION),
                Err(_) => return Err(None),
            },
            _ => return Err(None),
        };
        if (least..=most).contains(&number) { Ok(Value::Int(number)) } else { found(OUT_OF_RANGE) }
    }

    fn float(self, input: &Input<'_>) -> Result<Value, Found> {
        let number = match input {
            Input::Int(number) => *number as f64,
            Input::UInt(number) => *number as f64,
            Input::Float(number) if number.is_finite() => *number,
            Input::Text(text) if self.is_call() && decimal::parsed(text).is_ok() => text.parse().map_err(|_| None)?,
            _ => return Err(None),
        };
        let most = if *self.kind == Kind::Float { f64::from(f32::MAX) } else { f64::MAX };
        if number.abs() <= most { Ok(Value::Float(number)) } else { found(OUT_OF_RANGE) }
    }

    fn decimal(self, input: &Input<'_>, scale: Option<u32>) -> Result<Value, Found> {
        let text = match (self.convention, input, scale) {
            (Convention::Default, Input::Text(_), Some(scale)) => {
                let raw = self.bytes(input)?;
                return match decimal::text(&raw, i64::from(scale)) {
                    Ok(text) => Ok(Value::String(text.into())),
                    Err(bad) => found(bad.to_string()),
                };
            }
            (_, Input::Text(text), _) => text.to_string(),
            (_, Input::Int(number), _) => number.to_string(),
            (_, Input::UInt(number), _) => number.to_string(),
            // The shortest digits for the number, which are the written ones if there were not too many.
            (_, Input::Float(number), _) if number.is_finite() => match number.to_string() {
                text if decimal::digits(&text) > DIGITS => return found(ROUNDED),
                text => text,
            },
            _ => return Err(None),
        };
        match decimal::normal(&text, scale) {
            Ok(text) => Ok(Value::String(text.into())),
            Err(decimal::BadDecimal::NoNumber) => found(OTHER_FORM),
            Err(bad) => found(bad.to_string()),
        }
    }

    fn bytes(self, input: &Input<'_>) -> Result<Arc<[u8]>, Found> {
        match input {
            Input::Bytes(bytes) => Ok((&**bytes).into()),
            Input::Text(text) if self.is_call() => base64(text),
            Input::Text(text) => {
                let bytes: Result<Arc<[u8]>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
                bytes.or_else(|_| found("a string with a character above U+00FF"))
            }
            Input::Object(entries) if self.convention == Convention::Published => match entries.as_slice() {
                [(name, Input::Text(text))] if name == "base64" => base64(text),
                _ => found("an object that is not {\"base64\": \"...\"}"),
            },
            _ => Err(None),
        }
    }

    fn fixed(self, input: &Input<'_>, size: usize) -> Result<Value, Found> {
        let bytes = self.bytes(input)?;
        if bytes.len() == size { Ok(Value::Bytes(bytes)) } else { found(format!("{} bytes", bytes.len())) }
    }

    fn uuid(self, input: &Input<'_>) -> Result<Value, Found> {
        let uuid = match input {
            Input::Text(_) if self.convention == Convention::Default => uuid::Uuid::from_slice(&self.bytes(input)?),
            Input::Text(text) => uuid::Uuid::parse_str(text),
            Input::Bytes(bytes) => uuid::Uuid::from_slice(bytes),
            _ => return Err(None),
        };
        match uuid {
            Ok(uuid) => Ok(Value::String(uuid.hyphenated().to_string().into())),
            Err(_) => found(OTHER_FORM),
        }
    }

    fn duration(self, input: &Input<'_>) -> Result<Value, Found> {
        let text = match input {
            Input::Text(_) if self.convention == Convention::Default => duration::text(&self.bytes(input)?),
            Input::Text(text) => duration::bytes(text).and_then(|bytes| duration::text(&bytes)),
            _ => return Err(None),
        };
        text.map_or_else(|| found(OTHER_FORM), |text| Ok(Value::String(text.into())))
    }

    fn timestamp(self, input: &Input<'_>, unit: Unit) -> Result<Value, Found> {
        match input {
            Input::Text(text) => {
                // A .NET DateTime without a kind has no offset; MessagePack treats it as UTC.
                let local = || if self.is_call() { moment::local(text) } else { None };
                counted(moment::instant(text).or_else(local), unit)
            }
            Input::Moment { .. } => counted(nanoseconds(input), unit),
            Input::List(_) if self.is_call() => match offset(input) {
                Some((shown, ahead)) => counted(Some(shown - ahead), unit),
                None => Err(None),
            },
            input => self.count(input),
        }
    }

    fn local(self, input: &Input<'_>, unit: Unit) -> Result<Value, Found> {
        match input {
            Input::Text(text) => {
                // The local clock's time, whatever its offset.
                let there = || if self.is_call() { shown(text) } else { None };
                counted(moment::local(text).or_else(there), unit)
            }
            Input::Moment { .. } => counted(nanoseconds(input), unit),
            Input::List(_) if self.is_call() => match offset(input) {
                Some((shown, _)) => counted(Some(shown), unit),
                None => Err(None),
            },
            input => self.count(input),
        }
    }

    fn date(self, input: &Input<'_>) -> Result<Value, Found> {
        let days = match input {
            Input::Text(text) => {
                // Clients without a type for dates send midnight.
                let midnight = || if self.is_call() { shown(text).and_then(whole_days) } else { None };
                moment::days(text).or_else(midnight)
            }
            Input::Moment { .. } => nanoseconds(input).and_then(whole_days),
            input => return self.count(input),
        };
        let days = days.filter(|days| i32::try_from(*days).is_ok());
        days.map_or_else(|| found(OTHER_FORM), |days| Ok(Value::Int(days)))
    }

    fn time_of_day(self, input: &Input<'_>, unit: Unit) -> Result<Value, Found> {
        match input {
            Input::Text(text) => counted(moment::since_midnight(text), unit),
            input => self.count(input),
        }
    }

    /// A time as Avro's number.
    fn count(self, input: &Input<'_>) -> Result<Value, Found> {
        match self.kind {
            Kind::Date | Kind::TimeOfDay(Unit::Millis) => self.whole(input, i32::MIN.into(), i32::MAX.into()),
            _ => self.whole(input, i64::MIN, i64::MAX),
        }
    }
}

fn base64(text: &str) -> Result<Arc<[u8]>, Found> {
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map(Arc::from).or_else(|_| found("a string that is not base64"))
}

fn counted(nanoseconds: Option<i128>, unit: Unit) -> Result<Value, Found> {
    let Some(nanoseconds) = nanoseconds else { return found(OTHER_FORM) };
    unit.of_nanoseconds(nanoseconds).map_or_else(|| found("a time out of range"), |count| Ok(Value::Int(count)))
}

fn nanoseconds(input: &Input<'_>) -> Option<i128> {
    match input {
        Input::Moment { seconds, nanoseconds } => Some(i128::from(*seconds) * 1_000_000_000 + i128::from(*nanoseconds)),
        _ => None,
    }
}

/// The nanoseconds of a clock's time and of its offset from UTC: MessagePack sends a .NET `DateTimeOffset` as its
/// clock's time, as if that were UTC, and its offset in minutes.
fn offset(input: &Input<'_>) -> Option<(i128, i128)> {
    let Input::List(parts) = input else { return None };
    let [shown, Input::Int(minutes)] = parts.as_slice() else { return None };
    // .NET allows none above 14 hours.
    let minutes = i16::try_from(*minutes).ok().filter(|minutes| minutes.abs() <= 14 * 60)?;
    Some((nanoseconds(shown)?, i128::from(minutes) * 60_000_000_000))
}

/// The nanoseconds of the local clock's time at a moment with an offset.
fn shown(text: &str) -> Option<i128> {
    let at = text.find('T')?;
    let rest = text.get(at..)?;
    let end = rest.find(['Z', '+', '-']).map_or(text.len(), |end| at + end);
    moment::instant(text).or_else(|| moment::local(text))?;
    moment::local(text.get(..end)?)
}

fn whole_days(nanoseconds: i128) -> Option<i64> {
    i64::try_from(nanoseconds.div_euclid(86_400_000_000_000)).ok()
}
