-- Alerts that fire, and those that ended a short while ago. Fingerprints are
-- 64-bit numbers kept as signed ones; labels and annotations are JSON objects.
CREATE TABLE alerter_alerts (
    fingerprint INTEGER PRIMARY KEY,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    generator_url TEXT NOT NULL,
    starts_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    timeout INTEGER NOT NULL,
    ended INTEGER NOT NULL
) STRICT;

-- Groups with their timers. Members are fingerprints, eight bytes each.
CREATE TABLE alerter_groups (
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    next_ms INTEGER NOT NULL,
    members BLOB NOT NULL,
    PRIMARY KEY (route, key)
) STRICT, WITHOUT ROWID;

-- Messages that are due and were not accepted yet.
CREATE TABLE alerter_outgoing (
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    integration INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    class TEXT,
    only_missed INTEGER NOT NULL,
    PRIMARY KEY (route, key, integration)
) STRICT, WITHOUT ROWID;

-- What was last said about a group to a receiver, so that it is not said again.
CREATE TABLE alerter_log (
    key TEXT NOT NULL,
    receiver TEXT NOT NULL,
    integration INTEGER NOT NULL,
    firing BLOB NOT NULL,
    resolved BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    incident TEXT NOT NULL,
    sent INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    missed TEXT NOT NULL,
    PRIMARY KEY (key, receiver, integration)
) STRICT, WITHOUT ROWID;

-- What happened: alerts that began and ended, messages that were accepted or
-- failed. Trimmed by age.
CREATE TABLE alerter_history (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    labels TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX alerter_history_at ON alerter_history (at_ms);
