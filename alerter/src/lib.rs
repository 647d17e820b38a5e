//! Routes alerts, groups them, repeats and resolves pages, and sends mail.
