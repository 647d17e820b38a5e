-- Targets of probes that stand in somebody else's configuration, by their sources, so that
-- a restart while a source does not answer loses none of them; a JSON object.
CREATE TABLE healthchecks_discovered (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
