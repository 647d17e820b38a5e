-- When each kind of notice (digest, canary, what silences held back) was last
-- done, so that a restart neither repeats nor forgets one.
CREATE TABLE notices (
    kind TEXT PRIMARY KEY,
    done_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
