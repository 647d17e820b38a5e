-- When an alert was told to have ended lately, believed or not, also in earlier episodes:
-- what says that it comes and goes. A list of milliseconds since 1970.
ALTER TABLE alerter_episodes ADD COLUMN ends TEXT NOT NULL DEFAULT '[]';
