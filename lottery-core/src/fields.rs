//! A cursor over the bytes of a message.

use crate::message::Refusal;

/// Takes fields off the front of a slice. Every claimed length is held against what is there before
/// anything is taken.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `wanted` bytes.
    #[inline]
    pub fn bytes(&mut self, wanted: u64) -> Result<&'a [u8], Refusal> {
        let left = self.0.len();
        let taken = usize::try_from(wanted)
            .ok()
            .and_then(|wanted| self.0.split_at_checked(wanted));
        let (taken, rest) = taken.ok_or_else(|| overrun(wanted, left))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next field of a fixed size, for `from_be_bytes` or `from_le_bytes`.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let left = self.0.len();
        let split = self.0.split_first_chunk();
        let (taken, rest) = split.ok_or_else(|| overrun(N as u64, left))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Checks that the fields end here.
    #[inline]
    pub fn end(&self) -> Result<(), Refusal> {
        match self.0.len() {
            0 => Ok(()),
            excess => Err(too_many(excess)),
        }
    }
}

// Apart from the good case, these cost it nothing: bets are read with this.
#[cold]
fn overrun(wanted: u64, left: usize) -> Refusal {
    Refusal::malformed(format!("a field of {wanted} bytes where {left} are left"))
}

/// The field at `position`, if it has arrived.
pub(crate) fn field_at<const N: usize>(bytes: &[u8], position: usize) -> Option<[u8; N]> {
    bytes.get(position..)?.first_chunk().copied()
}

#[cold]
fn too_many(excess: usize) -> Refusal {
    Refusal::malformed(format!("{excess} bytes too many"))
}
