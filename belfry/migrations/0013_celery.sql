-- What was counted of Celery's tasks, so that a restart does not lose it.
CREATE TABLE exporter_celery (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
