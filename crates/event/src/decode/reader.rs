//! Reads the primitive types from untrusted bytes.

use thiserror::Error;

use super::MAX_DEPTH;
use crate::scalar::decimal::BadDecimal;

/// Why bytes are not a value.
///
/// It contains lengths and positions, never text or numbers of the event, so that it may be logged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadBytes {
    #[error("the body ends here")]
    Ended,
    #[error("a number of more than 64 bits")]
    TooManyBits,
    #[error("a number of more than 32 bits")]
    NoInt,
    #[error("the byte {0:02x} is neither true nor false")]
    NoBoolean(u8),
    #[error("text that is not UTF-8")]
    NoText,
    #[error("a length of {length} where {left} bytes are left")]
    Length { length: i64, left: usize },
    #[error("a block of {count} items where {left} bytes are left")]
    Count { count: i64, left: usize },
    #[error("a block whose items have another size than it says")]
    BlockSize,
    #[error("branch {branch} of a union with {branches} branches")]
    NoBranch { branch: i64, branches: usize },
    #[error("symbol {position} of an enum with {symbols} symbols")]
    NoSymbol { position: i64, symbols: usize },
    #[error("a map has a duplicate key")]
    TwoOfAKey,
    #[error("the record holds too many values")]
    TooManyValues,
    #[error("lists, maps and records lie more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("{0}")]
    Refused(Box<str>),
    #[error("symbol {0} of the enum, which is unknown here and has no default")]
    UnknownSymbol(usize),
    #[error(transparent)]
    Decimal(#[from] BadDecimal),
    #[error("{0} bytes where a uuid has 16")]
    NoUuid(usize),
    #[error("a duration that does not have 12 bytes")]
    NoDuration,
    #[error("a time that the unit of the reader cannot count")]
    NoTime,
    #[error("text that is not JSON, at line {line} and column {column}")]
    NoJson { line: usize, column: usize },
}

/// The largest size of a number: ten times seven bits hold 64.
const LONGEST: usize = 10;

/// The remaining bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of remaining bytes.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn boolean(&mut self) -> Result<bool, BadBytes> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(BadBytes::NoBoolean(other)),
        }
    }

    pub(super) fn int(&mut self) -> Result<i32, BadBytes> {
        i32::try_from(self.long()?).map_err(|_| BadBytes::NoInt)
    }

    /// A zigzag varint: the sign in the lowest bit, then seven bits to a byte, the lowest first.
    pub(super) fn long(&mut self) -> Result<i64, BadBytes> {
        let mut bits = 0_u64;
        for (index, byte) in self.rest.iter().take(LONGEST).enumerate() {
            bits |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                // Only one bit of the tenth byte belongs to the 64.
                if index == LONGEST - 1 && *byte > 1 {
                    return Err(BadBytes::TooManyBits);
                }
                self.rest = &self.rest[index + 1..];
                return Ok((bits >> 1) as i64 ^ -((bits & 1) as i64));
            }
        }
        Err(if self.rest.len() < LONGEST { BadBytes::Ended } else { BadBytes::TooManyBits })
    }

    pub(super) fn float(&mut self) -> Result<f32, BadBytes> {
        self.array().map(f32::from_le_bytes)
    }

    pub(super) fn double(&mut self) -> Result<f64, BadBytes> {
        self.array().map(f64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, BadBytes> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadBytes::NoText)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], BadBytes> {
        let length = self.length()?;
        self.fixed(length)
    }

    pub(super) fn fixed(&mut self, size: usize) -> Result<&'a [u8], BadBytes> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(BadBytes::Ended)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBytes> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(BadBytes::Ended)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number of bytes, all of which exist.
    fn length(&mut self) -> Result<usize, BadBytes> {
        let length = self.long()?;
        let left = self.left();
        usize::try_from(length).ok().filter(|length| *length <= left).ok_or(BadBytes::Length { length, left })
    }

    /// The position of a symbol in an enum with this many.
    pub(super) fn symbol(&mut self, symbols: usize) -> Result<usize, BadBytes> {
        let position = self.long()?;
        let known = usize::try_from(position).ok().filter(|index| *index < symbols);
        known.ok_or(BadBytes::NoSymbol { position, symbols })
    }

    /// Whether a union of two types contains the second.
    pub(super) fn is_second(&mut self) -> Result<bool, BadBytes> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            branch => Err(BadBytes::NoBranch { branch, branches: 2 }),
        }
    }

    /// Which of this many types a union contains.
    pub(super) fn branch(&mut self, branches: usize) -> Result<usize, BadBytes> {
        let branch = self.long()?;
        let known = usize::try_from(branch).ok().filter(|index| *index < branches);
        known.ok_or(BadBytes::NoBranch { branch, branches })
    }

    /// The head of the next block of a list or a map; none at its end.
    ///
    /// A block with more items than remaining bytes is refused before anything is allocated. Items of zero bytes are
    /// bounded only by the number of values.
    pub(super) fn block(&mut self, least: usize) -> Result<Option<Block>, BadBytes> {
        let count = self.long()?;
        if count == 0 {
            return Ok(None);
        }
        // After a negative count comes the size in bytes, for readers that skip the block.
        let left_after = if count < 0 { Some(self.length().map(|size| self.left() - size)?) } else { None };
        let left = self.left();
        match usize::try_from(count.unsigned_abs()) {
            Ok(items) if least == 0 || items <= left / least => Ok(Some(Block { items, left_after })),
            _ => Err(BadBytes::Count { count, left }),
        }
    }
}

