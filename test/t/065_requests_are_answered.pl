# Requests go through the queue and their answers into sync_answers: each as its own
# task, whatever the others meet, and as a role that may.

use strict;
use warnings;

use lib 'test/perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncFake;
use SyncTest;
use Test::More;

my $node = start_node('requests', q{
	shared_preload_libraries = 'sync_ext'
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.http_max_response_size = '4MB'
	log_statement = none});
my $fake = SyncFake->start('mixed');
my $url = $fake->url;
my ($out, $err);

$node->safe_psql('postgres', 'CREATE EXTENSION sync_ext');

sub ask
{
	my ($path, $more) = @_;

	$more = defined $more ? ", $more" : '';
	return $node->safe_psql('postgres', "SELECT sync_request('$url$path'$more)");
}

# The last that history says of a request, once it says so much.
sub story
{
	my ($id, $status) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM sync_history WHERE queue_id = $id AND status = '$status'")
	  or diag $node->safe_psql('postgres', "SELECT status, error_message FROM sync_history WHERE queue_id = $id");
	return $node->safe_psql('postgres', "SELECT concat_ws('|', error_sqlstate, replace(error_message, '$url', 'URL'))"
		  . " FROM sync_history WHERE queue_id = $id AND status = '$status' ORDER BY history_id LIMIT 1");
}

sub answer
{
	my ($id, $what) = @_;

	return $node->safe_psql('postgres', "SELECT $what FROM sync_answers WHERE queue_id = $id");
}

# all at once, so that they meet
my %ids = map { $_ => ask($_) }
  qw(/ok /image /nul /latin /huge /moved /away /circle /status/404 /status/501 /flaky/a/2 /drip);
story($ids{'/ok'}, 'success');
is(answer($ids{'/ok'}, q{status, headers ->> 'content-type', body, body_bytes}), '200|application/json|{"ok": true}|', 'an answer is kept');
story($ids{'/image'}, 'success');
is(answer($ids{'/image'}, 'body, body_bytes'), '|\x89504e4700ff', 'also one that is no text');
is(story($ids{'/nul'}, 'failed_permanent'), '22021|the answer of "URL/nul" is no text', 'a zero byte is the error of that request');
is(story($ids{'/latin'}, 'failed_permanent'), '22021|the answer of "URL/latin" is no text', 'and so are bytes that are not UTF-8');
is(answer($ids{'/latin'}, 'status, body'), '200|', 'of which the status is kept');
is(story($ids{'/huge'}, 'failed_permanent'), '54000|the answer of "URL/huge" is too large', 'and so is 1 GB');
story($ids{'/moved'}, 'success');
is(answer($ids{'/moved'}, 'status'), '200', 'a redirect on the same host is followed');
is(story($ids{'/away'}, 'failed_permanent'), '42501|"URL/away" redirects to another host', 'one to another host is not');
is(story($ids{'/circle'}, 'failed'), 'SY001|"URL/circle" redirects too often', 'nor is one in a circle');
is(story($ids{'/status/404'}, 'failed_permanent'), 'SY002|"URL/status/404" answered with status 404', 'a status that will not change fails for good');
is(answer($ids{'/status/404'}, 'status, body'), '404|{"status": 404}', 'and its answer is kept');
is(story($ids{'/status/501'}, 'failed_permanent'), 'SY002|"URL/status/501" answered with status 501', 'likewise');
story($ids{'/flaky/a/2'}, 'success');
is($node->safe_psql('postgres', "SELECT string_agg(status, ' ' ORDER BY history_id) FROM sync_history WHERE queue_id = $ids{'/flaky/a/2'}"),
	'failed failed success', 'one that might is tried again, when the answer says');
is(answer($ids{'/flaky/a/2'}, 'status'), '200', 'and its last answer is kept');

# what never ends is ended
is($node->safe_psql('postgres', "SELECT sync_cancel($ids{'/drip'})"), 't', 'one that goes on can be cancelled');
is(story($ids{'/drip'}, 'cancelled'), '57014|the task was cancelled', 'and is');
like(story(ask('/drip', q{timeout => '1 s'}), 'failed'), qr/SY001\|"URL\/drip" took too long/, 'a timeout ends it as well');
$node->safe_psql('postgres', q{UPDATE sync_operation_types SET timeout = '1 s' WHERE operation_type = 'request'});
is(story(ask('/drip'), 'failed'), '57014|the task took longer than 1000 ms', 'and so does that of the type');
$node->safe_psql('postgres', q{UPDATE sync_operation_types SET timeout = NULL WHERE operation_type = 'request'});
my $endless = SyncFake->start('mixed', endless_header => 1);
my $id = $node->safe_psql('postgres', "SELECT sync_request('" . $endless->url . "/ok')");
like(story($id, 'failed_permanent'), qr/^54000\|the header of the answer of/, 'a header without end is an error');
$endless->stop;

# what may not be done twice
$id = ask('/status/503', q{method => 'POST', body => 'pay'});
is(story($id, 'failed_permanent'), 'SY002|"URL/status/503" answered with status 503', 'a POST is not tried again');
$id = ask('/flaky/b/1', q{method => 'POST', body => 'note', retry => true});
story($id, 'success');
is($node->safe_psql('postgres', "SELECT count(*) FROM sync_history WHERE queue_id = $id"), '2', 'unless it may be done twice');

# what is sent, and what nobody sees of it
$id = ask('/echo?key=hidden-in-query', q{method => 'PUT', headers => '{"Authorization": "Bearer hidden-in-header", "X-Number": 7}', body => 'hidden in body'});
story($id, 'success');
is(answer($id, q{body::json ->> 'method' || ' ' || (body::json ->> 'body') || ' ' || (body::json -> 'headers' ->> 'authorization') || ' ' || (body::json -> 'headers' ->> 'x-number') || ' ' || (body::json -> 'query' ->> 'key')}),
	'PUT hidden in body Bearer hidden-in-header 7 hidden-in-query', 'method, headers, body and query are sent');
