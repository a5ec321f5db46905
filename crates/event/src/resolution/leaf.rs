//! Types without nested types: which may be read as which.

use crate::decode::{Plan, Raw};
use crate::schema::{Layout, Logical};
use crate::{Kind, Unit};

/// A type without nested types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    /// A decimal; the reader's layout in the bytes does not matter.
    Decimal(u32, Form),
    BigDecimal,
    Uuid(Form),
    Duration,
    Timestamp(Unit),
    LocalTimestamp(Unit),
    Date,
    TimeOfDay(Unit),
    Json,
}

/// The layout of a value in the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Text,
    Bytes,
    Fixed(usize),
    Any,
}

/// The meaning is the same, whatever the layout.
impl PartialEq for Form {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Form {}

impl Leaf {
    pub(super) fn of_layout(layout: &Layout) -> Option<Self> {
        Some(match layout {
            Layout::Boolean => Self::Boolean,
            Layout::Int => Self::Int,
            Layout::Long => Self::Long,
            Layout::Float => Self::Float,
            Layout::Double => Self::Double,
            Layout::String => Self::String,
            Layout::Bytes => Self::Bytes,
            Layout::Fixed(size) => Self::Fixed(*size),
            Layout::Logical(logical, inner) => {
                let form = match **inner {
                    Layout::String => Form::Text,
                    Layout::Fixed(size) => Form::Fixed(size),
                    _ => Form::Bytes,
                };
                match *logical {
                    Logical::Decimal { scale } => Self::Decimal(scale, form),
                    Logical::BigDecimal => Self::BigDecimal,
                    // Plain text for a reader that does not interpret it.
                    Logical::Uuid if matches!(form, Form::Text) => Self::String,
                    Logical::Uuid => Self::Uuid(form),
                    Logical::Duration => Self::Duration,
                    Logical::Timestamp(unit) => Self::Timestamp(unit),
                    Logical::LocalTimestamp(unit) => Self::LocalTimestamp(unit),
                    Logical::Date => Self::Date,
                    Logical::TimeOfDay(unit) => Self::TimeOfDay(unit),
                    Logical::Json => Self::Json,
                }
            }
            _ => return None,
        })
    }

    pub(super) fn of_kind(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Boolean => Self::Boolean,
            Kind::Int => Self::Int,
            Kind::Long => Self::Long,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Fixed(size) => Self::Fixed(*size),
            Kind::Decimal { scale: Some(scale) } => Self::Decimal(*scale, Form::Any),
            Kind::Decimal { scale: None } => Self::BigDecimal,
            Kind::Uuid => Self::Uuid(Form::Any),
            Kind::Duration => Self::Duration,
            Kind::Timestamp(unit) => Self::Timestamp(*unit),
            Kind::LocalTimestamp(unit) => Self::LocalTimestamp(*unit),
            Kind::Date => Self::Date,
            Kind::TimeOfDay(unit) => Self::TimeOfDay(*unit),
            Kind::Json => Self::Json,
            _ => return None,
        })
    }

    /// The Avro type it is written as, if that tells a reader without the meaning everything.
    fn plain(self) -> Self {
        match self {
            Self::Timestamp(_) | Self::LocalTimestamp(_) | Self::TimeOfDay(Unit::Micros | Unit::Nanos) => Self::Long,
            Self::Date | Self::TimeOfDay(Unit::Millis) => Self::Int,
            Self::Decimal(_, Form::Fixed(size)) | Self::Uuid(Form::Fixed(size)) => Self::Fixed(size),
            Self::Decimal(_, Form::Bytes) | Self::BigDecimal | Self::Uuid(Form::Bytes) => Self::Bytes,
            Self::Duration => Self::Fixed(12),
            Self::Json => Self::String,
            other => other,
        }
    }

    fn raw(self) -> Option<Raw> {
        match self.plain() {
            Self::Bytes => Some(Raw::Bytes),
            Self::Fixed(size) => Some(Raw::Fixed(size)),
            _ => None,
        }
    }
}