/// The head of a block of items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) items: usize,
    /// The number of bytes that must remain after its items, if the block gives its size.
    pub(super) left_after: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::{BadBytes, Reader};

    #[test]
    fn numbers_are_zigzag_varints() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x7f], -64),
            (&[0x80, 0x01], 64),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MAX),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
            // Longer than necessary, which Avro allows.
            (&[0x82, 0x80, 0x00], 1),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!((reader.long(), reader.left()), (Ok(number), 0), "{bytes:02x?}");
        }
    }

    #[test]
    fn numbers_have_at_most_64_bits_and_an_end() {
        let long = |bytes: &[u8]| Reader::new(bytes).long();
        let with_tenth = |byte: u8| [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, byte];
        assert_eq!(long(&with_tenth(0x02)), Err(BadBytes::TooManyBits));
        assert_eq!(long(&with_tenth(0x81)), Err(BadBytes::TooManyBits));
        assert_eq!(long(&[0x80; 11]), Err(BadBytes::TooManyBits));
        assert_eq!(long(&[0x80; 9]), Err(BadBytes::Ended));
        assert_eq!(long(&[]), Err(BadBytes::Ended));
    }

    #[test]
    fn an_int_has_32_bits() {
        let int = |bytes: &[u8]| Reader::new(bytes).int();
        assert_eq!(int(&[0xfe, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MAX));
        assert_eq!(int(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MIN));
        assert_eq!(int(&[0x80, 0x80, 0x80, 0x80, 0x10]), Err(BadBytes::NoInt));
        assert_eq!(int(&[0x81, 0x80, 0x80, 0x80, 0x10]), Err(BadBytes::NoInt));
    }

    #[test]
    fn a_length_is_never_more_than_there_is() {
        assert_eq!(Reader::new(&[4, b'a', b'b', b'c']).bytes(), Ok(&b"ab"[..]));
        assert_eq!(Reader::new(&[6, b'a', b'b']).bytes(), Err(BadBytes::Length { length: 3, left: 2 }));
        assert_eq!(Reader::new(&[1, b'a']).bytes(), Err(BadBytes::Length { length: -1, left: 1 }));
        assert_eq!(Reader::new(b"a").fixed(2), Err(BadBytes::Ended));
        assert_eq!(Reader::new(&[0; 7]).double(), Err(BadBytes::Ended));
    }
}
