# SyncFake: fake web APIs for TAP tests, on free ports of loopback.
#
#   my $fake = SyncFake->start('plain', slow_ms => 100);
#   $fake->url; $fake->set(fail => 2); $fake->log; $fake->clear;
#
# They end with the test, whose process their input hangs on.

package SyncFake;

use strict;
use warnings;

use File::Basename;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;

# Start the API of that name (a module of test/fake) with switches.  "tls" names a
# certificate and its key.
sub start
{
	my ($class, $name, %switches) = @_;
	my $self = bless { in => '', out => '', err => '' }, $class;
	my $tls = delete $switches{tls};
	my @command = ('python3', '-B', dirname(__FILE__) . '/../fake/fake.py', $name);

	push @command, '--tls', @$tls if $tls;
	push @command, map { "$_=$switches{$_}" } sort keys %switches;
	$self->{run} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout(180));
	$self->{run}->pump until $self->{out} =~ /listens on (\S+)\n/ || !$self->{run}->pumpable;
	$self->{out} =~ /listens on (\S+)\n/ or die "fake $name did not start: $self->{err}";
	$self->{url} = $1;
	return $self;
}

sub url { return $_[0]{url} }
sub port { return $_[0]{url} =~ /:(\d+)$/ ? $1 : die }

# Let provider "plain" be this server, with an endpoint for each of its paths that
# are named: plain_rows asks for /rows, with what callers give as query parameters.
sub define
{
	my ($self, $node, $db, @paths) = @_;

	$node->safe_psql($db, "INSERT INTO sync_providers (provider_name, base_url, retry) VALUES ('plain', '$self->{url}', '{\"wait_ms\": 50}')");
	for my $path (@paths)
	{
		my $name = $path =~ s/\W/_/gr;
		$node->safe_psql($db, "INSERT INTO sync_endpoints (endpoint_name, provider_name, path, params, query)"
			  . " VALUES ('plain_$name', 'plain', '/$path', '{\"n\": {}}', '{\"n\": \"{param.n}\"}')");
	}
	return;
}

# Set switches.
sub set
{
	my ($self, %switches) = @_;
	$self->control('set', \%switches);
	return;
}

# The requests so far, each with method, path, query, headers, body, connection, at.
sub log { return @{ decode_json($_[0]->control('log')) } }

# Forget them.
sub clear { $_[0]->control('clear'); return }

sub control
{
	my ($self, $what, $switches) = @_;
	my $answer = HTTP::Tiny->new(timeout => 60)->post_form("$self->{url}/_/$what", $switches // {});

	$answer->{success} or die "fake: $answer->{status} $answer->{content}";
	return $answer->{content};
}

# End it.
sub stop
{
	my ($self) = @_;
	$self->{run}->kill_kill(grace => 2) if $self->{run};
	delete $self->{run};
	return;
}

sub DESTROY { local ($?, $@); $_[0]->stop; return }

1;