is($node->safe_psql('postgres', "SELECT count(*) FROM sync_requests WHERE queue_id = $id"), '0', 'and forgotten when the answer has come');
my $paused = 'sync_pause(operation_type => $$request$$)';
$node->safe_psql('postgres', "SELECT $paused");
$id = ask('/status/400?key=hidden-in-query', q{headers => '{"Authorization": "Bearer hidden-in-header"}', body => 'hidden in body', method => 'POST'});
unlike($node->safe_psql('postgres', "SELECT q FROM sync_queue AS q WHERE queue_id = $id"), qr/hidden/, 'a task does not show them');
$node->safe_psql('postgres', q{SELECT sync_resume(operation_type => 'request')});
story($id, 'failed_permanent');
unlike($node->safe_psql('postgres', "SELECT h FROM sync_history AS h WHERE queue_id = $id"), qr/hidden/, 'nor does history');
$node->safe_psql('postgres', "SELECT sync_retry($id)");
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM sync_history WHERE queue_id = $id AND status = 'failed_permanent'");
is((grep { $_->{path} eq '/status/400' && $_->{body} eq 'hidden in body' } $fake->log), 2, 'sync_retry() sends them again');
unlike(slurp_file($node->logfile), qr/hidden/, 'the server log does not show them either');

# rights
$node->safe_psql('postgres', q{CREATE ROLE asker LOGIN; CREATE ROLE other LOGIN});
my $as = sub { my ($role, $sql) = @_; return try_sql($node, 'postgres', $sql, user => $role) };
($out, $err) = $as->('asker', "SELECT sync_request('$url/ok')");
like($err, qr/42501: permission denied for function sync_request/, 'who was not granted it cannot ask');
$node->safe_psql('postgres', q{GRANT EXECUTE ON FUNCTION sync_request TO asker, other});
($out, $err) = $as->('asker', "SELECT sync_request('$url/ok')");
is(story($out, 'failed_permanent'), '42501|permission denied for function sync_task_request', 'nor have anything sent');
$node->safe_psql('postgres', q{GRANT EXECUTE ON FUNCTION sync_task_request TO asker, other; GRANT SELECT ON sync_answers TO asker, other});
($out, $err) = $as->('asker', "SELECT sync_request('$url/ok')");
story($out, 'success');
($out, $err) = $as->('asker', 'SELECT count(*) FROM sync_answers');
is($out, '1', 'a role sees its own answers');
($out, $err) = $as->('other', 'SELECT count(*) FROM sync_answers');
is($out, '0', 'and no others');
($out, $err) = $as->('asker', "SELECT sync_request('$url/ok', headers => '{\"Authorization\": \"mine-alone\"}', scheduled_time => now() + '1 h')");
$id = $out;
($out, $err) = $as->('other', 'TABLE sync_requests');
like($err, qr/42501: permission denied for table sync_requests/, 'what is kept of requests is readable by nobody');
is($node->safe_psql('postgres', "SELECT sync_cancel($id)"), 't', 'it can be cancelled before it is begun');

# what cannot be sent is refused at once
for (
	[ q{'ftp://h/'}, qr/22023: URL "ftp:\/\/h\/" is not valid/ ],
	[ q{'http://u:p@h/'}, qr/22023: URL "http:\/\/h\/" has a user name in it/ ],
	[ q{NULL}, qr/22004: url must not be null/ ],
	[ q{'http://h/', 'GET IT'}, qr/22023: HTTP method "GET IT" is not valid/ ],
	[ q{'http://h/', headers => '[]'}, qr/22023: headers must be an object, not array/ ],
	[ q{'http://h/', headers => '{"a": null}'}, qr/22023: the value of header "a" must be a text, not null/ ],
	[ q{'http://h/', headers => '{"a": "b\r\nc: d"}'}, qr/22023: header "a" cannot be sent to "http:\/\/h\/"/ ],
	[ q{'http://h/', timeout => '-1 s'}, qr/22023: timeout must be between 1 millisecond and 24 days: -00:00:01/ ],
  )
{
	($out, $err) = try_sql($node, 'postgres', "SELECT sync_request($_->[0])");
	like($err, $_->[1], "refused: $_->[0]");
}

# a request that is put into the queue by hand
$id = $node->safe_psql('postgres', qq{SELECT sync_enqueue('request', '{"url": "$url/echo", "method": "POST", "body": "b", "headers": {"A": "1"}}')});
story($id, 'success');
is(answer($id, q{body::json ->> 'body'}), 'b', 'a payload that says all is a request too');
is(story($node->safe_psql('postgres', q{SELECT sync_enqueue('request')}), 'failed_permanent'), '22023|the payload of a request has no url', 'one that says nothing is none');

# plainly, in a session
is($node->safe_psql('postgres', qq{SELECT sync_task_request(7, '{"url": "$url/ok"}')}), '{"bytes": 12, "status": 200}', 'the handler can be called');
($out, $err) = try_sql($node, 'postgres', qq{SELECT sync_task_request(8, '{"url": "$url/status/404"}')});
like($err, qr/SY002: .* answered with status 404/, 'and fails as a function does');

# answers go with the history of their time
my $count = $node->safe_psql('postgres', 'SELECT count(*) > 10 FROM sync_answers');
is($count, 't', 'answers stay');
$node->safe_psql('postgres', q{SELECT sync_purge_history('0 s')});
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM sync_answers), (SELECT count(*) FROM sync_requests)'), '0|0', 'until history is purged');

done_testing();
