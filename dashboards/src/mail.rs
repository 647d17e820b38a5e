//! The mails: subject, text and HTML.

mod view;

pub use view::*;
