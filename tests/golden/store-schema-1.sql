PRAGMA application_id = 1685220983;
BEGIN TRANSACTION;
CREATE TABLE about (name TEXT PRIMARY KEY, content TEXT NOT NULL);
INSERT INTO "about" VALUES('schema','1');
CREATE TABLE facts (name TEXT PRIMARY KEY, content BLOB NOT NULL);
INSERT INTO "facts" VALUES('v',X'31');
CREATE TABLE fills (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, exchange TEXT NOT NULL, account TEXT NOT NULL,
    ts_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, content TEXT NOT NULL
);
INSERT INTO "fills" VALUES(1,X'5B2262696E616E6365222C226D61696E222C224554482F425443222C2231222C6E756C6C2C22627579225D','binance','main',1,5,'{"row":"fill","exchange":"binance","account":"main","symbol":"ETH/BTC","id":"1","ts_ns":1,"side":"buy","price":"0.070","amount":"1.50"}');
INSERT INTO "fills" VALUES(2,X'5B2262696E616E6365222C226D61696E222C224554482F425443222C2232222C6E756C6C2C22627579225D','binance','main',2,5,'{"row":"fill","exchange":"binance","account":"main","symbol":"ETH/BTC","id":"2","ts_ns":2,"side":"buy","price":"0.070","amount":"1.50"}');
CREATE TABLE incidents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, alerted_at REAL NOT NULL, content TEXT NOT NULL
);
INSERT INTO "incidents" VALUES(1,'i',1.0,'{"id":"i","alerted_at":1,"loss":2.5}');
CREATE TABLE journal (number INTEGER PRIMARY KEY, content BLOB NOT NULL);
INSERT INTO "journal" VALUES(1,X'656E7472792030');
INSERT INTO "journal" VALUES(2,X'656E7472792031');
INSERT INTO "journal" VALUES(3,X'656E7472792032');
CREATE TABLE notices (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, content TEXT NOT NULL);
INSERT INTO "notices" VALUES(1,'n','{"type":"notice","kind":"gap","ts_ns":1,"text":"gap"}');
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, channel TEXT NOT NULL, rank INTEGER NOT NULL,
    content BLOB NOT NULL, posted_ns INTEGER NOT NULL, due_ns INTEGER NOT NULL,
    attempts INTEGER NOT NULL, state INTEGER NOT NULL, settled_ns INTEGER, reason TEXT NOT NULL,
    UNIQUE (key, channel)
);
INSERT INTO "outbox" VALUES(1,'k','chat',0,X'',1,1,0,1,3,'');
INSERT INTO "outbox" VALUES(2,'k2','chat',0,X'626F6479',2,2,0,0,NULL,'');
CREATE TABLE snapshots (number INTEGER PRIMARY KEY, content BLOB NOT NULL);
INSERT INTO "snapshots" VALUES(2,X'7374617465');
CREATE INDEX fills_by_time ON fills (ts_ns, number);
CREATE INDEX outbox_waiting ON outbox (channel, rank, posted_ns, number) WHERE state = 0;
COMMIT;
