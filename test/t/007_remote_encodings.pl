# Names arrive right whatever the encodings of the two databases, and one that the
# other cannot hold fails the run instead of being changed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('encodings');
my %address = (host => $node->host, port => $node->port);
my %encodings = (u => 'UTF8', l => 'LATIN1', s => 'SQL_ASCII');
my $names = q{
	SELECT string_agg(encode(convert_to(competition_id, 'UTF8'), 'escape'), ' ' ORDER BY competition_id COLLATE "C")
	FROM };
my ($out, $err);

for my $db (sort keys %encodings)
{
	$node->safe_psql('postgres',
		"CREATE DATABASE $db ENCODING '$encodings{$db}' LOCALE 'C' TEMPLATE template0");
	create_football($node, $db);
	$node->safe_psql($db, 'CREATE EXTENSION sync_ext');
	for my $other (sort keys %encodings)
	{
		add_server($node, $db, "to_$other", %address, dbname => $other);
	}
}
$node->safe_psql($_, qq{
	SET client_encoding = UTF8;
	INSERT INTO teams VALUES ('Österreich', 2022, 'Sturm'), ('Ñuñoa', 2022, 'Audax');
	INSERT INTO competitions VALUES ('Österreich', 'https://example.org/ö')})
  for qw(u l);

# Forget what a run has done.
sub forget
{
	my ($db) = @_;

	$node->safe_psql($db, 'TRUNCATE competition_progress, season_progress');
	return;
}

for my $pair ([qw(u l)], [qw(l u)], [qw(u u)], [qw(l l)])
{
	my ($from, $to) = @$pair;
	my $way = "$encodings{$from} to $encodings{$to}";

	forget($to);
	($out, $err) = try_sql($node, $from, qq{
		SET client_encoding = UTF8; SELECT sync_progress(false, environment => 'to_$to')});
	like($out, qr/Processing Österreich: 1 team/, "$way: the report has the name");
	is($err, '', "$way: without a message");
	is( $node->safe_psql($to, "$names competition_progress"),
		$node->safe_psql($to, "$names (SELECT DISTINCT competition_id FROM teams) AS t"),
		"$way: the names that are written are those of the evidence");
	is( $node->safe_psql($to, q{SET client_encoding = UTF8;
			SELECT competition_url FROM competition_progress WHERE competition_id = 'Österreich'}),
		'https://example.org/ö', "$way: and so are values that are looked up");
	($out, $err) = try_sql($node, $from, qq{
		SET client_encoding = UTF8;
		SELECT sync_progress(competition => 'Ñuñoa', environment => 'to_$to')});
	like($out, qr/Processing Ñuñoa: 1 team/, "$way: a competition can be asked for");
}

# A report in a database or for a client without the icons

$node->safe_psql('l', 'SELECT sync_progress(false)');
($out, $err) = try_sql($node, 'l', q{SET client_encoding = LATIN1; SELECT sync_progress()});
unlike($out, qr/[^\x00-\x7f]/, 'a report in a LATIN1 database is plain ASCII');
($out, $err) = try_sql($node, 'u', q{SET client_encoding = LATIN1; SELECT sync_progress(competition => 'EPL')});
unlike($out, qr/[^\x00-\x7f]/, 'so is one in a UTF8 database for a LATIN1 client');
is($err, '', 'which gets no error');
($out, $err) = try_sql($node, 's', q{SELECT sync_progress()});
unlike($out, qr/[^\x00-\x7f]/, 'and one in an SQL_ASCII database');

# A name that the other database cannot hold

forget('u');
forget('l');
$node->safe_psql('u', q{SET client_encoding = UTF8; INSERT INTO teams VALUES ('東京', 2022, 'FC')});
($out, $err) = try_sql($node, 'l', q{SELECT sync_progress(false, environment => 'to_u')});
like($err, qr/ERROR:  22P05: .*UTF8.*LATIN1.*on server "to_u"/s, 'a name that this database cannot hold fails the run');
is($node->safe_psql('u', 'SELECT count(*) FROM competition_progress'), '0', 'and nothing is written');
is($node->safe_psql('l', 'SELECT error_sqlstate FROM sync_history ORDER BY history_id DESC LIMIT 1'),
	'22P05', 'history says why');
($out, $err) = try_sql($node, 'u', q{
	SET client_encoding = UTF8; SELECT sync_progress(false, '東京', 'to_l')});
like($err, qr/ERROR:  22P05: .*on server "to_l"/s, 'so does a name that the server cannot hold');

# Errors are text too

$node->safe_psql(
	'l', q{
	SET client_encoding = UTF8;
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN RAISE 'verweigert für %', new.competition_id USING HINT = 'später'; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON season_progress FOR EACH ROW
		WHEN (new.competition_id = 'Österreich') EXECUTE FUNCTION refuse()});
($out, $err) = try_sql($node, 'u', q{SET client_encoding = UTF8; SELECT sync_progress(false, environment => 'to_l')});
like($err, qr/verweigert für Österreich.*HINT:  später/s, 'an error of the server arrives right');
is($node->safe_psql('u', q{SET client_encoding = UTF8;
		SELECT error_message, error_hint FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'verweigert für Österreich|später', 'and so it is in history');
($out, $err) = try_sql($node, 'l', q{SET client_encoding = UTF8; SELECT sync_progress(false)});
like($err, qr/verweigert für Österreich/, 'an error of a LATIN1 database itself');
is($node->safe_psql('l', q{SET client_encoding = UTF8;
		SELECT error_message, error_hint FROM sync_history ORDER BY history_id DESC LIMIT 1}),
	'verweigert für Österreich|später', 'is right in its history');

$node->stop;
done_testing();
