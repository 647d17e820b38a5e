-- What collectors counted, so that a restart does not lose it.
CREATE TABLE exporter_counts (
    part TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
