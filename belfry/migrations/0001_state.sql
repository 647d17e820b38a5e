-- What the rules knew when they were last evaluated: pending and firing alerts
-- with their clocks. One row, replaced whole.
CREATE TABLE rule_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    saved_ms INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- Proof that the database can be written, renewed now and then.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    written_ms INTEGER NOT NULL
) STRICT;
