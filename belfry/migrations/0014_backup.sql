-- When each task of a backup job is due, and was last due.
CREATE TABLE backup_slots (
    job TEXT NOT NULL,
    task TEXT NOT NULL,
    next_ms INTEGER,
    last_ms INTEGER,
    PRIMARY KEY (job, task)
) STRICT, WITHOUT ROWID;

-- Every run that was due. `status` is running, ok, warn, failed, interrupted,
-- skipped (another run of the job went on) or missed (nobody was there).
CREATE TABLE backup_runs (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    task TEXT NOT NULL,
    scheduled_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    status TEXT NOT NULL,
    backup TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    error TEXT NOT NULL
) STRICT;

CREATE INDEX backup_runs_of ON backup_runs (job, task, started_ms);
