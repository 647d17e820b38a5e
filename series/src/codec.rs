//! How samples are written small.
//!
//! A series has one [`Open`] chunk that takes samples one by one (times as
//! changes of their distance, values as the bits that changed), and [`Chunk`]s
//! that are full and were written again in the smallest of several forms. Every
//! bit of every value is kept, those of NaNs too. Nothing here knows a clock,
//! a lock or a file; times are milliseconds and may be any number.

mod bits;
mod chunk;
mod decimal;
mod open;
mod rice;
#[cfg(test)]
mod tests;
mod values;
mod varint;
mod xor;

pub(crate) use chunk::Chunk;
pub(crate) use decimal::{back, whole};
pub(crate) use open::{FULL, Open};
pub(crate) use varint::{Reader, push_signed, push_varint};

/// A time and a value.
pub(crate) type Point = (i64, f64);
