-- Ends of silences are looked for every few seconds, in a history that has much else.
CREATE INDEX alerter_history_silence_ends ON alerter_history (at_ms)
    WHERE kind = 'silence ended';
