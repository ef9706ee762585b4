//! A cursor over the bytes of a frame.

use super::Malformed;

/// Takes big-endian fields off the front of a slice. Every claimed length is held against what is
/// there before anything is taken.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn bytes(&mut self, wanted: usize) -> Result<&'a [u8], Malformed> {
        let left = self.0.len();
        let (taken, rest) = self
            .0
            .split_at_checked(wanted)
            .ok_or(Malformed::Overrun { wanted, left })?;
        self.0 = rest;
        Ok(taken)
    }

    /// A `u32` length and as many bytes.
    pub fn counted_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.bytes(length as usize)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// Says that the fields end here.
    pub fn end(&self) -> Result<(), Malformed> {
        match self.0.len() {
            0 => Ok(()),
            excess => Err(Malformed::Excess(excess)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let left = self.0.len();
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Malformed::Overrun { wanted: N, left })?;
        self.0 = rest;
        Ok(*taken)
    }
}
