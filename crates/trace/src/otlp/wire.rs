//! Fields of a protobuf message, as they stand in its bytes.

use super::OtlpError;
use std::mem::size_of;

/// A field's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// A message's bytes, the memory that its entries may still take, and how deep it is.
#[derive(Debug)]
pub struct Message<'a, 'b> {
    name: &'static str,
    rest: &'a [u8],
    budget: &'b mut usize,
    number: u32,
}

impl<'a, 'b> Message<'a, 'b> {
    pub(super) fn new(name: &'static str, bytes: &'a [u8], budget: &'b mut usize) -> Self {
        Self { name, rest: bytes, budget, number: 0 }
    }

    /// The next field and its number; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, OtlpError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number =
            u32::try_from(tag >> 3).ok().filter(|number| *number > 0).ok_or(OtlpError::NotProtobuf)?;
        self.number = number;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| OtlpError::Cut)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(OtlpError::Cut)?;
                self.rest = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let _skipped: [u8; 4] = self.array()?;
                Field::Fixed32
            }
            // Groups, which proto3 has none of, and types that do not exist.
            _ => return Err(OtlpError::NotProtobuf),
        };
        Ok(Some((number, field)))
    }

    /// The message in the field just read.
    pub(super) fn sub(&mut self, name: &'static str, field: Field<'a>) -> Result<Message<'a, '_>, OtlpError> {
        let bytes = self.bytes(field)?;
        Ok(Message { name, rest: bytes, budget: self.budget, number: 0 })
    }

    /// Bytes or text of the field just read.
    pub(super) fn bytes(&self, field: Field<'a>) -> Result<&'a [u8], OtlpError> {
        match field {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type()),
        }
    }

    /// The number of the field just read.
    pub(super) fn whole(&self, field: Field<'a>) -> Result<u64, OtlpError> {
        match field {
            Field::Varint(number) => Ok(number),
            _ => Err(self.wrong_type()),
        }
    }

    /// The same of one of eight bytes.
    pub(super) fn fixed64(&self, field: Field<'a>) -> Result<u64, OtlpError> {
        match field {
            Field::Fixed64(number) => Ok(number),
            _ => Err(self.wrong_type()),
        }
    }

    /// Adds an entry, for which there must be memory.
    pub(super) fn push<T>(&mut self, list: &mut Vec<T>, entry: T) -> Result<(), OtlpError> {
        *self.budget = self.budget.checked_sub(size_of::<T>()).ok_or(OtlpError::TooMany)?;
        list.push(entry);
        Ok(())
    }

    fn wrong_type(&self) -> OtlpError {
        OtlpError::WrongType { message: self.name, field: self.number }
    }

    fn varint(&mut self) -> Result<u64, OtlpError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(OtlpError::Cut)?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(OtlpError::NotProtobuf)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OtlpError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(OtlpError::Cut)?;
        self.rest = rest;
        Ok(*array)
    }
}
