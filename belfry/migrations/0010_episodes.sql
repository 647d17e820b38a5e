-- What became of each alert: one row from its beginning to its end. An episode
-- that goes on has no end. Labels are a JSON object, the acknowledgement an
-- object or null, the steps a list of objects. Trimmed by age and by number.
CREATE TABLE alerter_episodes (
    id INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    labels TEXT NOT NULL,
    summary TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    pages INTEGER NOT NULL,
    told_ms INTEGER,
    ack TEXT NOT NULL,
    steps TEXT NOT NULL
) STRICT;

CREATE INDEX alerter_episodes_alert ON alerter_episodes (fingerprint, id);
CREATE INDEX alerter_episodes_end ON alerter_episodes (ended_ms);
