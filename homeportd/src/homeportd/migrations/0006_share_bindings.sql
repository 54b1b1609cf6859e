-- What a share was made for: JSON with uid, user, repo, worktree. NULL: nothing has listened there since it was made.
ALTER TABLE shares ADD COLUMN binding TEXT;
-- Made by a release that bound no share: what listens at the first look after it is what it was made for.
ALTER TABLE shares ADD COLUMN inherited INTEGER NOT NULL DEFAULT 0 CHECK (inherited IN (0, 1));
UPDATE shares SET inherited = 1;
