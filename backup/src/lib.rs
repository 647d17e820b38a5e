//! Watches that backups exist, are fresh, and cover every volume.
