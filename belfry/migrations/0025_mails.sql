-- Mails that a server took, for some days, so that one that comes back can be laid to
-- what it told, and to whom. The name is what its Message-ID begins with; labels are a
-- JSON object, what it told are fingerprints of eight bytes each, `accepted` is a JSON
-- list of addresses, and `returned` an object of what became of it for some of them.
CREATE TABLE alerter_mails (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    key TEXT NOT NULL,
    receiver TEXT NOT NULL,
    integration INTEGER NOT NULL,
    incident TEXT NOT NULL,
    sent INTEGER NOT NULL,
    labels TEXT NOT NULL,
    told BLOB NOT NULL,
    accepted TEXT NOT NULL,
    returned TEXT NOT NULL
) STRICT;

CREATE INDEX alerter_mails_name ON alerter_mails (name);

-- Since when it is known that the last message came back from all whom it was for.
ALTER TABLE alerter_log ADD COLUMN bounced_ms INTEGER;
