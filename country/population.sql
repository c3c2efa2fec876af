-- The population register. Dates are ISO 8601 text; a person's key is the personal code.

-- What this register is and how it was made: one row.
CREATE TABLE register (
    name       TEXT NOT NULL,
    people     INTEGER NOT NULL,    -- how many the generator made
    seed       INTEGER NOT NULL,
    made_as_of TEXT NOT NULL        -- the day on which the generated lives stop
) STRICT;

CREATE TABLE address (
    id           INTEGER PRIMARY KEY,
    county       TEXT NOT NULL,
    municipality TEXT NOT NULL,
    settlement   TEXT NOT NULL,
    street       TEXT NOT NULL,
    house        TEXT NOT NULL,
    apartment    TEXT,
    postal_code  TEXT NOT NULL
) STRICT;

CREATE TABLE person (
    code            TEXT PRIMARY KEY,
    given_name      TEXT NOT NULL,
    surname         TEXT NOT NULL,
    sex             TEXT NOT NULL CHECK (sex IN ('female', 'male')),
    birth_date      TEXT NOT NULL,
    birth_place     TEXT NOT NULL,
    death_date      TEXT,
    native_language TEXT NOT NULL,   -- ISO 639-1
    mother          TEXT REFERENCES person (code),
    father          TEXT REFERENCES person (code),
    address         INTEGER REFERENCES address (id),
    resident_since  TEXT,
    registered_at   TEXT NOT NULL    -- when the register learnt of the person
) STRICT, WITHOUT ROWID;

-- Marriages and registered partnerships. Parents who never entered one are known by their children.
CREATE TABLE partnership (
    id       INTEGER PRIMARY KEY,
    person_a TEXT NOT NULL REFERENCES person (code),
    person_b TEXT NOT NULL REFERENCES person (code),
    kind     TEXT NOT NULL CHECK (kind IN ('marriage', 'registered_partnership')),
    since    TEXT NOT NULL,
    until    TEXT,
    ended_by TEXT CHECK (ended_by IN ('divorce', 'termination', 'death'))
) STRICT;

CREATE INDEX person_by_mother ON person (mother) WHERE mother IS NOT NULL;
CREATE INDEX person_by_father ON person (father) WHERE father IS NOT NULL;
CREATE INDEX partnership_by_a ON partnership (person_a);
CREATE INDEX partnership_by_b ON partnership (person_b);