/// How a value of one type is read as another; none if it cannot be.
///
/// Follows Avro's rules; times in different units count as the same. Values with different meanings, such as a date and
/// a time of day, are not converted, even if the bytes would fit.
pub(super) fn promote(from: Leaf, into: Leaf) -> Option<Plan> {
    use Leaf as L;
    let whole = |from: Leaf| matches!(from, L::Int | L::Long);
    Some(match (from, into) {
        (L::Boolean, L::Boolean) => Plan::Boolean,
        (L::Decimal(scale, _), L::Decimal(same, _)) if scale == same => Plan::Decimal { scale, from: from.raw()? },
        (L::Bytes | L::Fixed(_), L::Decimal(scale, _)) => Plan::Decimal { scale, from: from.raw()? },
        (L::BigDecimal | L::Bytes, L::BigDecimal) => Plan::BigDecimal,
        (L::Uuid(_) | L::Fixed(16), L::Uuid(_) | L::String) if from.raw().is_some() => Plan::Uuid(from.raw()?),
        (L::String, L::Uuid(_)) => Plan::String,
        (L::Duration | L::Fixed(12), L::Duration) => Plan::Duration(12),
        (L::Timestamp(from), L::Timestamp(into)) | (L::LocalTimestamp(from), L::LocalTimestamp(into)) => {
            if from == into { Plan::Long } else { Plan::Time { int: false, from, into } }
        }
        (L::TimeOfDay(from), L::TimeOfDay(into)) => match (from, into) {
            (Unit::Millis, Unit::Millis) => Plan::Int,
            (from, into) if from == into => Plan::Long,
            (from, into) => Plan::Time { int: from == Unit::Millis, from, into },
        },
        (L::Date, L::Date) => Plan::Int,
        // A number without a meaning gets the reader's.
        (L::Long, L::Timestamp(_) | L::LocalTimestamp(_) | L::TimeOfDay(Unit::Micros)) => Plan::Long,
        (L::Int, L::Timestamp(_) | L::LocalTimestamp(_) | L::Date | L::TimeOfDay(_)) => Plan::Int,
        (L::Json | L::String | L::Bytes, L::Json) => Plan::Json,
        (L::String | L::Bytes | L::Json, L::String) => Plan::String,
        (L::String | L::Json, L::Bytes) => Plan::Bytes,
        (_, L::Bytes) if from.plain() == L::Bytes => Plan::Bytes,
        (_, L::Fixed(size)) if from.plain() == L::Fixed(size) => Plan::Fixed(size),
        (_, L::Int) if from.plain() == L::Int => Plan::Int,
        (_, L::Long) if from.plain() == L::Int => Plan::Int,
        (_, L::Long) if from.plain() == L::Long => Plan::Long,
        (L::Float, L::Float | L::Double) => Plan::Float,
        (L::Double, L::Double) => Plan::Double,
        (_, L::Float | L::Double) if whole(from.plain()) => {
            Plan::WholeAsFloat { int: from.plain() == L::Int, single: into == L::Float }
        }
        _ => return None,
    })
}

/// A type's name in messages.
pub(super) fn name_of(layout: &Layout) -> String {
    match layout {
        Layout::Null => "null".to_owned(),
        Layout::Array(_) => "array".to_owned(),
        Layout::Map(_) => "map".to_owned(),
        Layout::Record(_) => "record".to_owned(),
        Layout::Enum { .. } => "enum".to_owned(),
        Layout::Nullable { .. } | Layout::Union(_) => "union".to_owned(),
        leaf => Leaf::of_layout(leaf).map_or_else(String::new, leaf_name),
    }
}

/// The same, of the reader's type.
pub(super) fn name(kind: &Kind) -> String {
    match kind {
        Kind::Null => "null".to_owned(),
        Kind::Array(_) => "array".to_owned(),
        Kind::Map(_) => "map".to_owned(),
        Kind::Record(_) => "record".to_owned(),
        Kind::Enum(_) => "enum".to_owned(),
        Kind::Union(_) | Kind::Nullable(_) => "union".to_owned(),
        leaf => Leaf::of_kind(leaf).map_or_else(String::new, leaf_name),
    }
}

fn leaf_name(leaf: Leaf) -> String {
    let counted = |name: &str, unit: Unit| {
        let unit = match unit {
            Unit::Millis => "millis",
            Unit::Micros => "micros",
            Unit::Nanos => "nanos",
        };
        format!("{name}-{unit}")
    };
    match leaf {
        Leaf::Boolean => "boolean".to_owned(),
        Leaf::Int => "int".to_owned(),
        Leaf::Long => "long".to_owned(),
        Leaf::Float => "float".to_owned(),
        Leaf::Double => "double".to_owned(),
        Leaf::String => "string".to_owned(),
        Leaf::Bytes => "bytes".to_owned(),
        Leaf::Fixed(size) => format!("fixed of {size} bytes"),
        Leaf::Decimal(scale, _) => format!("decimal of scale {scale}"),
        Leaf::BigDecimal => "big-decimal".to_owned(),
        Leaf::Uuid(_) => "uuid".to_owned(),
        Leaf::Duration => "duration".to_owned(),
        Leaf::Timestamp(unit) => counted("timestamp", unit),
        Leaf::LocalTimestamp(unit) => counted("local-timestamp", unit),
        Leaf::Date => "date".to_owned(),
        Leaf::TimeOfDay(unit) => counted("time", unit),
        Leaf::Json => "JSON".to_owned(),
    }
}
