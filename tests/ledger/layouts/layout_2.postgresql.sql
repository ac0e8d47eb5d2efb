-- A ledger of the second layout, with the rows of layout_2.sqlite3.
CREATE TABLE kolors_ledger (
    name VARCHAR NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE kolors_try_ons (
    id BIGSERIAL NOT NULL,
    reference VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    model_name VARCHAR,
    state VARCHAR NOT NULL,
    task_id VARCHAR,
    status VARCHAR,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    labels JSON NOT NULL,
    notes JSON NOT NULL,
    saved JSON NOT NULL,
    code INTEGER,
    account VARCHAR NOT NULL,
    endpoint VARCHAR NOT NULL,
    label VARCHAR,
    holder VARCHAR,
    turn INTEGER,
    lease_until DOUBLE PRECISION,
    tag VARCHAR,
    posted_at DOUBLE PRECISION,
    final_at DOUBLE PRECISION,
    shelved VARCHAR,
    callback_url VARCHAR,
    fresh VARCHAR,
    look_at DOUBLE PRECISION,
    evidence JSON,
    units DOUBLE PRECISION,
    PRIMARY KEY (id),
    CONSTRAINT kolors_try_ons_state CHECK (state in ('waiting', 'sending', 'posting', 'created', 'refused', 'unconfirmed')),
    UNIQUE (reference)
);
CREATE INDEX kolors_try_ons_wish ON kolors_try_ons (owner, account, fingerprint, id);
CREATE INDEX kolors_try_ons_latest ON kolors_try_ons (owner, account, id);
CREATE INDEX kolors_try_ons_day ON kolors_try_ons (owner, account, created_at) WHERE state <> 'refused';
CREATE INDEX kolors_try_ons_open ON kolors_try_ons (owner, account, state, id) WHERE state in ('waiting', 'sending', 'posting', 'unconfirmed');
CREATE INDEX kolors_try_ons_task ON kolors_try_ons (task_id);
CREATE INDEX kolors_try_ons_unclaimed ON kolors_try_ons (id) WHERE account = '';
INSERT INTO kolors_ledger VALUES ('schema_version', 2.0);
INSERT INTO kolors_ledger VALUES ('pruned_at', 1760097966.0);
INSERT INTO kolors_ledger VALUES ('clock', 1760097965.0);
INSERT INTO kolors_try_ons (reference, owner, fingerprint, model_name, state, task_id, status, created_at, updated_at, labels, notes, saved, code, account, endpoint, final_at) VALUES
    ('k-1', 'local', 'f-1', 'kolors-virtual-try-on-v1-5', 'created', '8811', 'succeed', 1760097660.0, 1760097665.0, '["me.jpg", "shop.example"]', '["human_image: shrunk"]', '{"0": "/pictures/0.png"}', NULL, 'an-account', 'kolors-virtual-try-on', 1760097665.0),
    ('k-2', 'local', 'f-2', NULL, 'created', '8812', 'processing', 1760097725.0, 1760097725.0, '["me.jpg", "shop.example"]', '[]', '{}', NULL, 'an-account', 'kolors-virtual-try-on', NULL),
    ('k-3', 'local', 'f-3', NULL, 'refused', NULL, NULL, 1760097785.0, 1760097785.0, '["me.jpg", "shop.example"]', '[]', '{}', 1303, 'an-account', 'kolors-virtual-try-on', NULL),
    ('k-4', 'local', 'f-4', NULL, 'unconfirmed', NULL, NULL, 1760097845.0, 1760097845.0, '["me.jpg", "shop.example"]', '[]', '{}', NULL, 'an-account', 'kolors-virtual-try-on', NULL),
    ('k-5', 'ann', 'f-1', NULL, 'created', '8815', 'failed', 1760097905.0, 1760097905.0, '["me.jpg", "shop.example"]', '[]', '{}', NULL, 'an-account', 'kolors-virtual-try-on', 1760097905.0),
    ('k-6', 'local', 'f-6', NULL, 'unconfirmed', NULL, NULL, 1760097965.0, 1760097965.0, '["me.jpg", "shop.example"]', '[]', '{}', NULL, 'an-account', 'kolors-virtual-try-on', NULL);
