# The examples of README.md and docs/ do what they say.
#
# The blocks of a file that are marked "sql" run one after the other in one session
# in a new database.  Where a block marked "text" comes next, with nothing but empty
# lines in between, it is what psql prints, errors included; where none does, there
# must be no error and no warning.  A block marked "sql notest" is left out, and so
# is its answer.  Blanks at the end of a line do not count.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = start_node('examples');
my $root = dirname(__FILE__) . '/../..';
my $folder = PostgreSQL::Test::Utils::tempdir();
my $ndatabases = 0;

# The blocks of a file that are to be run: where each begins, its SQL, and what it
# is said to print.
sub read_examples
{
	my ($path) = @_;
	my (@examples, $block, $answerable);
	my $line = 0;

	for (split /\n/, slurp_file($path))
	{
		$line++;
		if ($block && /^\s*```\s*$/)
		{
			$answerable = undef;
			if ($block->{kind} eq 'text' && $block->{answers})
			{
				$block->{answers}{expected} = $block->{text};
			}
			elsif ($block->{kind} =~ /^sql( notest)?$/)
			{
				$answerable = { line => $block->{line}, sql => $block->{text} };
				push @examples, $answerable unless $1;
			}
			$block = undef;
		}
		elsif ($block)
		{
			s/^ {0,$block->{indent}}//;
			$block->{text} .= "$_\n";
		}
		elsif (/^( *)```\s*(.*?)\s*$/)
		{
			$block = {
				indent => length $1,
				kind => $2,
				line => $line,
				text => '',
				answers => $answerable
			};
		}
		elsif (/\S/)
		{
			$answerable = undef;
		}
	}
	die "$path: the block at line $block->{line} does not end" if $block;
	return @examples;
}

# Run the examples of a file, and add to each what it printed.
sub run_examples
{
	my (@examples) = @_;
	my $db = 'examples' . ++$ndatabases;
	my $script = "$folder/$db.sql";
	my $output = '';

	return unless @examples;
	append_to_file($script, "$examples[$_]{sql}\n\\echo\n\\echo end of example $_\n") for 0 .. $#examples;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	# without -f the messages do not name a file
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr($db) ],
		'<', $script, '>&', \$output,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	for my $n (0 .. $#examples)
	{
		$examples[$n]{got} =
		  $output =~ s/\A(.*?)\nend of example $n\n//s ? $1 : "$output(and no more)";
	}
	return @examples;
}

# Output as it is compared.
sub trim
{
	my ($text) = @_;

	$text =~ s/[ \t]+$//mg;
	$text =~ s/\A\n+|\n+\z//g;
	return $text;
}

# Whether an example did what it says.
sub is_true
{
	my ($example) = @_;

	return $example->{got} !~ /^(ERROR|FATAL|PANIC|WARNING|psql|\\)|and no more/m
	  unless defined $example->{expected};
	return trim($example->{got}) eq trim($example->{expected});
}

# The mechanism itself, by files that it must find right and wrong

my %samples = (
	'an answer that is right' => [ 1, "```sql\nSELECT 1 AS a;   \n```\n\n```text\n a \n---\n 1\n(1 row)\n```\n" ],
	'an answer that is wrong' => [ 0, "```sql\nSELECT 2 AS a;\n```\n\n```text\n a\n---\n 1\n(1 row)\n```\n" ],
	'an answer too short' => [ 0, "```sql\nSELECT 1 AS a; SELECT 2;\n```\n```text\n a\n---\n 1\n(1 row)\n```\n" ],
	'an error that is not said' => [ 0, "```sql\nSELECT 1/0;\n```\n" ],
	'an error that is said' => [ 1, "```sql\nSELECT 1/0;\n```\n```text\nERROR:  division by zero\n```\n" ],
	'a warning that is not said' => [ 0, "```sql\nROLLBACK;\n```\n" ],
	'a statement without end' => [ 0, "```sql\nSELECT 1\n```\n\n```text\n?column?\n```\n" ],
	'a session that ends' => [ 0, "```sql\n\\q\n```\n" ],
	'a text that is no answer' => [ 1, "```sql\nSELECT 1;\n```\nProse.\n\n```text\nnothing\n```\n" ],
	'no answer at all' => [ 1, "```sql\nSELECT 1;\n```\n" ],
	'a block in a list' => [ 1, "- x\n\n  ```sql\n  SELECT 1 AS a;\n  ```\n\n  ```text\n   a\n  ---\n   1\n  (1 row)\n  ```\n" ],
	'one session' => [ 1, "```sql\nSET search_path = x;\n```\n\n```sql\nSHOW search_path;\n```\n```text\n search_path\n-------------\n x\n(1 row)\n```\n" ]);
for my $name (sort keys %samples)
{
	my ($right, $text) = @{ $samples{$name} };

	append_to_file("$folder/$name.md", $text);
	my @found = run_examples(read_examples("$folder/$name.md"));
	is((grep { !is_true($_) } @found) ? 0 : 1, $right, "a file with $name is found " . ($right ? 'right' : 'wrong'));
}
append_to_file("$folder/notest.md", "```sql notest\nSELECT 1/0;\n```\n```text\nx\n```\n```\nplain\n```\n```text\ny\n```\n");
is(scalar(read_examples("$folder/notest.md")), 0, 'a block that is not to be tested is left out, and so is any other');

# The files

for my $path ("$root/README.md", sort glob "$root/docs/*.md")
{
	my $name = $path =~ s/^\Q$root\E\///r;
	my @examples = read_examples($path);

	for my $example (run_examples(@examples))
	{
		ok(is_true($example), "the example at line $example->{line} of $name does what it says")
		  or diag("It printed:\n$example->{got}\nIt is said to print:\n" . ($example->{expected} // '(no error)'));
	}
}

$node->stop;
done_testing();
