-- Whom the last message is believed to have reached, by address the number of the
-- incident's message that did; a JSON object.
ALTER TABLE alerter_log ADD COLUMN reached TEXT NOT NULL DEFAULT '{}';
