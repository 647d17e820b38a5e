-- What is known of other Belfrys: when each last answered, and how it was then; a JSON
-- object, so that one that died before a restart is missed after it.
CREATE TABLE healthchecks_peers (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
