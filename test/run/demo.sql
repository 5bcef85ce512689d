CREATE EXTENSION sync_ext;
\dx sync_ext
