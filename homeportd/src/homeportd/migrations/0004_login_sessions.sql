ALTER TABLE sessions RENAME TO login_sessions;

-- An older release that goes back to its copy of the database reads here which login sessions have not ended since.
-- The migration that makes a table of this name drops the view.
CREATE VIEW sessions AS SELECT id, hash FROM login_sessions;
