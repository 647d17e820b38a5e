//! The page and the mails as a reader gets them.

mod contrast;
mod golden;
mod hostile;
mod mails;
mod page;
mod states;
mod trouble;
