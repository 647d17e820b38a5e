-- Silences, those that have expired among them, until `forget_ms`. Matchers are
-- a JSON list, annotations a JSON object.
CREATE TABLE alerter_silences (
    id TEXT PRIMARY KEY,
    matchers TEXT NOT NULL,
    starts_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    annotations TEXT NOT NULL,
    forget_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
