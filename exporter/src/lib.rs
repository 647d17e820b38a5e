//! Collectors for the host, its containers and what runs in them.
