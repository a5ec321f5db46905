//! A struct as serde sees it: its fields and their types, in order.

use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeStruct, Serializer};

/// The type of a value as serde sees it.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    Boolean,
    Int,
    Long,
    String,
    Timestamp,
    Symbol,
    Null,
    Some(Box<Shape>),
    List(Box<Shape>),
    Record(Vec<(&'static str, Shape)>),
}

/// The shape of a value.
pub(super) fn shape<T: Serialize + ?Sized>(value: &T) -> Shape {
    value.serialize(Shaper).unwrap()
}

/// A type that no event of the vocabulary has so far.
#[derive(Debug)]
pub(super) struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

impl serde::ser::Error for Unknown {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Result<T> = std::result::Result<T, Unknown>;

struct Shaper;

macro_rules! shapes {
    ($($method:ident($type:ty) => $shape:expr),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<Shape> { $shape })*
    };
}

fn unknown<T>(what: &str) -> Result<T> {
    Err(Unknown(format!("the vocabulary has no {what} yet: teach this test")))
}

impl Serializer for Shaper {
    type Ok = Shape;
    type Error = Unknown;
    type SerializeSeq = List;
    type SerializeTuple = Impossible<Shape, Unknown>;
    type SerializeTupleStruct = Impossible<Shape, Unknown>;
    type SerializeTupleVariant = Impossible<Shape, Unknown>;
    type SerializeMap = Impossible<Shape, Unknown>;
    type SerializeStruct = Record;
    type SerializeStructVariant = Impossible<Shape, Unknown>;

    shapes! {
        serialize_bool(bool) => Ok(Shape::Boolean),
        serialize_i32(i32) => Ok(Shape::Int),
        serialize_i64(i64) => Ok(Shape::Long),
        serialize_str(&str) => Ok(Shape::String),
        serialize_i8(i8) => unknown("i8"),
        serialize_i16(i16) => unknown("i16"),
        serialize_u8(u8) => unknown("u8"),
        serialize_u16(u16) => unknown("u16"),
        serialize_u32(u32) => unknown("u32"),
        serialize_u64(u64) => unknown("u64"),
        serialize_f32(f32) => unknown("f32"),
        serialize_f64(f64) => unknown("f64"),
        serialize_char(char) => unknown("char"),
        serialize_bytes(&[u8]) => unknown("bytes"),
        serialize_unit_struct(&'static str) => unknown("unit struct"),
    }

    fn serialize_none(self) -> Result<Shape> {
        Ok(Shape::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Shape> {
        Ok(Shape::Some(Box::new(value.serialize(Self)?)))
    }

    fn serialize_unit(self) -> Result<Shape> {
        unknown("unit")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Shape> {
        Ok(Shape::Symbol)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Shape> {
        match (name, value.serialize(Self)?) {
            ("Timestamp", Shape::Long) => Ok(Shape::Timestamp),
            (other, _) => unknown(other),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Shape> {
        unknown("newtype variant")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List> {
        Ok(List(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple> {
        unknown("tuple")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct> {
        unknown("tuple struct")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        unknown("tuple variant")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        unknown("map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Record> {
        Ok(Record(Vec::new()))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        unknown("struct variant")
    }
}

pub(super) struct List(Option<Shape>);

impl SerializeSeq for List {
    type Ok = Shape;
    type Error = Unknown;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.0 = Some(shape(value));
        Ok(())
    }

    fn end(self) -> Result<Shape> {
        self.0.map_or_else(|| unknown("empty list"), |items| Ok(Shape::List(Box::new(items))))
    }
}

pub(super) struct Record(Vec<(&'static str, Shape)>);

impl SerializeStruct for Record {
    type Ok = Shape;
    type Error = Unknown;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.0.push((name, shape(value)));
        Ok(())
    }

    fn end(self) -> Result<Shape> {
        Ok(Shape::Record(self.0))
    }
}
