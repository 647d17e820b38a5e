//! The built-in page and the bodies of the mails.
