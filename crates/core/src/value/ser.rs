//! Values by serde: written to any format, and made of any type.

use std::collections::BTreeMap;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Error, MAX_DEPTH, Value};

/// The value that `source` is: structs become maps, options null or their value, variants a text
/// or a map of one entry.
///
/// # Errors
/// [`Error::Depth`]; [`Error::Message`] if a key is no text, a number is out of range, or the type's
/// own code says so.
pub fn to_value<T: Serialize + ?Sized>(source: &T) -> Result<Value, Error> {
    source.serialize(Writer { depth: 0 })
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::UInt(value) => serializer.serialize_u64(value.get()),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => serializer.collect_seq(values),
            Value::Map(values) => serializer.collect_map(values),
        }
    }
}

/// Makes a value that lies in `depth` lists and maps.
#[derive(Clone, Copy)]
struct Writer {
    depth: usize,
}

impl Writer {
    fn below(self) -> Result<Self, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Depth);
        }
        Ok(Self { depth: self.depth + 1 })
    }

    fn list(self) -> Result<List, Error> {
        Ok(List { values: Vec::new(), below: self.below()?, variant: None })
    }

    fn map(self) -> Result<Map, Error> {
        Ok(Map { values: BTreeMap::new(), key: None, below: self.below()?, variant: None })
    }
}

macro_rules! whole {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method(self, number: $type) -> Result<Value, Error> {
            whole(number.into())
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Map;

    whole! {
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32),
        serialize_u64(u64),
    }

    fn serialize_bool(self, value: bool) -> Result<Value, Error> {
        Ok(Value::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        Ok(Value::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        Ok(Value::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, Error> {
        Ok(Value::Text(value.into()))
    }

    fn serialize_str(self, value: &str) -> Result<Value, Error> {
        Ok(Value::from(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(under(Some(variant), value.serialize(self.below()?)?))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple(self, _length: usize) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List, Error> {
        Ok(List { variant: Some(variant), ..self.below()?.list()? })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Map, Error> {
        self.map()
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Map, Error> {
        self.map()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Map, Error> {
        Ok(Map { variant: Some(variant), ..self.below()?.map()? })
    }
}

fn whole(number: i128) -> Result<Value, Error> {
    if let Ok(number) = i64::try_from(number) {
        return Ok(Value::Int(number));
    }
    u64::try_from(number).map(Value::from).map_err(|_| {
        Error::Message(format!("expected a whole number from -2^63 to 2^64 - 1, got {number}"))
    })
}

/// The value, or the map of one entry that stands for a variant with it.
fn under(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => [(variant, value)].into_iter().collect(),
        None => value,
    }
}

struct List {
    values: Vec<Value>,
    below: Writer,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.values.push(value.serialize(self.below)?);
        Ok(())
    }

    fn finish(self) -> Value {
        under(self.variant, Value::List(self.values))
    }
}

macro_rules! lists {
    ($($trait:ident::$method:ident),* $(,)?) => {$(
        impl $trait for List {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(self.finish())
            }
        }
    )*};
}

lists! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field,
}

struct Map {
    values: BTreeMap<String, Value>,
    key: Option<String>,
    below: Writer,
    variant: Option<&'static str>,
}

impl Map {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.below)?;
        if let Some(_other) = self.values.insert(key.clone(), value) {
            return Err(Error::Message(format!("the key {key:?} occurs twice")));
        }
        Ok(())
    }

    fn finish(self) -> Value {
        under(self.variant, Value::Map(self.values))
    }
}

impl SerializeMap for Map {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match key.serialize(self.below)? {
            Value::Text(key) => self.key = Some(key),
            other => {
                let message = format!("expected a text for a map's key, got {}", other.kind());
                return Err(Error::Message(message));
            }
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().expect("serde's contract: a key comes before its value");
        self.insert(key, value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.finish())
    }
}

macro_rules! structs {
    ($($trait:ident),* $(,)?) => {$(
        impl $trait for Map {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.insert(key.to_owned(), value)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(self.finish())
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant }
