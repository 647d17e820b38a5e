//! Templates as callers see them: tables of text and result, each of which was
//! compared with what Go itself makes of it.

mod cases;
mod hostile;
mod mistakes;
mod notice;
mod rules;
