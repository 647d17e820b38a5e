-- What was heard of heartbeats: a JSON object for each, with its last success,
-- failure and start, counts, and the start of what the last ping carried.
CREATE TABLE healthchecks_heartbeats (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
