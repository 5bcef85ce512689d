# What the checks share: the files of a tree, C text without its comments, and
# findings, which are lines of "file:line: message".
package Lint;
use strict;
use warnings;
use Exporter 'import';
use File::Find;

our @EXPORT = qw($root files slurp hush blank line_of args functions finding);
our $root = shift @ARGV // '.';
my $found = 0;

# Sorted names of the tree's own files, relative to its root.
sub files
{
	my ($pattern) = @_;
	my @all = -e "$root/.git" ? split /\0/, `git -C '$root' ls-files -coz --exclude-standard 2>/dev/null` : ();
	find({ no_chdir => 1, wanted => sub {
		my $name = s{^\Q$root\E/}{}r;
		$File::Find::prune = 1 if $name =~ m{^(\.git|tmp_\w+|results|output_iso)$};
		push @all, $name if -f && !/\.(o|so|bc)$/;
	} }, $root) unless @all;
	my %seen;
	return sort grep { /$pattern/ && -f "$root/$_" && !$seen{$_}++ } @all;
}

# The text of a file, '' where there is none.
sub slurp { my ($f) = @_; open my $h, '<', "$root/$f" or return ''; local $/; return <$h> // '' }

# Text made of spaces, its line ends kept.
sub hush { return $_[0] =~ s/[^\n]/ /gr }

# C text with comments blanked, and with strings blanked too where asked.
sub blank
{
	my ($t, $strings) = @_;
	return $t =~ s{(/\*.*?\*/|//[^\n]*)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')}{defined $1 ? hush($1) : $strings ? hush($2) : $2}gser;
}

sub line_of { my ($t, $at) = @_; return 1 + (substr($t, 0, $at) =~ tr/\n//) }

# The arguments of the call whose parenthesis opens just before offset $at.
sub args
{
	my ($t, $at) = @_;
	my ($depth, @a) = (0, '');
	pos($t) = $at;
	while ($t =~ /\G("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'(),]+|.)/gsc)
	{
		my $k = $1;
		last if $k eq ')' && !$depth--;
		$depth++ if $k eq '(';
		if ($k eq ',' && !$depth) { push @a, '' } else { $a[-1] .= $k }
	}
	return @a;
}

# Each function definition: name, static or not, lines of type, brace and end.
sub functions
{
	my @l = ('', split /\n/, blank($_[0], 1));
	my @f;
	for my $i (2 .. $#l)
	{
		next unless $l[$i] =~ /^(\w+)\(/ && (my $name = $1) && $l[$i - 1] =~ /^\w[\w\s*]*$/;
		my ($open) = grep { $l[$_] =~ /^\{|[;}]\s*$/ } $i .. $#l;
		next unless $open && $l[$open] =~ /^\{/;
		my ($end) = grep { $l[$_] =~ /^\}/ } $open .. $#l;
		push @f, { name => $name, static => scalar($l[$i - 1] =~ /\bstatic\b/), type => $i - 1, open => $open, end => $end // $#l };
	}
	return @f;
}

sub finding { my ($f, $line, $m) = @_; $found = 1; print "$f:$line: $m\n"; return }

END { $? ||= $found }

1;
