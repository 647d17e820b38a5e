-- Alerts as they came, a row for all that came together, as lines of JSON. What
-- follows from them is brought to the other tables from time to time, and the
-- rows go then.
CREATE TABLE alerter_intake (
    id INTEGER PRIMARY KEY,
    alerts TEXT NOT NULL
);
