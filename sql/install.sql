-- what the extension brings
CREATE EXTENSION sync_ext;
SHOW sync_ext.environment;
